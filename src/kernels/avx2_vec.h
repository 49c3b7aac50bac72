/* The vectors of the templates (vec_template.h) for AVX2 + FMA. */
#ifndef KERNELS_AVX2_VEC_H
#define KERNELS_AVX2_VEC_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

typedef __m256 vec;
typedef __m256d wide;
#define VEC_WIDTH 8

static inline __m256i part_mask(size_t count)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane);
}

static inline vec vec_set(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline vec vec_load_part(const float *p, size_t count)
{
    return _mm256_maskload_ps(p, part_mask(count));
}

static inline void vec_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v);
}

static inline void vec_store_part(float *p, vec v, size_t count)
{
    _mm256_maskstore_ps(p, part_mask(count), v);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec vec_div(vec a, vec b)
{
    return _mm256_div_ps(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}

static inline vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

static inline vec vec_sqrt(vec v)
{
    return _mm256_sqrt_ps(v);
}

static inline vec vec_abs(vec v)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
}

/* -|v|, a NaN stays one. */
static inline vec vec_minus_abs(vec v)
{
    return _mm256_or_ps(v, _mm256_set1_ps(-0.0f));
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec vec_if_greater(vec a, vec b, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}

static inline vec vec_if_equal(vec a, vec b, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}

static inline bool vec_any_equal(vec a, vec b)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)) != 0;
}

static inline wide wide_low(vec v)
{
    return _mm256_cvtps_pd(_mm256_castps256_ps128(v));
}

static inline wide wide_high(vec v)
{
    return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
}

static inline wide wide_load(const double *p)
{
    return _mm256_loadu_pd(p);
}

static inline void wide_store(double *p, wide w)
{
    _mm256_storeu_pd(p, w);
}

static inline wide wide_add(wide a, wide b)
{
    return _mm256_add_pd(a, b);
}

static inline wide wide_sub(wide a, wide b)
{
    return _mm256_sub_pd(a, b);
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return _mm256_fmadd_pd(a, b, c);
}

/* The first count lanes of v, the others of `other`. */
static inline vec vec_keep(vec v, size_t count, vec other)
{
    return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(part_mask(count)));
}

static inline float vec_largest(vec v)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

static inline float vec_total(vec v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* e^x for -105 <= x <= 89. */
static inline __m256 vec_exp_bounded(vec x)
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

#endif
