/* Vectors. The *_slots.c are written once over a vector type and compiled once an instruction set (isa.h). A *_vec.h
 * for each defines vec, VEC_WIDTH floats, TILE_PIXELS and TILE_VECTORS (tile_template.h), VEC_FMA_SPREADS (1 where
 * vec_fma(vec_set(*p), b, c) is one instruction), IN_REGISTER(v) (v is loaded before it is used), and vec_set(x), vec_load(p), vec_load_part(p, count),
 * vec_load_twice(p) (half a vector, in both halves), vec_load_four(p), vec_load_four_part(p, count) (four floats, or some and zeros, again and
 * again), vec_sum_fours(a, b, c, d) (the sums of a's fours, then of b's, c's and d's), vec_repeat(v, count) (the first lanes, half or a quarter
 * of them, again and again), vec_store(p, v), vec_store_part(p, v, count), vec_add, vec_sub,
 * vec_mul, vec_div, vec_min, vec_max (b if one is NaN), vec_sqrt, vec_abs, vec_minus_abs, vec_fma(a, b, c) = a * b + c,
 * vec_exp_bounded(v) = e^v for -105 <= v <= 89, vec_if_greater(a, b, yes, no), vec_if_equal(a, b, yes, no),
 * vec_any_equal(a, b); vec_keep(v, count, other): the first lanes of v, the others of `other`; vec_largest(v),
 * vec_total(v): of all lanes; vec_transpose(v) of VEC_WIDTH vectors; wide, VEC_WIDTH / 2 doubles, and wide_low(v),
 * wide_high(v): the halves of a vec; wide_load(p), wide_store(p, w), wide_add, wide_sub, wide_fma(a, b, c). Then it or activation_template.h gives
 * vec_exp(v) = e^v for every v, and vec_activate(v, act) = act(v), act < ACT_FUSED_COUNT. Everything is static: each
 * set gets its own copy, compiled with its own flags. */
#ifndef KERNELS_VEC_TEMPLATE_H
#define KERNELS_VEC_TEMPLATE_H

#include "kernels/isa.h"
#include "kernels/template.h"

#if ISA_BITS == 512
#include "kernels/avx512_vec.h"
#elif ISA_BITS == 256
#include "kernels/avx2_vec.h"
#else
#include "kernels/scalar_vec.h"
#endif

/* The vector at `at` of a run of count floats has this many, the last one perhaps fewer than
 * VEC_WIDTH. */
INLINED size_t part_of(size_t count, size_t at)
{
    size_t left = count - at;
    return left < VEC_WIDTH ? left : VEC_WIDTH;
}

/* Partial loads and stores are slow on some machines: whole vectors go the plain way. */
INLINED vec get(const float *p, size_t part)
{
    return part == VEC_WIDTH ? vec_load(p) : vec_load_part(p, part);
}

INLINED void put(float *p, vec v, size_t part)
{
    if (part == VEC_WIDTH) {
        vec_store(p, v);
    } else {
        vec_store_part(p, v, part);
    }
}

INLINED vec load_or(const float *p, size_t at, size_t part, float otherwise)
{
    return p ? get(p + at, part) : vec_set(otherwise);
}

/* Asked for while what lies so far before it in memory is computed: else each vector of a tensor from L3 or from memory waits. */
enum { BLOCK_AHEAD_FLOATS = 2048 };

/* out of a block of slots_ops.h, vector by vector, is `value` of the same `part` lanes of its a and b from channel c on. */
#define EACH_VECTOR(block, value)                                                                  \
    for (size_t p = 0; p < (block)->pixels; p++) {                                                 \
        float *const out = (block)->out + p * (block)->out_stride;                                 \
        const float *const a = (block)->a + p * (block)->a_stride;                                 \
        const float *const b = (block)->b ? (block)->b + p * (block)->b_stride : a;                \
        size_t c = 0;                                                                              \
        for (; c + VEC_WIDTH <= (block)->channels; c += VEC_WIDTH) {                               \
            const size_t part = VEC_WIDTH;                                                         \
            __builtin_prefetch(a + c + BLOCK_AHEAD_FLOATS);                                        \
            __builtin_prefetch(b + c + BLOCK_AHEAD_FLOATS);                                        \
            __builtin_prefetch(out + c + BLOCK_AHEAD_FLOATS, 1);                                   \
            put(out + c, value, part);                                                             \
        }                                                                                          \
        if (c < (block)->channels) {                                                               \
            const size_t part = (block)->channels - c;                                             \
            put(out + c, value, part);                                                             \
        }                                                                                          \
    }
#define VECTOR_A(block) get(a + c, part)
#define VECTOR_B(block) get(b + c, part)

/* x * scale + shift of the channels from `at` on; NULL stands for 1 and 0, both for x itself. */
INLINED vec affine(vec x, const float *scale, const float *shift, size_t at, size_t part)
{
    if (!scale && !shift) {
        return x;
    }
    return vec_fma(x, load_or(scale, at, part, 1.0f), load_or(shift, at, part, 0.0f));
}

#endif
