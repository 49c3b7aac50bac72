/* The vectors of int8_slots.c for AVX2, with AVX-VNNI where ISA_VNNI is 1. */
#ifndef KERNELS_AVX2_INT8_VEC_H
#define KERNELS_AVX2_INT8_VEC_H

#include <immintrin.h>
#include <string.h>

#define INT8_LANES 8
#define INT8_PIXELS 6
#define INT8_STORES_FOUR /* vectors at once, in ways of its own */
#include "kernels/int8_vec_template.h"

#if ISA_VNNI
static inline words dot_pairs(words sum, halves a, halves b)
{
    return (words)_mm256_dpwssd_avx_epi32((__m256i)sum, (__m256i)a, (__m256i)b);
}

static inline words dot_quads(words sum, words x, words weights)
{
    return (words)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)weights);
}
#else
static inline words dot_pairs(words sum, halves a, halves b)
{
    return sum + (words)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
#endif

static inline ints lanes_load(const uint8_t *p)
{
    return (ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

static inline void lanes_widen(const uint8_t *from, int16_t *to)
{
    __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)to, _mm_cvtepu8_epi16(v));
}

/* Of each word the low half is a's. */
static inline halves pairs_of(const uint8_t *a, const uint8_t *b)
{
    __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)a);
    __m128i high = _mm_loadl_epi64((const __m128i *)(const void *)b);
    return (halves)_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(low, high));
}

static inline ints nearest(floats x)
{
    return (ints)_mm256_cvtps_epi32((__m256)x);
}

static inline floats least(floats a, floats b)
{
    return (floats)_mm256_min_ps((__m256)a, (__m256)b);
}

static inline floats greatest(floats a, floats b)
{
    return (floats)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline void store_bytes(uint8_t *to, ints x, size_t count)
{
    __m256i v = (__m256i)x;
    __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    packed = _mm_packus_epi16(packed, packed);
    if (count >= INT8_LANES) {
        _mm_storel_epi64((__m128i *)(void *)to, packed);
    } else {
        memcpy(to, &packed, count);
    }
}

/* Vectors x0 .. x3 one after the other. */
static inline __m256i pack_four(const ints x[4])
{
    __m256i first = _mm256_packs_epi32((__m256i)x[0], (__m256i)x[1]);
    __m256i second = _mm256_packs_epi32((__m256i)x[2], (__m256i)x[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* Bytes 8 to 15, at any address: _mm_storeh_pd is for those of doubles. */
static inline void store_upper(uint8_t *to, __m128i v)
{
    int64_t upper = _mm_extract_epi64(v, 1);
    memcpy(to, &upper, sizeof upper);
}

static inline void store_four(uint8_t *to, size_t stride, const ints x[4])
{
    __m256i all = pack_four(x);
    __m128i low = _mm256_castsi256_si128(all), high = _mm256_extracti128_si256(all, 1);
    _mm_storel_epi64((__m128i *)(void *)to, low);
    store_upper(to + stride, low);
    _mm_storel_epi64((__m128i *)(void *)(to + 2 * stride), high);
    store_upper(to + 3 * stride, high);
}

static inline void store_twice_two(uint8_t *to, size_t stride, const ints x[4])
{
    __m256i all = pack_four(x);
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(all));
    _mm_storeu_si128((__m128i *)(void *)(to + stride), _mm256_extracti128_si256(all, 1));
}

#endif
