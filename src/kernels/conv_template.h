/* The slots of slots_conv.h that walk along channels, over the vectors of vec_template.h. */
#ifndef KERNELS_CONV_TEMPLATE_H
#define KERNELS_CONV_TEMPLATE_H

#include "kernels/slots_conv.h"
#include "kernels/vec_template.h"

static void finish_slot(const struct conv_finish *f)
{
    size_t filters = (size_t)f->filters;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        size_t part = part_of(filters, k);
        vec scale = load_or(f->scale, k, part, 1.0f), shift = load_or(f->shift, k, part, 0.0f);
        const float *acc = f->acc + k;
        float *out = f->out + k;
        for (int i = 0; i < f->pixels; i++) {
            vec y = vec_fma(vec_load(acc), scale, shift);
            y = vec_activate(y, f->act);
            if (f->adds) {
                y = vec_add(y, vec_load_part(out, part));
            }
            put(out, y, part);
            acc += f->acc_stride;
            out += f->out_stride;
        }
    }
}

/* Winograd F(4x4, 3x3) on the points 0, +-1/sqrt(2), +-sqrt(2), infinity: they round less than the
 * usual 0, +-1, +-2. With a = 1/sqrt(2), b = sqrt(2) (a b = 1):
 *
 *         1   0   -5/2   0   1  0             1  1    1    1    1   0
 *         0  -b    -2    a   1  0             0  a   -a    b   -b   0
 *   B^T = 0   b    -2   -a   1  0       A^T = 0 1/2  1/2   2    2   0
 *         0  -a   -1/2   b   1  0             0 a^3 -a^3  b^3 -b^3  1
 *         0   a   -1/2  -b   1  0
 *         0   1     0  -5/2  0  1
 *
 * G stands at filter_line. */
#define ROOT_HALF 0.70710678118654752f
#define ROOT_TWO 1.41421356237309505f

static inline void input_line(const vec d[6], vec v[6])
{
    vec even_a = vec_fma(vec_set(-2.0f), d[2], d[4]);
    vec odd_a = vec_mul(vec_set(ROOT_HALF), vec_fma(vec_set(-2.0f), d[1], d[3]));
    vec even_b = vec_fma(vec_set(-0.5f), d[2], d[4]);
    vec odd_b = vec_mul(vec_set(ROOT_TWO), vec_fma(vec_set(-0.5f), d[1], d[3]));
    v[0] = vec_add(vec_fma(vec_set(-2.5f), d[2], d[4]), d[0]);
    v[1] = vec_add(even_a, odd_a);
    v[2] = vec_sub(even_a, odd_a);
    v[3] = vec_add(even_b, odd_b);
    v[4] = vec_sub(even_b, odd_b);
    v[5] = vec_add(vec_fma(vec_set(-2.5f), d[3], d[5]), d[1]);
}

/* G x: row of a point p is (1, p, p^2) over the product of p's differences to the other points. */
static inline void filter_line(const vec x[3], vec u[6])
{
    const float third = 1.0f / 3.0f, sixth = 1.0f / 6.0f;
    vec even_a = vec_fma(vec_set(-third), x[2], vec_mul(vec_set(-2.0f * third), x[0]));
    vec even_b = vec_fma(vec_set(third), x[2], vec_mul(vec_set(sixth), x[0]));
    vec odd_a = vec_mul(vec_set(-2.0f * third * ROOT_HALF), x[1]);
    vec odd_b = vec_mul(vec_set(sixth * ROOT_TWO), x[1]);
    u[0] = x[0];
    u[1] = vec_add(even_a, odd_a);
    u[2] = vec_sub(even_a, odd_a);
    u[3] = vec_add(even_b, odd_b);
    u[4] = vec_sub(even_b, odd_b);
    u[5] = x[2];
}

static inline void output_line(const vec m[6], vec y[4])
{
    vec sum_a = vec_add(m[1], m[2]), difference_a = vec_sub(m[1], m[2]);
    vec sum_b = vec_add(m[3], m[4]), difference_b = vec_sub(m[3], m[4]);
    y[0] = vec_add(vec_add(m[0], sum_a), sum_b);
    y[1] = vec_fma(vec_set(ROOT_HALF), difference_a, vec_mul(vec_set(ROOT_TWO), difference_b));
    y[2] = vec_fma(vec_set(0.5f), sum_a, vec_mul(vec_set(2.0f), sum_b));
    y[3] = vec_fma(vec_set(0.5f * ROOT_HALF), difference_a,
                   vec_fma(vec_set(2.0f * ROOT_TWO), difference_b, m[5]));
}

/* The transforms store to 36 far-apart lines a step, which would wait for one another on their way
 * from L2: each store asks for its successor, `ahead` floats on. */
static inline void store_and_prefetch(float *to, vec v, size_t ahead)
{
    vec_store(to, v);
    __builtin_prefetch(to + ahead, 1);
}

static void winograd_input_slot(const struct winograd_input *w)
{
    for (size_t c = 0; c < w->channels; c += VEC_WIDTH) {
        size_t part = part_of(w->channels, c);
        vec columns[6][6];
        UNROLLED
        for (int x = 0; x < 6; x++) {
            vec d[6], v[6];
            UNROLLED
            for (int y = 0; y < 6; y++) {
                const float *in = w->in[y * 6 + x] + w->offset + c;
                d[y] = get(in, part);
            }
            input_line(d, v);
            UNROLLED
            for (int y = 0; y < 6; y++) {
                columns[y][x] = v[y];
            }
        }
        float *to = w->v + c;
        UNROLLED
        for (int y = 0; y < 6; y++) {
            vec v[6];
            input_line(columns[y], v);
            UNROLLED
            for (int x = 0; x < 6; x++) {
                store_and_prefetch(to, v[x], VEC_WIDTH);
                to += w->xi_stride;
            }
        }
    }
}

static void winograd_filter_slot(const struct winograd_filter *w)
{
    for (size_t k = 0; k < w->nr; k += VEC_WIDTH) {
        for (size_t c = 0; c < w->channels; c++) {
            const float *from = w->weights + c * 9 * w->nr + k;
            vec columns[6][3];
            UNROLLED
            for (size_t s = 0; s < 3; s++) {
                vec x[3], u[6];
                UNROLLED
                for (size_t r = 0; r < 3; r++) {
                    x[r] = vec_load(from + (r * 3 + s) * w->nr);
                }
                filter_line(x, u);
                UNROLLED
                for (size_t r = 0; r < 6; r++) {
                    columns[r][s] = u[r];
                }
            }
            float *to = w->u + c * w->nr + k;
            UNROLLED
            for (size_t r = 0; r < 6; r++) {
                vec u[6];
                filter_line(columns[r], u);
                UNROLLED
                for (size_t s = 0; s < 6; s++) {
                    store_and_prefetch(to, u[s], w->nr);
                    to += w->xi_stride;
                }
            }
        }
    }
}

static void winograd_output_slot(const struct winograd_output *w)
{
    size_t filters = (size_t)w->filters;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        size_t part = part_of(filters, k);
        vec scale = load_or(w->scale, k, part, 1.0f), shift = load_or(w->shift, k, part, 0.0f);
        vec columns[4][6];
        for (int x = 0; x < 6; x++) {
            vec m[6], y[4];
            UNROLLED
            for (int r = 0; r < 6; r++) {
                m[r] = vec_load(w->m + (size_t)(r * 6 + x) * w->xi_stride + k);
            }
            output_line(m, y);
            UNROLLED
            for (int r = 0; r < 4; r++) {
                columns[r][x] = y[r];
            }
        }
        for (int r = 0; r < w->rows; r++) {
            vec y[4];
            output_line(columns[r], y);
            UNROLLED
            for (int s = 0; s < 4; s++) {
                y[s] = vec_activate(vec_fma(y[s], scale, shift), w->act);
            }
            float *out = w->out + (size_t)r * w->row_stride + k;
            for (int s = 0; s < w->columns; s++) {
                float *to = out + (size_t)s * w->pixel_stride;
                put(to, w->adds ? vec_add(y[s], vec_load_part(to, part)) : y[s], part);
            }
        }
    }
}

/* The input channels behind filters k .. k + part, each `multiplier` times. */
static inline vec depthwise_spread(const float *pixel, size_t k, size_t part, size_t multiplier)
{
    float spread[VEC_WIDTH];
    for (size_t i = 0; i < part; i++) {
        spread[i] = pixel[(k + i) / multiplier];
    }
    return vec_load_part(spread, part);
}

enum { DEPTHWISE_PIXELS = 8 };

/* What a vector of filters reads: a whole vector of channels, a part of one, or repeated channels.
 */
enum depthwise_kind { DEPTHWISE_WHOLE, DEPTHWISE_PART, DEPTHWISE_SPREAD };

/* `count` neighbouring pixels of one vector of filters from k on. count and kind are constants
 * where this is inlined. */
INLINED void depthwise_pixels(const struct conv_depthwise *d, size_t first, const int count,
                              size_t k, const enum depthwise_kind kind)
{
    bool whole = kind == DEPTHWISE_WHOLE, spread = kind == DEPTHWISE_SPREAD;
    size_t part = whole ? VEC_WIDTH : part_of((size_t)d->filters, k), step = d->in_step;
    size_t filters = (size_t)d->filters, multiplier = (size_t)d->multiplier;
    vec acc[DEPTHWISE_PIXELS];
    UNROLLED
    for (int i = 0; i < count; i++) {
        acc[i] = vec_set(0.0f);
    }
    const float *row = d->in + first * step + (spread ? 0 : k), *weights = d->weights + k;
    for (int r = 0; r < d->rows; r++, row += d->in_row, weights += d->weight_row) {
        const float *pixel = row, *weight = weights;
        for (int s = 0; s < d->columns; s++, pixel += d->in_tap, weight += filters) {
            vec w = whole ? vec_load(weight) : vec_load_part(weight, part);
            const float *at = pixel;
            UNROLLED
            for (int i = 0; i < count; i++, at += step) {
                vec x = whole    ? vec_load(at)
                        : spread ? depthwise_spread(at, k, part, multiplier)
                                 : vec_load_part(at, part);
                acc[i] = vec_fma(x, w, acc[i]);
            }
        }
    }
    vec scale = load_or(d->scale, k, part, 1.0f), shift = load_or(d->shift, k, part, 0.0f);
    UNROLLED
    for (int i = 0; i < count; i++) {
        float *out = d->out + (first + (size_t)i) * d->out_stride + k;
        vec y = vec_activate(vec_fma(acc[i], scale, shift), d->act);
        put(out, d->adds ? vec_add(y, vec_load_part(out, part)) : y, part);
    }
}

/* All channels of a few pixels before the next ones: their windows overlap in L1. */
INLINED void depthwise_channels(const struct conv_depthwise *d, size_t first, const int count)
{
    size_t filters = (size_t)d->filters;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        if (d->multiplier > 1) {
            depthwise_pixels(d, first, count, k, DEPTHWISE_SPREAD);
        } else if (k + VEC_WIDTH <= filters) {
            depthwise_pixels(d, first, count, k, DEPTHWISE_WHOLE);
        } else {
            depthwise_pixels(d, first, count, k, DEPTHWISE_PART);
        }
    }
}

static void depthwise_slot(const struct conv_depthwise *d)
{
    size_t pixels = (size_t)d->pixels, i = 0;
    for (; i + DEPTHWISE_PIXELS <= pixels; i += DEPTHWISE_PIXELS) {
        depthwise_channels(d, i, DEPTHWISE_PIXELS);
    }
    for (; i + 2 <= pixels; i += 2) {
        depthwise_channels(d, i, 2);
    }
    for (; i < pixels; i++) {
        depthwise_channels(d, i, 1);
    }
}

#endif
