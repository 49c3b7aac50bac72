/* What Winograd's transforms share over the vectors of vec_template.h. */
#ifndef KERNELS_WINOGRAD_TEMPLATE_H
#define KERNELS_WINOGRAD_TEMPLATE_H

#include "kernels/activation_template.h"
#include "kernels/slots_conv.h"
#include "kernels/vec_template.h"

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

/* The epilogue and the stores of a tile's filters from k on; rows and columns are those of *w, or constants. */
INLINED void winograd_finish(const struct winograd_output *w, size_t k, size_t part, const int rows,
                             const int columns, vec tile[16])
{
    float *out = w->out + k;
    if (w->scale || w->shift || w->act != ACT_LINEAR) {
        vec scale = load_or(w->scale, k, part, 1.0f), shift = load_or(w->shift, k, part, 0.0f);
        finish_tile(tile, scale, shift, w->act);
    }
    if (rows == 4 && columns == 4 && part == VEC_WIDTH) {
        bool adds = w->adds;
        UNROLLED
        for (size_t i = 0; i < 16; i++) {
            float *to = out + i / 4 * w->row_stride + i % 4 * w->pixel_stride;
            vec_store(to, adds ? vec_add(tile[i], vec_load(to)) : tile[i]);
        }
        return;
    }
    for (int r = 0; r < w->rows; r++) {
        for (int s = 0; s < w->columns; s++) {
            float *to = out + (size_t)r * w->row_stride + (size_t)s * w->pixel_stride;
            vec v = tile[4 * r + s];
            put(to, w->adds ? vec_add(v, vec_load_part(to, part)) : v, part);
        }
    }
}

#endif
