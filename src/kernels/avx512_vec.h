/* The vectors of the templates (vec_template.h) for AVX-512. */
#ifndef KERNELS_AVX512_VEC_H
#define KERNELS_AVX512_VEC_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

typedef __m512 vec;
typedef __m512d wide;
#define VEC_WIDTH 16

static inline __mmask16 part_mask(size_t count)
{
    return (__mmask16)((1u << count) - 1u);
}

static inline vec vec_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline vec vec_load_part(const float *p, size_t count)
{
    return _mm512_maskz_loadu_ps(part_mask(count), p);
}

static inline void vec_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}

static inline void vec_store_part(float *p, vec v, size_t count)
{
    _mm512_mask_storeu_ps(p, part_mask(count), v);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec vec_div(vec a, vec b)
{
    return _mm512_div_ps(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}

static inline vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

static inline vec vec_sqrt(vec v)
{
    return _mm512_sqrt_ps(v);
}

static inline vec vec_abs(vec v)
{
    return _mm512_abs_ps(v);
}

/* -|v|, a NaN stays one. */
static inline vec vec_minus_abs(vec v)
{
    return _mm512_or_ps(v, _mm512_set1_ps(-0.0f));
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec vec_if_greater(vec a, vec b, vec yes, vec no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), yes);
}

static inline vec vec_if_equal(vec a, vec b, vec yes, vec no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), yes);
}

static inline bool vec_any_equal(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ) != 0;
}

static inline wide wide_low(vec v)
{
    return _mm512_cvtps_pd(_mm512_castps512_ps256(v));
}

static inline wide wide_high(vec v)
{
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
}

static inline wide wide_load(const double *p)
{
    return _mm512_loadu_pd(p);
}

static inline void wide_store(double *p, wide w)
{
    _mm512_storeu_pd(p, w);
}

static inline wide wide_add(wide a, wide b)
{
    return _mm512_add_pd(a, b);
}

static inline wide wide_sub(wide a, wide b)
{
    return _mm512_sub_pd(a, b);
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return _mm512_fmadd_pd(a, b, c);
}

/* The first count lanes of v, the others of `other`. */
static inline vec vec_keep(vec v, size_t count, vec other)
{
    return _mm512_mask_mov_ps(other, part_mask(count), v);
}

static inline float vec_largest(vec v)
{
    return _mm512_reduce_max_ps(v);
}

static inline float vec_total(vec v)
{
    return _mm512_reduce_add_ps(v);
}

/* e^x for -105 <= x <= 89. */
static inline __m512 vec_exp_bounded(vec x)
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

#endif
