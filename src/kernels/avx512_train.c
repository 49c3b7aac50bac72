/* The training slots for AVX-512. */
#include <immintrin.h>
#include <math.h>

#include "kernels/avx512_math.h"
#include "kernels/slots.h"

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

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec vec_exp(vec v)
{
    return avx512_exp_bounded(v);
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

#include "kernels/train_template.h"

void train_install_avx512(struct train_slots *slots)
{
    *slots = train_slots;
}
