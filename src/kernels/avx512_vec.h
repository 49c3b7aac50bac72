/* The vectors of the templates (vec_template.h) for AVX-512. */
#ifndef KERNELS_AVX512_VEC_H
#define KERNELS_AVX512_VEC_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef __m512 vec;
typedef __m512d wide;
#define VEC_WIDTH 16
/* Ten loads for 24 multiply-adds: where hardware threads share a core's loads, 12 pixels by 2 vectors (14 loads) are slower
 * by a tenth. */
#define TILE_PIXELS 6
#define TILE_VECTORS 4
#define VEC_FMA_SPREADS 1
#define VEC_OP(op) _mm512_##op

static inline __mmask16 part_mask(size_t count)
{
    return (__mmask16)((1u << count) - 1u);
}

static inline vec vec_load_twice(const float *p)
{
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}

static inline vec vec_load_four(const float *p)
{
    return _mm512_broadcast_f32x4(_mm_loadu_ps(p));
}

static inline vec vec_load_four_part(const float *p, size_t count)
{
    return _mm512_broadcast_f32x4(_mm_maskz_loadu_ps((__mmask8)part_mask(count), p));
}

static inline vec vec_repeat(vec v, const size_t count)
{
    return count == 8 ? _mm512_shuffle_f32x4(v, v, 0x44) : _mm512_shuffle_f32x4(v, v, 0);
}

static inline vec vec_turn_fours(vec v)
{
    const __m512i from = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    return _mm512_permutexvar_ps(from, v);
}

static inline vec vec_load_part(const float *p, size_t count)
{
    return _mm512_maskz_loadu_ps(part_mask(count), p);
}

static inline void vec_store_part(float *p, vec v, size_t count)
{
    _mm512_mask_storeu_ps(p, part_mask(count), v);
}

static inline vec vec_abs(vec v)
{
    return _mm512_abs_ps(v);
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

/* The one of eight that a lane's last three bits count. */
static inline vec vec_pick(const float *table, vec bits)
{
    return _mm512_permutexvar_ps(_mm512_castps_si512(bits), vec_load_twice(table));
}

/* v 2^floor(n). */
static inline vec vec_times_power(vec v, vec n)
{
    return _mm512_scalef_ps(v, n);
}

/* Every other quarter of a and then of b, from the first or the second on. */
static inline vec vec_even_quarters(vec a, vec b)
{
    const __m512i from = _mm512_set_epi32(27, 26, 25, 24, 19, 18, 17, 16, 11, 10, 9, 8, 3, 2, 1, 0);
    return _mm512_permutex2var_ps(a, from, b);
}

static inline vec vec_odd_quarters(vec a, vec b)
{
    const __m512i from =
        _mm512_set_epi32(31, 30, 29, 28, 23, 22, 21, 20, 15, 14, 13, 12, 7, 6, 5, 4);
    return _mm512_permutex2var_ps(a, from, b);
}

/* v[i][j] to v[j][i]: fours of floats in each quarter, then the quarters. */
static inline void vec_transpose(vec v[16])
{
    vec t[16];
    for (int i = 0; i < 16; i += 4) {
        __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(v[i], v[i + 1]));
        __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(v[i], v[i + 1]));
        __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(v[i + 2], v[i + 3]));
        __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(v[i + 2], v[i + 3]));
        t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    for (int i = 0; i < 4; i++) {
        vec a = vec_even_quarters(t[i], t[i + 4]);
        vec b = vec_odd_quarters(t[i], t[i + 4]);
        vec c = vec_even_quarters(t[i + 8], t[i + 12]);
        vec d = vec_odd_quarters(t[i + 8], t[i + 12]);
        v[i] = vec_even_quarters(a, c);
        v[i + 4] = vec_even_quarters(b, d);
        v[i + 8] = vec_odd_quarters(a, c);
        v[i + 12] = vec_odd_quarters(b, d);
    }
}

#include "kernels/x86_template.h"

#endif
