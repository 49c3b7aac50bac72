/* The training slots for AVX2 + FMA. */
#include <immintrin.h>
#include <math.h>

#include "kernels/avx2_math.h"
#include "kernels/slots.h"

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

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec vec_exp(vec v)
{
    return avx2_exp_bounded(v);
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

#include "kernels/train_template.h"

void train_install_avx2(struct train_slots *slots)
{
    *slots = train_slots;
}
