/* Register tile and channel-wise slots for AVX-512: 12 pixels x 32 filters in 24 accumulators,
 * leaving two registers for the panel's row and some for the broadcast pixels. */
#include <immintrin.h>

#include "kernels/avx512_math.h"
#include "kernels/slots.h"

typedef __m512 vec;
#define VEC_WIDTH 16

static inline __mmask16 part_mask(size_t count)
{
    return (__mmask16)((1u << count) - 1u);
}

static inline vec vec_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline vec vec_load_part(const float *p, size_t count)
{
    return _mm512_maskz_loadu_ps(part_mask(count), p);
}

static inline void vec_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}

static inline void vec_store_part(float *p, vec v, size_t count)
{
    if (count == VEC_WIDTH) {
        _mm512_storeu_ps(p, v);
    } else {
        _mm512_mask_storeu_ps(p, part_mask(count), v);
    }
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec vec_activate(vec v, enum activation act)
{
    return avx512_activate(v, act);
}

#include "kernels/conv_template.h"

enum { TILE_PIXELS = 12, TILE_FILTERS = 32 };

#define OUTER_MAX_ROWS 12
#include "kernels/wgrad_template.h"

/* pixels and vectors are constants where this is inlined, so that acc lives in registers. */
static inline __attribute__((always_inline)) void tile(const struct conv_tile *t, const int pixels,
                                                       const int vectors)
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
TILES(5)
TILES(6)
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)

static void tile_slot(const struct conv_tile *t)
{
    static void (*const tiles[TILE_PIXELS][2])(const struct conv_tile *) = {
        {tile_1x1, tile_1x2},   {tile_2x1, tile_2x2},   {tile_3x1, tile_3x2},
        {tile_4x1, tile_4x2},   {tile_5x1, tile_5x2},   {tile_6x1, tile_6x2},
        {tile_7x1, tile_7x2},   {tile_8x1, tile_8x2},   {tile_9x1, tile_9x2},
        {tile_10x1, tile_10x2}, {tile_11x1, tile_11x2}, {tile_12x1, tile_12x2}};
    tiles[t->pixels - 1][t->filters > VEC_WIDTH](t);
}

void conv_install_avx512(struct conv_slots *slots)
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
