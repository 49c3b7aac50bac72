/* The register tiles of slots_conv.h over the vectors of vec_template.h: TILE_PIXELS pixels by TILE_FILTERS filters. */
#include "kernels/slots.h"

#include "kernels/activation_template.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

enum { AHEAD_CHANNELS = 4, LINE_FLOATS = 16 };

/* As tile_channels, while `ahead` comes closer: TILE_PIXELS floats a channel. */
INLINED const float *tile_channels_ahead(vec acc[TILE_PIXELS][2], const float **in, size_t channels,
                                         const float *panel, const float *ahead, const int pixels,
                                         const int vectors)
{
    size_t c = 0;
    for (; c + AHEAD_CHANNELS <= channels; c += AHEAD_CHANNELS) {
        UNROLLED
        for (int line = 0; line < AHEAD_CHANNELS * TILE_PIXELS; line += LINE_FLOATS) {
            __builtin_prefetch(ahead + line);
        }
        ahead += AHEAD_CHANNELS * TILE_PIXELS;
        panel = tile_channels(acc, in, AHEAD_CHANNELS, panel, pixels, vectors);
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] += AHEAD_CHANNELS;
        }
    }
    return tile_channels(acc, in, channels - c, panel, pixels, vectors);
}

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
        panel = t->ahead
                    ? tile_channels_ahead(acc, in, t->channels, panel, t->ahead, pixels, vectors)
                    : tile_channels(acc, in, t->channels, panel, pixels, vectors);
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

/* As many sums at a time as a tile has. */
static float multiply_adds(size_t rounds)
{
    vec sum[TILE_PIXELS][2], factor = vec_set(0.5f), term = vec_set(1.0f);
    UNROLLED
    for (int i = 0; i < TILE_PIXELS; i++) {
        sum[i][0] = vec_set((float)i);
        sum[i][1] = vec_set((float)-i);
    }
    for (size_t r = 0; r < rounds; r++) {
        UNROLLED
        for (int i = 0; i < TILE_PIXELS; i++) {
            sum[i][0] = vec_fma(sum[i][0], factor, term);
            sum[i][1] = vec_fma(sum[i][1], factor, term);
        }
    }
    float lanes[VEC_WIDTH], total = 0.0f;
    for (int i = 0; i < TILE_PIXELS; i++) {
        vec_store(lanes, vec_add(sum[i][0], sum[i][1]));
        for (int k = 0; k < VEC_WIDTH; k++) {
            total += lanes[k];
        }
    }
    return total;
}

/* sum[i] += in[i] * panel, a pixel; behind its part of the panel. */
INLINED const float *outer_pixel(vec sum[TILE_PIXELS][2], const float *in, const float *panel,
                                 const int rows, const int vectors)
{
    vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
    UNROLLED
    for (int i = 0; i < rows; i++) {
        vec x = vec_set(in[i]);
        sum[i][0] = vec_fma(x, first, sum[i][0]);
        if (vectors > 1) {
            sum[i][1] = vec_fma(x, second, sum[i][1]);
        }
    }
    return panel + TILE_FILTERS;
}

enum { OUTER_PIXELS = 4 }; /* of a strip, whose distances are constants */

/* rows and vectors are constants where this is inlined, so that sum lives in registers. */
INLINED void outer(const struct conv_outer *o, const int rows, const int vectors)
{
    vec sum[TILE_PIXELS][2];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < vectors; j++) {
            sum[i][j] = vec_set(0.0f);
        }
    }
    const float *panel = o->panel;
    size_t p = 0;
    if (o->in) {
        for (; p < o->pixels; p++) {
            panel = outer_pixel(sum, o->in[p] + o->offset, panel, rows, vectors);
        }
    } else {
        const float *in = o->strip + o->offset;
        for (; p + OUTER_PIXELS <= o->pixels; p += OUTER_PIXELS) {
            UNROLLED
            for (size_t i = 0; i < OUTER_PIXELS; i++) {
                panel = outer_pixel(sum, in + i * CONV_STRIP, panel, rows, vectors);
            }
            in += OUTER_PIXELS * CONV_STRIP;
        }
        for (; p < o->pixels; p++, in += CONV_STRIP) {
            panel = outer_pixel(sum, in, panel, rows, vectors);
        }
    }
    float *to = o->sum;
    bool accumulates = o->accumulate;
    UNROLLED
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < vectors; j++, to += VEC_WIDTH) {
            vec_store(to, accumulates ? vec_add(vec_load(to), sum[i][j]) : sum[i][j]);
        }
        to += TILE_FILTERS - vectors * VEC_WIDTH;
    }
}

#define OUTER_CASE(rows)                                                                           \
    case rows:                                                                                     \
        if (o->filters > VEC_WIDTH) {                                                              \
            outer(o, rows, 2);                                                                     \
        } else {                                                                                   \
            outer(o, rows, 1);                                                                     \
        }                                                                                          \
        break;

static void outer_slot(const struct conv_outer *o)
{
    switch (o->rows) {
        OUTER_CASE(1)
        OUTER_CASE(2)
        OUTER_CASE(3)
        OUTER_CASE(4)
#if TILE_PIXELS >= 6
        OUTER_CASE(5)
        OUTER_CASE(6)
#endif
#if TILE_PIXELS >= 12
        OUTER_CASE(7)
        OUTER_CASE(8)
        OUTER_CASE(9)
        OUTER_CASE(10)
        OUTER_CASE(11)
        OUTER_CASE(12)
#endif
    default:
        break;
    }
}

INLINED void finish_as(const struct conv_finish *f, const enum activation act)
{
    size_t filters = (size_t)f->filters;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        size_t part = part_of(filters, k);
        vec scale = load_or(f->scale, k, part, 1.0f), shift = load_or(f->shift, k, part, 0.0f);
        const float *acc = f->acc + k;
        float *out = f->out + k;
        for (int i = 0; i < f->pixels; i++) {
            vec y = vec_activate(vec_fma(vec_load(acc), scale, shift), act);
            if (f->adds) {
                y = vec_add(y, vec_load_part(out, part));
            }
            put(out, y, part);
            acc += f->acc_stride;
            out += f->out_stride;
        }
    }
}

#define FINISH(act) finish_as(f, act)

static void finish_slot(const struct conv_finish *f)
{
    BY_ACTIVATION(f->act, FINISH)
}

void OF_ISA(tile_install)(struct kernels *kern)
{
    kern->conv.mr = TILE_PIXELS;
    kern->conv.nr = TILE_FILTERS;
    kern->conv.tile = tile_slot;
    kern->conv.multiply_adds = multiply_adds;
    kern->conv.finish = finish_slot;
    kern->conv.outer = outer_slot;
}
