/* What register tiles share: TILE_PIXELS pixels (4, 6 or 12, of the *_vec.h) by two vectors of filters. */
#ifndef KERNELS_TILE_TEMPLATE_H
#define KERNELS_TILE_TEMPLATE_H

#include "kernels/vec_template.h"

enum { TILE_FILTERS = 2 * VEC_WIDTH };

/* Between channels. A compiler that loads ahead of time what comes later takes registers from the sums (gcc 12: two of the twelve
 * of AVX2 lived in memory). */
#define LOADS_IN_ORDER __asm__ volatile("" : : : "memory")

/* acc[i][j] += sum over c of in[i][c] * panel[c][j], in this order; behind the panel. pixels and vectors are constants
 * where this is inlined, so that acc lives in registers. */
INLINED const float *tile_channels(vec acc[TILE_PIXELS][2], const float *const *in, size_t channels,
                                   const float *panel, const int pixels, const int vectors)
{
    for (size_t c = 0; c < channels; c++, panel += TILE_FILTERS) {
        vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            vec x = vec_set(in[i][c]);
            acc[i][0] = vec_fma(x, first, acc[i][0]);
            if (vectors > 1) {
                acc[i][1] = vec_fma(x, second, acc[i][1]);
            }
        }
        LOADS_IN_ORDER;
    }
    return panel;
}

#endif
