/* exp and the fused activations on AVX2 vectors; for avx2_*.c only. The method, the bounds and the
 * bits are those of avx512_math.h. */
#ifndef KERNELS_AVX2_MATH_H
#define KERNELS_AVX2_MATH_H

#include <immintrin.h>

#include "kernels/activation.h"

/* e^x for -105 <= x <= 89. */
static inline __m256 avx2_exp_bounded(__m256 x)
{
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269502f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693147182f), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-1.90465432e-09f), r);
    __m256 p = _mm256_set1_ps(0.00138145406f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.00836874545f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.041668389f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.166665211f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.49999994f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    /* 2^n in two factors: n goes beyond the exponents of a normal float at both ends. */
    __m256i whole = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(whole, 1);
    __m256i bias = _mm256_set1_epi32(127);
    __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i high = _mm256_add_epi32(_mm256_sub_epi32(whole, half), bias);
    high = _mm256_slli_epi32(high, 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high));
}

/* e^x for every x: 0 below -104, infinite above 88.72. min and max return their second operand if
 * one is NaN. */
static inline __m256 avx2_exp(__m256 x)
{
    x = _mm256_min_ps(_mm256_set1_ps(89.0f), x);
    return avx2_exp_bounded(_mm256_max_ps(_mm256_set1_ps(-105.0f), x));
}

/* 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below: neither overflows nor cancels. */
static inline __m256 avx2_logistic(__m256 x)
{
    __m256 minus_abs = _mm256_or_ps(x, _mm256_set1_ps(-0.0f));
    __m256 t = avx2_exp_bounded(_mm256_max_ps(_mm256_set1_ps(-105.0f), minus_abs));
    __m256 negative = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    __m256 one = _mm256_set1_ps(1.0f);
    return _mm256_div_ps(_mm256_blendv_ps(one, t, negative), _mm256_add_ps(one, t));
}

/* x logistic(x). Below -105 the factor is 0; the bound on x keeps -inf from becoming NaN. */
static inline __m256 avx2_swish(__m256 x)
{
    __m256 bounded = _mm256_max_ps(_mm256_set1_ps(-128.0f), x);
    return _mm256_mul_ps(bounded, avx2_logistic(x));
}

/* tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); above 20 it is 1 in float. */
static inline __m256 avx2_mish(__m256 x)
{
    __m256 two = _mm256_set1_ps(2.0f);
    __m256 low = _mm256_max_ps(_mm256_set1_ps(-105.0f), x);
    __m256 e = avx2_exp_bounded(_mm256_min_ps(_mm256_set1_ps(20.0f), low));
    __m256 n = _mm256_fmadd_ps(e, e, _mm256_add_ps(e, e));
    return _mm256_mul_ps(low, _mm256_div_ps(n, _mm256_add_ps(n, two)));
}

static inline __m256 avx2_hard_mish(__m256 x)
{
    __m256 half = _mm256_set1_ps(0.5f);
    __m256 one = _mm256_set1_ps(1.0f);
    __m256 positive = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ);
    __m256 zero = _mm256_cmp_ps(x, _mm256_set1_ps(-2.0f), _CMP_LE_OQ);
    __m256 y = _mm256_mul_ps(x, _mm256_fmadd_ps(x, half, one));
    y = _mm256_blendv_ps(y, _mm256_setzero_ps(), zero);
    return _mm256_blendv_ps(y, x, positive);
}

/* act(x) for the fused activations (act < ACT_FUSED_COUNT). */
static inline __m256 avx2_activate(__m256 x, enum activation act)
{
    switch (act) {
    case ACT_LEAKY:
        return _mm256_max_ps(_mm256_mul_ps(x, _mm256_set1_ps(0.1f)), x);
    case ACT_RELU:
        return _mm256_max_ps(_mm256_setzero_ps(), x);
    case ACT_RELU6:
        return _mm256_min_ps(_mm256_set1_ps(6.0f), _mm256_max_ps(_mm256_setzero_ps(), x));
    case ACT_LOGISTIC:
        return avx2_logistic(x);
    case ACT_MISH:
        return avx2_mish(x);
    case ACT_SWISH:
        return avx2_swish(x);
    case ACT_HARD_MISH:
        return avx2_hard_mish(x);
    default:
        return x;
    }
}

#endif
