/* The vectors of int8_slots.c for any machine, and the truth for the others: lane by lane. */
#ifndef KERNELS_SCALAR_INT8_VEC_H
#define KERNELS_SCALAR_INT8_VEC_H

#include <math.h>
#include <string.h>

#define INT8_LANES 4
#define INT8_PIXELS 4
#include "kernels/int8_vec_template.h"

static inline words dot_pairs(words sum, halves a, halves b)
{
    for (int i = 0; i < INT8_LANES; i++) {
        sum[i] += (uint32_t)(a[2 * i] * b[2 * i]) + (uint32_t)(a[2 * i + 1] * b[2 * i + 1]);
    }
    return sum;
}

static inline ints lanes_load(const uint8_t *p)
{
    ints v = {0};
    for (int i = 0; i < INT8_LANES; i++) {
        v[i] = p[i];
    }
    return v;
}

static inline void lanes_widen(const uint8_t *from, int16_t *to)
{
    for (int i = 0; i < INT8_LANES; i++) {
        to[i] = from[i];
    }
}

/* Of each word the low half is a's. */
static inline halves pairs_of(const uint8_t *a, const uint8_t *b)
{
    words pairs = {0};
    for (int i = 0; i < INT8_LANES; i++) {
        pairs[i] = a[i] | (uint32_t)b[i] << 16;
    }
    return (halves)pairs;
}

static inline ints nearest(floats x)
{
    ints n = {0};
    for (int i = 0; i < INT8_LANES; i++) {
        n[i] = (int32_t)lrintf(x[i]);
    }
    return n;
}

static inline floats least(floats a, floats b)
{
    ints is_less = a < b;
    return (floats)((is_less & (ints)a) | (~is_less & (ints)b));
}

static inline floats greatest(floats a, floats b)
{
    ints is_more = a > b;
    return (floats)((is_more & (ints)a) | (~is_more & (ints)b));
}

static inline void store_bytes(uint8_t *to, ints x, size_t count)
{
    for (size_t i = 0; i < INT8_LANES && i < count; i++) {
        to[i] = (uint8_t)x[i];
    }
}

#endif
