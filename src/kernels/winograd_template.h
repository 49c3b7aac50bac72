/* Winograd's transforms of slots_conv.h over the vectors of vec_template.h. */
#ifndef KERNELS_WINOGRAD_TEMPLATE_H
#define KERNELS_WINOGRAD_TEMPLATE_H

#include "kernels/slots_conv.h"
#include "kernels/vec_template.h"

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

/* A y and G^T u: the weights' gradient. */
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

#endif
