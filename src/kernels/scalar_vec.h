/* The vectors of the templates (vec_template.h) for any machine: four floats as GCC and Clang spell
 * them, which become SSE2, NEON or plain scalar code. No fused multiply-add, so every machine gives
 * the same bits. */
#ifndef KERNELS_SCALAR_VEC_H
#define KERNELS_SCALAR_VEC_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernels/activation.h"

typedef float vec __attribute__((vector_size(16)));
typedef double wide __attribute__((vector_size(16)));
typedef int mask __attribute__((vector_size(16)));
#define VEC_WIDTH 4
#define TILE_PIXELS 4
#define TILE_VECTORS 2
#define VEC_FMA_SPREADS 0
#define IN_REGISTER(v) ((void)(v))

static inline vec vec_set(float x)
{
    return (vec){x, x, x, x};
}

static inline vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline vec vec_load_twice(const float *p)
{
    return (vec){p[0], p[1], p[0], p[1]};
}

static inline vec vec_load_part(const float *p, size_t count)
{
    vec v = vec_set(0.0f);
    memcpy(&v, p, count * sizeof *p);
    return v;
}

static inline void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline void vec_store_part(float *p, vec v, size_t count)
{
    memcpy(p, &v, count * sizeof *p);
}

static inline vec vec_add(vec a, vec b)
{
    return a + b;
}

static inline vec vec_load_four(const float *p)
{
    return vec_load(p);
}

static inline vec vec_load_four_part(const float *p, size_t count)
{
    return vec_load_part(p, count);
}

static inline vec vec_repeat(vec v, size_t count)
{
    return (vec){v[0], v[1 % count], v[0], v[1 % count]};
}

static inline vec vec_sum_fours(vec a, vec b, vec c, vec d)
{
    vec even = {a[0] + a[1], b[0] + b[1], c[0] + c[1], d[0] + d[1]};
    vec odd = {a[2] + a[3], b[2] + b[3], c[2] + c[3], d[2] + d[3]};
    return even + odd;
}

static inline vec vec_sub(vec a, vec b)
{
    return a - b;
}

static inline vec vec_mul(vec a, vec b)
{
    return a * b;
}

static inline vec vec_div(vec a, vec b)
{
    return a / b;
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return a * b + c;
}

/* A comparison's lanes are all ones or all zeros. */
static inline vec vec_choose(mask chosen, vec yes, vec no)
{
    return (vec)((chosen & (mask)yes) | (~chosen & (mask)no));
}

static inline vec vec_if_greater(vec a, vec b, vec yes, vec no)
{
    return vec_choose(a > b, yes, no);
}

static inline vec vec_if_equal(vec a, vec b, vec yes, vec no)
{
    return vec_choose(a == b, yes, no);
}

static inline bool vec_any_equal(vec a, vec b)
{
    return a[0] == b[0] || a[1] == b[1] || a[2] == b[2] || a[3] == b[3];
}

static inline vec vec_max(vec a, vec b)
{
    return vec_if_greater(a, b, a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return vec_if_greater(b, a, a, b);
}

static inline vec vec_abs(vec v)
{
    return (vec){fabsf(v[0]), fabsf(v[1]), fabsf(v[2]), fabsf(v[3])};
}

static inline vec vec_minus_abs(vec v)
{
    return (vec){-fabsf(v[0]), -fabsf(v[1]), -fabsf(v[2]), -fabsf(v[3])};
}

static inline vec vec_sqrt(vec v)
{
    return (vec){sqrtf(v[0]), sqrtf(v[1]), sqrtf(v[2]), sqrtf(v[3])};
}

static inline vec vec_exp_bounded(vec v)
{
    return (vec){expf(v[0]), expf(v[1]), expf(v[2]), expf(v[3])};
}

/* e^x for every x. */
static inline vec vec_exp(vec v)
{
    return vec_exp_bounded(v);
}

/* The first count lanes of v, the others of `other`. */
static inline vec vec_keep(vec v, size_t count, vec other)
{
    for (size_t i = count; i < VEC_WIDTH; i++) {
        v[i] = other[i];
    }
    return v;
}

static inline float vec_largest(vec v)
{
    float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
}

static inline float vec_total(vec v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

/* v[i][j] to v[j][i] */
static inline void vec_transpose(vec v[4])
{
    vec t[4] = {v[0], v[1], v[2], v[3]};
    for (int i = 0; i < 4; i++) {
        v[i] = (vec){t[0][i], t[1][i], t[2][i], t[3][i]};
    }
}

static inline wide wide_low(vec v)
{
    return (wide){(double)v[0], (double)v[1]};
}

static inline wide wide_high(vec v)
{
    return (wide){(double)v[2], (double)v[3]};
}

static inline wide wide_load(const double *p)
{
    wide w;
    memcpy(&w, p, sizeof w);
    return w;
}

static inline void wide_store(double *p, wide w)
{
    memcpy(p, &w, sizeof w);
}

static inline wide wide_add(wide a, wide b)
{
    return a + b;
}

static inline wide wide_sub(wide a, wide b)
{
    return a - b;
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return a * b + c;
}

/* ---- the fused activations of one float ---- */

/* Written as a maximum, which compilers turn into one instruction; the product of a branch they
 * keep. */
static inline float scalar_leaky(float x)
{
    float y = 0.1f * x;
    return y > x ? y : x;
}

static inline float scalar_relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

static inline float scalar_relu6(float x)
{
    return x > 6.0f ? 6.0f : scalar_relu(x);
}

static inline float scalar_logistic(float x)
{
    float t = expf(-fabsf(x));
    return (x < 0.0f ? t : 1.0f) / (1.0f + t);
}

/* n / (n + 2) is 1 in float from 20 on and 0 below -105, where the bound keeps -inf * 0 away. */
static inline float scalar_mish(float x)
{
    float e = expf(x > 20.0f ? 20.0f : x);
    float n = e * e + 2.0f * e;
    return (x < -105.0f ? -105.0f : x) * (n / (n + 2.0f));
}

static inline float scalar_swish(float x)
{
    return (x < -128.0f ? -128.0f : x) * scalar_logistic(x);
}

static inline float scalar_hard_mish(float x)
{
    float y = x * (0.5f * x + 1.0f);
    y = x <= -2.0f ? 0.0f : y;
    return x > 0.0f ? x : y;
}

static inline float scalar_activation(enum activation act, float x)
{
    switch (act) {
    case ACT_LEAKY:
        return scalar_leaky(x);
    case ACT_RELU:
        return scalar_relu(x);
    case ACT_RELU6:
        return scalar_relu6(x);
    case ACT_LOGISTIC:
        return scalar_logistic(x);
    case ACT_MISH:
        return scalar_mish(x);
    case ACT_SWISH:
        return scalar_swish(x);
    case ACT_HARD_MISH:
        return scalar_hard_mish(x);
    default:
        return x;
    }
}

/* act(v), act < ACT_FUSED_COUNT. */
static inline vec vec_activate(vec v, enum activation act)
{
    if (act == ACT_LINEAR) {
        return v;
    }
    for (int i = 0; i < VEC_WIDTH; i++) {
        v[i] = scalar_activation(act, v[i]);
    }
    return v;
}

#endif
