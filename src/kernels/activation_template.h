/* e^x and the fused activations over the vectors of vec_template.h, the same operations in the same
 * order for AVX2 and AVX-512, so that both give the same bits.
 *
 * vec_exp_bounded is 2^n exp(r) with n = x / ln 2 rounded to eighths, r = x - n ln 2 in two parts, 2^n by a table of its
 * eighths, and a minimax polynomial of degree 4 on |r| <= ln(2) / 16 (relative error 2e-9). Everything below is
 * within 4 ULP of the exact value, NaN in gives NaN out, a finite input gives a finite output.
 * Where e^x itself is denormal (x < -87.3) the bound is absolute: 2e-43. */
#ifndef KERNELS_ACTIVATION_TEMPLATE_H
#define KERNELS_ACTIVATION_TEMPLATE_H

#include "kernels/activation.h"
#include "kernels/vec_template.h"

#if ISA_BITS > 0 /* scalar_vec.h has functions of its own, lane by lane */

/* For every x: 0 below -104, infinite above 88.72. */
static inline vec vec_exp(vec x)
{
    x = vec_min(vec_set(89.0f), x);
    return vec_exp_bounded(vec_max(vec_set(-105.0f), x));
}

/* 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below: neither overflows nor cancels. */
static inline vec vec_logistic(vec x)
{
    vec one = vec_set(1.0f);
    vec t = vec_exp_bounded(vec_max(vec_set(-105.0f), vec_minus_abs(x)));
    return vec_div(vec_if_greater(vec_set(0.0f), x, t, one), vec_add(one, t));
}

/* x logistic(x). Below -105 the factor is 0; the bound on x keeps -inf from becoming NaN. */
static inline vec vec_swish(vec x)
{
    return vec_mul(vec_max(vec_set(-128.0f), x), vec_logistic(x));
}

/* tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); above 20 it is 1 in float. */
static inline vec vec_mish(vec x)
{
    vec low = vec_max(vec_set(-105.0f), x);
    vec e = vec_exp_bounded(vec_min(vec_set(20.0f), low));
    vec n = vec_fma(e, e, vec_add(e, e));
    return vec_mul(low, vec_div(n, vec_add(n, vec_set(2.0f))));
}

static inline vec vec_hard_mish(vec x)
{
    vec zero = vec_set(0.0f);
    vec y = vec_mul(x, vec_fma(x, vec_set(0.5f), vec_set(1.0f)));
    y = vec_if_greater(vec_set(-2.0f), x, zero, y);
    return vec_if_greater(x, zero, x, y);
}

/* act(x), act < ACT_FUSED_COUNT. */
static inline vec vec_activate(vec x, enum activation act)
{
    switch (act) {
    case ACT_LEAKY:
        return vec_max(vec_mul(x, vec_set(0.1f)), x);
    case ACT_RELU:
        return vec_max(vec_set(0.0f), x);
    case ACT_RELU6:
        return vec_min(vec_set(6.0f), vec_max(vec_set(0.0f), x));
    case ACT_LOGISTIC:
        return vec_logistic(x);
    case ACT_MISH:
        return vec_mish(x);
    case ACT_SWISH:
        return vec_swish(x);
    case ACT_HARD_MISH:
        return vec_hard_mish(x);
    default:
        return x;
    }
}

#endif

#endif
