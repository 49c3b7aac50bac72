/* What register tiles share: TILE_PIXELS pixels by TILE_VECTORS vectors of filters (of the *_vec.h), or PAIR_PIXELS by two. */
#ifndef KERNELS_TILE_TEMPLATE_H
#define KERNELS_TILE_TEMPLATE_H

#include "kernels/vec_template.h"

enum {
    TILE_FILTERS = TILE_VECTORS * VEC_WIDTH,
    TILE_SUMS = TILE_PIXELS * TILE_VECTORS,
    PAIR_PIXELS = TILE_SUMS / 2
};

#define UP_TO_4(X) X(1) X(2) X(3) X(4)
#define UP_TO_6(X) UP_TO_4(X) X(5) X(6)
#define UP_TO_8(X) UP_TO_6(X) X(7) X(8)
#define UP_TO_12(X) UP_TO_8(X) X(9) X(10) X(11) X(12)
#if TILE_VECTORS == 4
#define UP_TO_PAIR_PIXELS UP_TO_12
#elif TILE_PIXELS == 6
#define UP_TO_PAIR_PIXELS UP_TO_6
#else
#define UP_TO_PAIR_PIXELS UP_TO_4
#endif

/* Between channels. A compiler that loads ahead of time what comes later takes registers from the sums (gcc 12: two of the twelve
 * of AVX2 lived in memory). */
#define LOADS_IN_ORDER __asm__ volatile("" : : : "memory")

/* The compiler forgets what it knows of a value in a register. */
#define FORGET(x) __asm__("" : "+r"(x))

/* Channels between which pointers stand still: what is read lies at a constant from them. */
enum { TILE_STEPS = 4 };

INLINED const float *tile_steps(vec *acc, const float **in, const float *panel, const int steps,
                                const int pixels, const int vectors)
{
    UNROLLED
    for (int c = 0; c < steps; c++, panel += vectors * VEC_WIDTH) {
        vec w[TILE_VECTORS];
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            w[j] = vec_load(panel + j * VEC_WIDTH);
        }
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            vec x = vec_set(in[i][c]);
            UNROLLED
            for (int j = 0; j < vectors; j++) {
                acc[i * vectors + j] = vec_fma(x, w[j], acc[i * vectors + j]);
            }
        }
        LOADS_IN_ORDER;
    }
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        in[i] += steps;
        FORGET(in[i]);
    }
    return panel;
}

/* acc[i * vectors + j] += sum over c of in[i][c] * panel[c][j], in this order; behind the panel, as are the pointers. pixels and
 * vectors are constants where this is inlined, so that acc lives in registers. */
INLINED const float *tile_channels(vec *acc, const float **in, size_t channels, const float *panel,
                                   const int pixels, const int vectors)
{
    for (; channels >= TILE_STEPS; channels -= TILE_STEPS) {
        panel = tile_steps(acc, in, panel, TILE_STEPS, pixels, vectors);
    }
    FORGET(channels); /* or this loop is unrolled, too, and pointers live in memory */
    for (; channels > 1; channels--) {
        panel = tile_steps(acc, in, panel, 1, pixels, vectors);
    }
    return channels > 0 ? tile_steps(acc, in, panel, 1, pixels, vectors) : panel;
}

#endif
