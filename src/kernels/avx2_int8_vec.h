/* The vectors of int8_slots.c for AVX2, with AVX-VNNI where ISA_VNNI is 1. */
#ifndef KERNELS_AVX2_INT8_VEC_H
#define KERNELS_AVX2_INT8_VEC_H

#include <immintrin.h>
#include <string.h>

#define INT8_LANES 8
#define INT8_PIXELS 6
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

#endif
