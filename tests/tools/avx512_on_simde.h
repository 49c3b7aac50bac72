/* AVX-512 intrinsics on a machine with AVX2, by SIMDe, and the few that its version 0.7 lacks: `make VARIANT=simde` includes
 * this before src/kernels/*_slots.c. Slow, but every lane, mask and order of summation is as on the real thing. */
#ifndef AVX512_ON_SIMDE_H
#define AVX512_ON_SIMDE_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <math.h>
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

static inline simde__m512d emulated_cvtps_pd(simde__m256 v)
{
    simde__m256_private from = simde__m256_to_private(v);
    simde__m512d_private to;
    for (int i = 0; i < 8; i++) {
        to.f64[i] = (double)from.f32[i];
    }
    return simde__m512d_from_private(to);
}

static inline simde__m256 emulated_half(simde__m512 v, int half)
{
    return simde__m512_to_private(v).m256[half];
}

static inline simde__m512 emulated_maskz_load(simde__mmask16 mask, const float *p)
{
    simde__m512_private to;
    for (int i = 0; i < 16; i++) {
        to.f32[i] = mask >> i & 1 ? p[i] : 0.0f;
    }
    return simde__m512_from_private(to);
}

static inline void emulated_mask_store(float *p, simde__mmask16 mask, simde__m512 v)
{
    simde__m512_private from = simde__m512_to_private(v);
    for (int i = 0; i < 16; i++) {
        if (mask >> i & 1) {
            p[i] = from.f32[i];
        }
    }
}

/* Halves upon halves, as compilers do it. */
static inline float emulated_reduce_add(simde__m512 v)
{
    simde__m512_private sum = simde__m512_to_private(v);
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            sum.f32[i] += sum.f32[i + half];
        }
    }
    return sum.f32[0];
}

static inline float emulated_reduce_max(simde__m512 v)
{
    simde__m512_private from = simde__m512_to_private(v);
    float largest = from.f32[0];
    for (int i = 1; i < 16; i++) {
        largest = from.f32[i] > largest ? from.f32[i] : largest;
    }
    return largest;
}

#undef _mm512_cvtps_pd
#define _mm512_cvtps_pd emulated_cvtps_pd
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps emulated_half
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps emulated_maskz_load
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps emulated_mask_store
#undef _mm512_reduce_add_ps
#define _mm512_reduce_add_ps emulated_reduce_add
#undef _mm512_reduce_max_ps
#define _mm512_reduce_max_ps emulated_reduce_max

/* SIMDe 0.7 names the masked form so. */
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_mm512_madd_epi16

static inline simde__m512i emulated_cvtps_epi32(simde__m512 v)
{
    simde__m512_private from = simde__m512_to_private(v);
    simde__m512i_private to;
    for (int i = 0; i < 16; i++) {
        to.i32[i] = (int32_t)lrintf(from.f32[i]);
    }
    return simde__m512i_from_private(to);
}

static inline simde__m128i emulated_cvtepi32_epi8(simde__m512i v)
{
    simde__m512i_private from = simde__m512i_to_private(v);
    simde__m128i_private to;
    for (int i = 0; i < 16; i++) {
        to.i8[i] = (int8_t)from.i32[i];
    }
    return simde__m128i_from_private(to);
}

#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8

#endif
