/* The weights' gradient slots of slots_conv.h over the vectors of vec_template.h; TILE_PIXELS as in
 * tile_template.h. */
#ifndef KERNELS_WGRAD_TEMPLATE_H
#define KERNELS_WGRAD_TEMPLATE_H

#include "kernels/conv_template.h"

enum { TILE_FILTERS = 2 * VEC_WIDTH };

/* rows and vectors are constants where this is inlined, so that sum lives in registers. */
INLINED void outer(const struct conv_outer *o, const int rows, const int vectors)
{
    vec sum[TILE_PIXELS][2];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < vectors; j++) {
            sum[i][j] = vec_set(0.0f);
        }
    }
    const float *panel = o->panel;
    for (size_t p = 0; p < o->pixels; p++) {
        const float *in = o->in[p] + o->offset;
        vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
        UNROLLED
        for (int i = 0; i < rows; i++) {
            vec x = vec_set(in[i]);
            sum[i][0] = vec_fma(x, first, sum[i][0]);
            if (vectors > 1) {
                sum[i][1] = vec_fma(x, second, sum[i][1]);
            }
        }
        panel += TILE_FILTERS;
    }
    UNROLLED
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < vectors; j++) {
            float *to = o->sum + i * TILE_FILTERS + j * VEC_WIDTH;
            vec_store(to, o->accumulate ? vec_add(vec_load(to), sum[i][j]) : sum[i][j]);
        }
    }
}

#define OUTER_CASE(rows)                                                                           \
    case rows:                                                                                     \
        if (o->filters > VEC_WIDTH) {                                                              \
            outer(o, rows, 2);                                                                     \
        } else {                                                                                   \
            outer(o, rows, 1);                                                                     \
        }                                                                                          \
        break;

static void outer_slot(const struct conv_outer *o)
{
    switch (o->rows) {
        OUTER_CASE(1)
        OUTER_CASE(2)
        OUTER_CASE(3)
        OUTER_CASE(4)
#if TILE_PIXELS >= 6
        OUTER_CASE(5)
        OUTER_CASE(6)
#endif
#if TILE_PIXELS >= 12
        OUTER_CASE(7)
        OUTER_CASE(8)
        OUTER_CASE(9)
        OUTER_CASE(10)
        OUTER_CASE(11)
        OUTER_CASE(12)
#endif
    default:
        break;
    }
}

/* A y and G^T u by the matrices of conv_template.h. */
static inline void output_gradient_line(const vec y[4], vec m[6])
{
    vec even_a = vec_fma(vec_set(0.5f), y[2], y[0]);
    vec even_b = vec_fma(vec_set(2.0f), y[2], y[0]);
    vec odd_a = vec_mul(vec_set(ROOT_HALF), vec_fma(vec_set(0.5f), y[3], y[1]));
    vec odd_b = vec_mul(vec_set(ROOT_TWO), vec_fma(vec_set(2.0f), y[3], y[1]));
    m[0] = y[0];
    m[1] = vec_add(even_a, odd_a);
    m[2] = vec_sub(even_a, odd_a);
    m[3] = vec_add(even_b, odd_b);
    m[4] = vec_sub(even_b, odd_b);
    m[5] = y[3];
}

static inline void filter_gradient_line(const vec u[6], vec g[3])
{
    const float third = 1.0f / 3.0f, sixth = 1.0f / 6.0f;
    vec sum_a = vec_add(u[1], u[2]), difference_a = vec_sub(u[1], u[2]);
    vec sum_b = vec_add(u[3], u[4]), difference_b = vec_sub(u[3], u[4]);
    g[0] = vec_fma(vec_set(-2.0f * third), sum_a, vec_fma(vec_set(sixth), sum_b, u[0]));
    g[1] = vec_fma(vec_set(-2.0f * third * ROOT_HALF), difference_a,
                   vec_mul(vec_set(sixth * ROOT_TWO), difference_b));
    g[2] = vec_fma(vec_set(third), vec_sub(sum_b, sum_a), u[5]);
}

static void winograd_output_gradient_slot(const struct winograd_output_gradient *w)
{
    for (size_t k = 0; k < w->filters; k += VEC_WIDTH) {
        size_t part = part_of(w->filters, k);
        vec columns[6][4];
        for (int x = 0; x < 4; x++) {
            vec y[4], m[6];
            UNROLLED
            for (int r = 0; r < 4; r++) {
                const float *dz = w->dz[r * 4 + x] + w->offset + k;
                y[r] = get(dz, part);
            }
            output_gradient_line(y, m);
            UNROLLED
            for (int r = 0; r < 6; r++) {
                columns[r][x] = m[r];
            }
        }
        float *to = w->w + k;
        for (int r = 0; r < 6; r++) {
            vec m[6];
            output_gradient_line(columns[r], m);
            UNROLLED
            for (int x = 0; x < 6; x++) {
                store_and_prefetch(to, m[x], VEC_WIDTH);
                to += w->xi_stride;
            }
        }
    }
}

static void winograd_filter_gradient_slot(const struct winograd_filter_gradient *w)
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
                filter_gradient_line(u, g);
                UNROLLED
                for (size_t r = 0; r < 3; r++) {
                    columns[r][x] = g[r];
                }
            }
            float *to = w->sums + c * w->nr + k;
            UNROLLED
            for (size_t r = 0; r < 3; r++) {
                vec g[3];
                filter_gradient_line(columns[r], g);
                UNROLLED
                for (size_t s = 0; s < 3; s++) {
                    vec_store(to + (r * 3 + s) * w->tap_stride, g[s]);
                }
            }
        }
    }
}

/* One vector of filters from k on and `columns` (at most 4) neighbouring taps of a row; columns and
 * kind are constants where this is inlined. */
INLINED void depthwise_weights_taps(const struct conv_depthwise_weights *d, size_t first,
                                    size_t end, size_t at, size_t k, float *dw, const int columns,
                                    const enum depthwise_kind kind)
{
    bool whole = kind == DEPTHWISE_WHOLE, spread = kind == DEPTHWISE_SPREAD;
    size_t part = whole ? VEC_WIDTH : part_of((size_t)d->filters, k);
    vec sum[4];
    UNROLLED
    for (int s = 0; s < columns; s++) {
        sum[s] = vec_set(0.0f);
    }
    const float *in = d->in + first * d->in_step + at + (spread ? 0 : k);
    const float *dz = d->dz + first * d->dz_stride + k;
    for (size_t i = first; i < end; i++) {
        vec z = whole ? vec_load(dz) : vec_load_part(dz, part);
        UNROLLED
        for (int s = 0; s < columns; s++) {
            const float *pixel = in + (size_t)s * d->in_tap;
            vec x = whole    ? vec_load(pixel)
                    : spread ? depthwise_spread(pixel, k, part, (size_t)d->multiplier)
                             : vec_load_part(pixel, part);
            sum[s] = vec_fma(x, z, sum[s]);
        }
        in += d->in_step;
        dz += d->dz_stride;
    }
    UNROLLED
    for (int s = 0; s < columns; s++) {
        float *to = dw + (size_t)s * (size_t)d->filters + k;
        put(to, vec_add(vec_load_part(to, part), sum[s]), part);
    }
}

INLINED void depthwise_weights_row(const struct conv_depthwise_weights *d, size_t first, size_t end,
                                   size_t r, size_t k, const enum depthwise_kind kind)
{
    for (size_t s = 0; s < (size_t)d->columns;) {
        size_t left = (size_t)d->columns - s;
        size_t at = r * d->in_row + s * d->in_tap;
        float *dw = d->dw + r * d->weight_row + s * (size_t)d->filters;
        if (left == 3) {
            depthwise_weights_taps(d, first, end, at, k, dw, 3, kind);
            s += 3;
        } else if (left >= 4) {
            depthwise_weights_taps(d, first, end, at, k, dw, 4, kind);
            s += 4;
        } else {
            depthwise_weights_taps(d, first, end, at, k, dw, 1, kind);
            s++;
        }
    }
}

/* As in depthwise_slot, all channels of a few pixels before the next ones. */
enum { DEPTHWISE_WEIGHTS_PIXELS = 16 };

static void depthwise_weights_slot(const struct conv_depthwise_weights *d)
{
    size_t filters = (size_t)d->filters, pixels = (size_t)d->pixels;
    for (size_t first = 0, end; first < pixels; first = end) {
        size_t left = pixels - first;
        end = first + (left < DEPTHWISE_WEIGHTS_PIXELS ? left : DEPTHWISE_WEIGHTS_PIXELS);
        for (size_t k = 0; k < filters; k += VEC_WIDTH) {
            for (size_t r = 0; r < (size_t)d->rows; r++) {
                if (d->multiplier > 1) {
                    depthwise_weights_row(d, first, end, r, k, DEPTHWISE_SPREAD);
                } else if (k + VEC_WIDTH <= filters) {
                    depthwise_weights_row(d, first, end, r, k, DEPTHWISE_WHOLE);
                } else {
                    depthwise_weights_row(d, first, end, r, k, DEPTHWISE_PART);
                }
            }
        }
    }
}

#endif
