/* What Winograd's transforms share over the vectors of vec_template.h. */
#ifndef KERNELS_WINOGRAD_TEMPLATE_H
#define KERNELS_WINOGRAD_TEMPLATE_H

#include "kernels/activation_template.h"
#include "kernels/slots_conv.h"
#include "kernels/vec_template.h"

enum { MAX_INPUT = 9 }; /* points of a line */

/* A pixel of a tile with `side` pixels a line; is_even: at even distances. */
INLINED const float *input_pixel(const struct winograd_input *w, int y, int x, const int side,
                                 bool is_even)
{
    const float *p = is_even ? w->first + (size_t)y * w->row_stride + (size_t)x * w->pixel_stride
                             : w->in[y * side + x];
    return p + w->offset;
}

/* v = act(v * scale + shift) for the 16 pixels of a tile: the activation is chosen once. */
INLINED void finish_tile_as(vec v[16], vec scale, vec shift, const enum activation act)
{
    for (int i = 0; i < 16; i++) {
        v[i] = vec_activate(vec_fma(v[i], scale, shift), act);
    }
}

#define FINISH_TILE(act) finish_tile_as(v, scale, shift, act)

static void finish_tile(vec v[16], vec scale, vec shift,
                        enum activation act){BY_ACTIVATION(act, FINISH_TILE)}

/* The rows [row, end) of points of w, constants where this is inlined; `line` transforms a line of taps. */
INLINED void filter_rows(const struct winograd_filter *w, const int row, const int end,
                         void (*const line)(const vec x[3], vec u[6]))
{
    size_t width = w->width, columns = w->columns, xi_stride = w->xi_stride;
    size_t u_row = (columns + VEC_WIDTH - 1) / VEC_WIDTH * VEC_WIDTH;
    const float *weights = w->weights;
    float *u = w->u;
    for (size_t c = 0; c < w->channels; c++, weights += 9 * width, u += u_row) {
        for (size_t k = 0; k < columns; k += VEC_WIDTH) {
            vec of_column[3][6], points[6];
            UNROLLED
            for (size_t s = 0; s < 3; s++) {
                vec x[3];
                UNROLLED
                for (size_t r = 0; r < 3; r++) {
                    const float *from = weights + (r * 3 + s) * width + k;
                    x[r] = vec_load(from);
                    __builtin_prefetch(from + 2 * 9 * width);
                }
                line(x, of_column[s]);
            }
            float *to = u + k;
            UNROLLED
            for (int r = row; r < end; r++) {
                const vec taps[3] = {of_column[0][r], of_column[1][r], of_column[2][r]};
                line(taps, points);
                UNROLLED
                for (size_t s = 0; s < 6; s++, to += xi_stride) {
                    vec_store(to, points[s]);
                }
            }
        }
    }
}

#define FILTER_ROW(row, line)                                                                      \
    case row:                                                                                      \
        filter_rows(w, row, (row) + 1, line);                                                      \
        break;

#define FILTER_SLOT(name, line)                                                                    \
    static void name(const struct winograd_filter *w)                                              \
    {                                                                                              \
        switch (w->row) {                                                                          \
            FILTER_ROW(0, line)                                                                    \
            FILTER_ROW(1, line)                                                                    \
            FILTER_ROW(2, line)                                                                    \
            FILTER_ROW(3, line)                                                                    \
            FILTER_ROW(4, line)                                                                    \
            FILTER_ROW(5, line)                                                                    \
        default:                                                                                   \
            filter_rows(w, 0, 6, line);                                                            \
            break;                                                                                 \
        }                                                                                          \
    }

/* A tile of the input, by a function of a vector of channels that has constants for whole tiles. */
#define INPUT_SLOT(name, input_part)                                                               \
    static void name(const struct winograd_input *w)                                               \
    {                                                                                              \
        size_t c = 0;                                                                              \
        bool is_whole = w->rows > 2 && w->columns > 2;                                             \
        for (; is_whole && c + VEC_WIDTH <= w->channels; c += VEC_WIDTH) {                         \
            if (w->in) {                                                                           \
                input_part(w, c, VEC_WIDTH, false, 4, 4);                                          \
            } else {                                                                               \
                input_part(w, c, VEC_WIDTH, true, 4, 4);                                           \
            }                                                                                      \
        }                                                                                          \
        for (; c < w->channels; c += VEC_WIDTH) {                                                  \
            input_part(w, c, part_of(w->channels, c), !w->in, w->rows, w->columns);                \
        }                                                                                          \
    }

/* The epilogue and the stores of a whole tile's vector of filters from k on. */
INLINED void winograd_finish_whole(const struct winograd_output *w, size_t k, vec tile[16],
                                   const enum activation act)
{
    vec scale = load_or(w->scale, k, VEC_WIDTH, 1.0f),
        shift = load_or(w->shift, k, VEC_WIDTH, 0.0f);
    float *out = w->out + k;
    const size_t row_stride = w->row_stride, pixel_stride = w->pixel_stride;
    const bool adds = w->adds;
    UNROLLED
    for (size_t i = 0; i < 16; i++) {
        float *to = out + i / 4 * row_stride + i % 4 * pixel_stride;
        vec v = vec_activate(vec_fma(tile[i], scale, shift), act);
        vec_store(to, adds ? vec_add(v, vec_load(to)) : v);
    }
}

/* Those of a part of a tile, or of a vector. */
INLINED void winograd_finish(const struct winograd_output *w, size_t k, size_t part, vec tile[16])
{
    vec scale = load_or(w->scale, k, part, 1.0f), shift = load_or(w->shift, k, part, 0.0f);
    finish_tile(tile, scale, shift, w->act);
    float *out = w->out + k;
    for (int r = 0; r < w->rows; r++) {
        for (int s = 0; s < w->columns; s++) {
            float *to = out + (size_t)r * w->row_stride + (size_t)s * w->pixel_stride;
            vec v = tile[4 * r + s];
            put(to, w->adds ? vec_add(v, vec_load_part(to, part)) : v, part);
        }
    }
}

/* A tile of the output: `transform` makes tile[16] of M's filters from k on; rows and columns are constants for whole tiles. */
#define OUTPUT_WHOLE(act)                                                                          \
    for (; k + VEC_WIDTH <= filters; k += VEC_WIDTH) {                                             \
        vec tile[16];                                                                              \
        transform(w, k, 4, 4, tile);                                                               \
        winograd_finish_whole(w, k, tile, act);                                                    \
    }

INLINED void winograd_output_tile(const struct winograd_output *w,
                                  void (*const transform)(const struct winograd_output *w, size_t k,
                                                          const int rows, const int columns,
                                                          vec tile[16]))
{
    size_t filters = (size_t)w->filters, k = 0;
    if (w->rows == 4 && w->columns == 4) {
        BY_ACTIVATION(w->act, OUTPUT_WHOLE)
    }
    for (; k < filters; k += VEC_WIDTH) {
        vec tile[16];
        transform(w, k, w->rows, w->columns, tile);
        winograd_finish(w, k, part_of(filters, k), tile);
    }
}

#define OUTPUT_SLOT(name, transform)                                                               \
    static void name(const struct winograd_output *w)                                              \
    {                                                                                              \
        winograd_output_tile(w, transform);                                                        \
    }

/* A Y A^T of the filters from k on: `points` makes `input` points of a line of 4 pixels, `needs` says which count. Constants as for a
 * tile of the input. */
INLINED void output_gradient_part(const struct winograd_output_gradient *w, size_t k, size_t part,
                                  const int rows, const int columns, const int input,
                                  void (*const points)(const vec y[4], vec *m, const int outputs),
                                  bool (*const needs)(int outputs, int point))
{
    vec lines[MAX_INPUT][4];
    UNROLLED
    for (int x = 0; x < 4; x++) {
        vec y[4], m[MAX_INPUT];
        UNROLLED
        for (int r = 0; r < 4; r++) {
            bool is_read = x < columns && r < rows;
            y[r] = is_read ? get(w->dz[r * 4 + x] + w->offset + k, part) : vec_set(0.0f);
        }
        points(y, m, rows);
        UNROLLED
        for (int r = 0; r < input; r++) {
            lines[r][x] = m[r];
        }
    }
    float *to = w->w + k;
    UNROLLED
    for (int r = 0; r < input; r++, to += (size_t)input * w->xi_stride) {
        if (!needs(rows, r)) {
            continue;
        }
        vec m[MAX_INPUT];
        points(lines[r], m, columns);
        UNROLLED
        for (int x = 0; x < input; x++) {
            if (needs(columns, x)) {
                vec_store(to + (size_t)x * w->xi_stride, m[x]);
            }
        }
    }
}

#define OUTPUT_GRADIENT_SLOT(name, input, points, needs)                                           \
    static void name(const struct winograd_output_gradient *w)                                     \
    {                                                                                              \
        size_t k = 0;                                                                              \
        if (w->rows == 4 && w->columns == 4) {                                                     \
            for (; k + VEC_WIDTH <= w->filters; k += VEC_WIDTH) {                                  \
                output_gradient_part(w, k, VEC_WIDTH, 4, 4, input, points, needs);                 \
            }                                                                                      \
        }                                                                                          \
        for (; k < w->filters; k += VEC_WIDTH) {                                                   \
            output_gradient_part(w, k, part_of(w->filters, k), w->rows, w->columns, input, points, \
                                 needs);                                                           \
        }                                                                                          \
    }

/* G^T dU G; `line` transforms a line of points. */
INLINED void filter_gradient(const struct winograd_filter_gradient *w,
                             void (*const line)(const vec u[6], vec g[3]))
{
    for (size_t k = 0; k < w->nr; k += VEC_WIDTH) {
        for (size_t c = 0; c < w->channels; c++) {
            const float *from = w->u + c * w->nr + k;
            vec columns[3][6];
            UNROLLED
            for (size_t x = 0; x < 6; x++) {
                vec u[6], g[3];
                UNROLLED
                for (size_t r = 0; r < 6; r++) {
                    u[r] = vec_load(from + (r * 6 + x) * w->xi_stride);
                }
                line(u, g);
                UNROLLED
                for (size_t r = 0; r < 3; r++) {
                    columns[r][x] = g[r];
                }
            }
            float *to = w->sums + c * w->nr + k;
            UNROLLED
            for (size_t r = 0; r < 3; r++) {
                vec g[3];
                line(columns[r], g);
                UNROLLED
                for (size_t s = 0; s < 3; s++) {
                    vec_store(to + (r * 3 + s) * w->tap_stride, g[s]);
                }
            }
        }
    }
}

#define FILTER_GRADIENT_SLOT(name, line)                                                           \
    static void name(const struct winograd_filter_gradient *w)                                     \
    {                                                                                              \
        filter_gradient(w, line);                                                                  \
    }

#endif
