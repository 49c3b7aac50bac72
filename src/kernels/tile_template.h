/* The register tile of slots_conv.h over the vectors of vec_template.h: TILE_PIXELS pixels (4, 6 or
 * 12, a macro of the includer) by TILE_FILTERS filters, two vectors; and the table of all slots of
 * slots_conv.h.
 */
#ifndef KERNELS_TILE_TEMPLATE_H
#define KERNELS_TILE_TEMPLATE_H

#include "kernels/conv_template.h"
#include "kernels/wgrad_template.h"

/* pixels and vectors are constants where this is inlined, so that acc lives in registers. */
INLINED void tile(const struct conv_tile *t, const int pixels, const int vectors)
{
    vec acc[TILE_PIXELS][2];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        for (int j = 0; j < vectors; j++) {
            acc[i][j] = t->accumulate ? vec_load(t->acc + (size_t)i * t->acc_stride + j * VEC_WIDTH)
                                      : vec_set(0.0f);
        }
    }
    const float *panel = t->panel;
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *in[TILE_PIXELS];
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] = t->in[tap * TILE_PIXELS + (size_t)i] + t->offset;
        }
        for (size_t c = 0; c < t->channels; c++) {
            vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
            UNROLLED
            for (int i = 0; i < pixels; i++) {
                vec x = vec_set(in[i][c]);
                acc[i][0] = vec_fma(x, first, acc[i][0]);
                if (vectors > 1) {
                    acc[i][1] = vec_fma(x, second, acc[i][1]);
                }
            }
            panel += TILE_FILTERS;
        }
    }
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        for (int j = 0; j < vectors; j++) {
            vec_store(t->acc + (size_t)i * t->acc_stride + j * VEC_WIDTH, acc[i][j]);
        }
    }
}

#define TILES(pixels)                                                                              \
    static void tile_##pixels##x1(const struct conv_tile *t)                                       \
    {                                                                                              \
        tile(t, pixels, 1);                                                                        \
    }                                                                                              \
    static void tile_##pixels##x2(const struct conv_tile *t)                                       \
    {                                                                                              \
        tile(t, pixels, 2);                                                                        \
    }
TILES(1)
TILES(2)
TILES(3)
TILES(4)
#if TILE_PIXELS >= 6
TILES(5)
TILES(6)
#endif
#if TILE_PIXELS >= 12
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)
#endif

static void tile_slot(const struct conv_tile *t)
{
    static void (*const tiles[TILE_PIXELS][2])(const struct conv_tile *) = {
        {tile_1x1, tile_1x2},
        {tile_2x1, tile_2x2},
        {tile_3x1, tile_3x2},
        {tile_4x1, tile_4x2},
#if TILE_PIXELS >= 6
        {tile_5x1, tile_5x2},
        {tile_6x1, tile_6x2},
#endif
#if TILE_PIXELS >= 12
        {tile_7x1, tile_7x2},
        {tile_8x1, tile_8x2},
        {tile_9x1, tile_9x2},
        {tile_10x1, tile_10x2},
        {tile_11x1, tile_11x2},
        {tile_12x1, tile_12x2},
#endif
    };
    tiles[t->pixels - 1][t->filters > VEC_WIDTH](t);
}

static void conv_install(struct conv_slots *slots)
{
    *slots = (struct conv_slots){.mr = TILE_PIXELS,
                                 .nr = TILE_FILTERS,
                                 .tile = tile_slot,
                                 .finish = finish_slot,
                                 .winograd_input = winograd_input_slot,
                                 .winograd_filter = winograd_filter_slot,
                                 .winograd_output = winograd_output_slot,
                                 .depthwise = depthwise_slot,
                                 .outer = outer_slot,
                                 .winograd_output_gradient = winograd_output_gradient_slot,
                                 .winograd_filter_gradient = winograd_filter_gradient_slot,
                                 .depthwise_weights = depthwise_weights_slot};
}

#endif
