/* exp and the fused activations on AVX-512 vectors; for avx512_*.c only. avx2_math.h does the same
 * operations in the same order, so both give the same bits.
 *
 * exp(x) = 2^n exp(r) with n = round(x / ln 2), r = x - n ln 2 in two parts, and a minimax
 * polynomial of degree 6 on |r| <= ln(2) / 2 (relative error 4e-9). Everything below is within 4
 * ULP of the exact value, NaN in gives NaN out, a finite input gives a finite output. Where e^x
 * itself is denormal (x < -87.3) the bound is absolute: 2e-43. */
#ifndef KERNELS_AVX512_MATH_H
#define KERNELS_AVX512_MATH_H

#include <immintrin.h>

#include "kernels/activation.h"

/* e^x for -105 <= x <= 89. */
static inline __m512 avx512_exp_bounded(__m512 x)
{
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269502f)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693147182f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-1.90465432e-09f), r);
    __m512 p = _mm512_set1_ps(0.00138145406f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.00836874545f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.041668389f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.166665211f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.49999994f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* e^x for every x: 0 below -104, infinite above 88.72. min and max return their second operand if
 * one is NaN. */
static inline __m512 avx512_exp(__m512 x)
{
    x = _mm512_min_ps(_mm512_set1_ps(89.0f), x);
    return avx512_exp_bounded(_mm512_max_ps(_mm512_set1_ps(-105.0f), x));
}

/* 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below: neither overflows nor cancels. */
static inline __m512 avx512_logistic(__m512 x)
{
    __m512 minus_abs = _mm512_or_ps(x, _mm512_set1_ps(-0.0f));
    __m512 t = avx512_exp_bounded(_mm512_max_ps(_mm512_set1_ps(-105.0f), minus_abs));
    __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    __m512 one = _mm512_set1_ps(1.0f);
    return _mm512_div_ps(_mm512_mask_mov_ps(one, negative, t), _mm512_add_ps(one, t));
}

/* x logistic(x). Below -105 the factor is 0; the bound on x keeps -inf from becoming NaN. */
static inline __m512 avx512_swish(__m512 x)
{
    __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-128.0f), x);
    return _mm512_mul_ps(bounded, avx512_logistic(x));
}

/* tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); above 20 it is 1 in float. */
static inline __m512 avx512_mish(__m512 x)
{
    __m512 two = _mm512_set1_ps(2.0f);
    __m512 low = _mm512_max_ps(_mm512_set1_ps(-105.0f), x);
    __m512 e = avx512_exp_bounded(_mm512_min_ps(_mm512_set1_ps(20.0f), low));
    __m512 n = _mm512_fmadd_ps(e, e, _mm512_add_ps(e, e));
    return _mm512_mul_ps(low, _mm512_div_ps(n, _mm512_add_ps(n, two)));
}

static inline __m512 avx512_hard_mish(__m512 x)
{
    __m512 half = _mm512_set1_ps(0.5f);
    __m512 one = _mm512_set1_ps(1.0f);
    __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    __mmask16 zero = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-2.0f), _CMP_LE_OQ);
    __m512 y = _mm512_mul_ps(x, _mm512_fmadd_ps(x, half, one));
    y = _mm512_mask_mov_ps(y, zero, _mm512_setzero_ps());
    return _mm512_mask_mov_ps(y, positive, x);
}

/* act(x) for the fused activations (act < ACT_FUSED_COUNT). */
static inline __m512 avx512_activate(__m512 x, enum activation act)
{
    switch (act) {
    case ACT_LEAKY:
        return _mm512_max_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.1f)), x);
    case ACT_RELU:
        return _mm512_max_ps(_mm512_setzero_ps(), x);
    case ACT_RELU6:
        return _mm512_min_ps(_mm512_set1_ps(6.0f), _mm512_max_ps(_mm512_setzero_ps(), x));
    case ACT_LOGISTIC:
        return avx512_logistic(x);
    case ACT_MISH:
        return avx512_mish(x);
    case ACT_SWISH:
        return avx512_swish(x);
    case ACT_HARD_MISH:
        return avx512_hard_mish(x);
    default:
        return x;
    }
}

#endif
