/* The vectors of int8_slots.c for AVX-512, with VNNI where ISA_VNNI is 1. */
#ifndef KERNELS_AVX512_INT8_VEC_H
#define KERNELS_AVX512_INT8_VEC_H

#include <immintrin.h>
#include <string.h>

#define INT8_LANES 16
#define INT8_PIXELS 12
#include "kernels/int8_vec_template.h"

#if ISA_VNNI
static inline words dot_pairs(words sum, halves a, halves b)
{
    return (words)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

static inline words dot_quads(words sum, words x, words weights)
{
    return (words)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)weights);
}
#else
static inline words dot_pairs(words sum, halves a, halves b)
{
    return sum + (words)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}
#endif

static inline ints lanes_load(const uint8_t *p)
{
    lane_bytes v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, ints);
}

static inline void lanes_widen(const uint8_t *from, int16_t *to)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_cvtepu8_epi16(v));
}

/* Of each word the low half is a's. */
static inline halves pairs_of(const uint8_t *a, const uint8_t *b)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)a);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)b);
    __m256i pairs = _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
    return __builtin_convertvector((bytes)pairs, halves);
}

static inline ints nearest(floats x)
{
    return (ints)_mm512_cvtps_epi32((__m512)x);
}

static inline floats least(floats a, floats b)
{
    return (floats)_mm512_min_ps((__m512)a, (__m512)b);
}

static inline floats greatest(floats a, floats b)
{
    return (floats)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline void store_bytes(uint8_t *to, ints x, size_t count)
{
    __m128i packed = _mm512_cvtepi32_epi8((__m512i)x);
    if (count >= INT8_LANES) {
        _mm_storeu_si128((__m128i *)(void *)to, packed);
    } else {
        memcpy(to, &packed, count);
    }
}

#endif
