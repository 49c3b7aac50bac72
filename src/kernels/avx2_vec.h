/* The vectors of the templates (vec_template.h) for AVX2 + FMA. */
#ifndef KERNELS_AVX2_VEC_H
#define KERNELS_AVX2_VEC_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef __m256 vec;
typedef __m256d wide;
#define VEC_WIDTH 8
#define TILE_PIXELS 6 /* by 2 vectors: 12 of the 16 registers */
#define TILE_VECTORS 2
#define VEC_FMA_SPREADS 0
#define VEC_OP(op) _mm256_##op

static inline __m256i part_mask(size_t count)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane);
}

static inline vec vec_load_twice(const float *p)
{
    return _mm256_broadcast_ps((const __m128 *)p);
}

static inline vec vec_load_four(const float *p)
{
    return _mm256_broadcast_ps((const __m128 *)p);
}

static inline vec vec_load_four_part(const float *p, size_t count)
{
    __m128 four = _mm_maskload_ps(p, _mm256_castsi256_si128(part_mask(count)));
    return _mm256_set_m128(four, four);
}

static inline vec vec_repeat(vec v, const size_t count)
{
    __m256d pairs = _mm256_castps_pd(v);
    pairs = count == 4 ? _mm256_permute4x64_pd(pairs, 0x44) : _mm256_permute4x64_pd(pairs, 0);
    return _mm256_castpd_ps(pairs);
}

static inline vec vec_turn_fours(vec v)
{
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline vec vec_load_part(const float *p, size_t count)
{
    return _mm256_maskload_ps(p, part_mask(count));
}

/* count < 8. A masked store takes long on some processors (Zen). */
static inline void vec_store_part(float *p, vec v, size_t count)
{
    __m128 half = _mm256_castps256_ps128(v);
    if (count & 4) {
        _mm_storeu_ps(p, half);
        half = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (count & 2) {
        _mm_storel_pi((__m64 *)(void *)p, half);
        half = _mm_movehl_ps(half, half);
        p += 2;
    }
    if (count & 1) {
        _mm_store_ss(p, half);
    }
}

static inline vec vec_abs(vec v)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
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

/* The one of eight that a lane's last three bits count. */
static inline vec vec_pick(const float *table, vec bits)
{
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), _mm256_castps_si256(bits));
}

/* v 2^floor(n), in two factors: it goes beyond the exponents of a normal float at both ends. */
static inline vec vec_times_power(vec v, vec n)
{
    __m256i whole = _mm256_cvtps_epi32(_mm256_floor_ps(n));
    __m256i half = _mm256_srai_epi32(whole, 1);
    __m256i bias = _mm256_set1_epi32(127);
    __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i high = _mm256_add_epi32(_mm256_sub_epi32(whole, half), bias);
    high = _mm256_slli_epi32(high, 23);
    return _mm256_mul_ps(_mm256_mul_ps(v, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high));
}

/* v[i][j] to v[j][i]: fours of floats in each half, then the halves. */
static inline void vec_transpose(vec v[8])
{
    vec t[8];
    for (int i = 0; i < 8; i += 4) {
        __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(v[i], v[i + 1]));
        __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(v[i], v[i + 1]));
        __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(v[i + 2], v[i + 3]));
        __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(v[i + 2], v[i + 3]));
        t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
        t[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
        t[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
        t[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}

#include "kernels/x86_template.h"

#endif
