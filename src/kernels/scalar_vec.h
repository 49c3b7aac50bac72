/* The vectors of the templates (vec_template.h) for any machine: four floats as GCC and Clang spell
 * them, which become SSE2, NEON or plain scalar code. No fused multiply-add, so every machine gives
 * the same bits. */
#ifndef KERNELS_SCALAR_VEC_H
#define KERNELS_SCALAR_VEC_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernels/scalar_math.h"

typedef float vec __attribute__((vector_size(16)));
typedef double wide __attribute__((vector_size(16)));
#define VEC_WIDTH 4

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

static inline vec vec_if_greater(vec a, vec b, vec yes, vec no)
{
    for (int i = 0; i < VEC_WIDTH; i++) {
        no[i] = a[i] > b[i] ? yes[i] : no[i];
    }
    return no;
}

static inline vec vec_if_equal(vec a, vec b, vec yes, vec no)
{
    for (int i = 0; i < VEC_WIDTH; i++) {
        no[i] = a[i] == b[i] ? yes[i] : no[i];
    }
    return no;
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
