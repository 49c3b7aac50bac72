/* The register tiles of slots_conv.h over the vectors of vec_template.h: TILE_PIXELS pixels by TILE_FILTERS filters. */
#include "kernels/slots.h"

#include "kernels/activation_template.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

enum { LINE_FLOATS = 16 };

INLINED void sums_begin(vec *acc, const float *sums, size_t stride, bool accumulate,
                        const int pixels, const int vectors)
{
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            const float *from = sums + (size_t)i * stride + j * VEC_WIDTH;
            acc[i * vectors + j] = accumulate ? vec_load(from) : vec_set(0.0f);
        }
    }
}

INLINED void sums_end(const vec *acc, float *sums, size_t stride, const int pixels,
                      const int vectors)
{
    FORGET(sums); /* or addresses are made before the sums and live in memory meanwhile */
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            vec_store(sums + (size_t)i * stride + j * VEC_WIDTH, acc[i * vectors + j]);
        }
    }
}

INLINED void tile(const struct conv_tile *t, const int pixels, const int vectors)
{
    const size_t acc_stride = t->acc_stride;
    float *sums = t->acc;
    vec acc[TILE_SUMS];
    sums_begin(acc, sums, acc_stride, t->accumulate, pixels, vectors);
    const float *panel = t->panel;
    const float *const *pointers = t->in;
    for (size_t tap = 0; tap < t->taps; tap++, pointers += t->step) {
        const float *in[PAIR_PIXELS];
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] = pointers[i] + t->offset;
        }
        panel = tile_channels(acc, in, t->channels, panel, pixels, vectors);
    }
    sums_end(acc, sums, acc_stride, pixels, vectors);
}

typedef void tile_block(const struct conv_tile *t);

#define TILE(pixels, vectors)                                                                      \
    static void tile_##pixels##x##vectors(const struct conv_tile *t)                               \
    {                                                                                              \
        tile(t, pixels, vectors);                                                                  \
    }
#define NARROW(pixels) TILE(pixels, 1)
#define PAIR(pixels) TILE(pixels, 2)
#define NAME_NARROW(pixels) [pixels] = tile_##pixels##x1,
#define NAME_PAIR(pixels) [pixels] = tile_##pixels##x2,
UP_TO_PAIR_PIXELS(NARROW)
UP_TO_PAIR_PIXELS(PAIR)
#if TILE_VECTORS == 4
#define TRIPLE(pixels) TILE(pixels, 3)
#define QUAD(pixels) TILE(pixels, 4)
#define NAME_TRIPLE(pixels) [pixels] = tile_##pixels##x3,
#define NAME_QUAD(pixels) [pixels] = tile_##pixels##x4,
UP_TO_6(TRIPLE)
UP_TO_6(QUAD)
#endif

/* Vectors that hold so many filters. */
static inline int vectors_of(int filters)
{
    return (filters + VEC_WIDTH - 1) / VEC_WIDTH;
}

static void tile_slot(const struct conv_tile *t)
{
    static tile_block *const tiles[TILE_VECTORS + 1][PAIR_PIXELS + 1] = {
        [1] = {UP_TO_PAIR_PIXELS(NAME_NARROW)},
        [2] = {UP_TO_PAIR_PIXELS(NAME_PAIR)},
#if TILE_VECTORS == 4
        [3] = {UP_TO_6(NAME_TRIPLE)},
        [4] = {UP_TO_6(NAME_QUAD)},
#endif
    };
    tiles[vectors_of(t->filters)][t->pixels](t);
}

/* As tile_channels, while `next` comes into L1, TILE_PIXELS floats a channel, and `ahead` closer. */
INLINED void product_channels(vec *acc, const float **in, size_t channels, const float *panel,
                              const float *next, struct conv_ahead *ahead, const int pixels,
                              const int vectors)
{
    const size_t steps = channels / TILE_STEPS;
    /* Where nothing is left, what is here already. */
    const float *later = ahead->count > 0 ? ahead->at : panel;
    const size_t later_step = ahead->count > 0 ? ahead->step : 0;
    for (size_t step = steps; step > 0; step--) {
        UNROLLED
        for (int line = 0; line < TILE_STEPS * TILE_PIXELS; line += LINE_FLOATS) {
            __builtin_prefetch(next + line);
        }
        UNROLLED
        for (int line = 0; line < CONV_AHEAD_FLOATS; line += LINE_FLOATS) {
            __builtin_prefetch(later + line);
        }
        next += TILE_STEPS * TILE_PIXELS;
        later += later_step;
        panel = tile_steps(acc, in, panel, TILE_STEPS, pixels, vectors);
    }
    ahead->at = later;
    ahead->count -= steps < ahead->count ? steps : ahead->count;
    for (size_t c = channels % TILE_STEPS; c > 0; c--) {
        panel = tile_steps(acc, in, panel, 1, pixels, vectors);
    }
}

/* `count` register tiles of `pixels` rows, from row `first` on. */
INLINED void product_rows(const struct conv_product *p, size_t first, size_t count,
                          const int pixels, const int vectors)
{
    const size_t in_stride = p->in_stride, acc_stride = p->acc_stride, channels = p->channels;
    const bool accumulate = p->accumulate;
    const float *rows = p->in + first * in_stride;
    float *sums = p->acc + first * acc_stride;
    for (; count > 0; count--) {
        vec acc[TILE_SUMS];
        sums_begin(acc, sums, acc_stride, accumulate, pixels, vectors);
        const float *in[PAIR_PIXELS];
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] = rows + (size_t)i * in_stride;
        }
        rows += (size_t)pixels * in_stride;
        product_channels(acc, in, channels, p->panel, count > 1 ? rows : p->next, p->ahead, pixels,
                         vectors);
        sums_end(acc, sums, acc_stride, pixels, vectors);
        sums += (size_t)pixels * acc_stride;
    }
}

typedef void product_block(const struct conv_product *p, size_t first, size_t count);

#define PRODUCT(pixels, vectors)                                                                   \
    static void product_##pixels##x##vectors(const struct conv_product *p, size_t first,           \
                                             size_t count)                                         \
    {                                                                                              \
        product_rows(p, first, count, pixels, vectors);                                            \
    }
#define PRODUCT_NARROW(pixels) PRODUCT(pixels, 1)
#define PRODUCT_PAIR(pixels) PRODUCT(pixels, 2)
#define NAME_PRODUCT_NARROW(pixels) [pixels] = product_##pixels##x1,
#define NAME_PRODUCT_PAIR(pixels) [pixels] = product_##pixels##x2,
UP_TO_PAIR_PIXELS(PRODUCT_NARROW)
UP_TO_PAIR_PIXELS(PRODUCT_PAIR)
#if TILE_VECTORS == 4
#define PRODUCT_TRIPLE(pixels) PRODUCT(pixels, 3)
#define PRODUCT_QUAD(pixels) PRODUCT(pixels, 4)
#define NAME_PRODUCT_TRIPLE(pixels) [pixels] = product_##pixels##x3,
#define NAME_PRODUCT_QUAD(pixels) [pixels] = product_##pixels##x4,
UP_TO_6(PRODUCT_TRIPLE)
UP_TO_6(PRODUCT_QUAD)
#endif

static void product_slot(const struct conv_product *p)
{
    static product_block *const blocks[TILE_VECTORS + 1][PAIR_PIXELS + 1] = {
        [1] = {UP_TO_PAIR_PIXELS(NAME_PRODUCT_NARROW)},
        [2] = {UP_TO_PAIR_PIXELS(NAME_PRODUCT_PAIR)},
#if TILE_VECTORS == 4
        [3] = {UP_TO_6(NAME_PRODUCT_TRIPLE)},
        [4] = {UP_TO_6(NAME_PRODUCT_QUAD)},
#endif
    };
    int vectors = vectors_of(p->filters);
    size_t most = p->filters > TILE_FILTERS / 2 ? TILE_PIXELS : PAIR_PIXELS;
    size_t count = (p->rows + most - 1) / most, pixels = p->rows / count, larger = p->rows % count;
    if (larger > 0) {
        blocks[vectors][pixels + 1](p, 0, larger);
    }
    blocks[vectors][pixels](p, larger * (pixels + 1), count - larger);
}

/* As many sums at a time as a tile has. */
static float multiply_adds(size_t rounds)
{
    vec sum[TILE_PIXELS][TILE_VECTORS], factor = vec_set(0.5f), term = vec_set(1.0f);
    UNROLLED
    for (int i = 0; i < TILE_PIXELS; i++) {
        UNROLLED
        for (int j = 0; j < TILE_VECTORS; j++) {
            sum[i][j] = vec_set((float)((i + j / 2 * TILE_PIXELS) * (j % 2 == 0 ? 1 : -1)));
        }
    }
    for (size_t r = 0; r < rounds; r++) {
        UNROLLED
        for (int i = 0; i < TILE_PIXELS; i++) {
            UNROLLED
            for (int j = 0; j < TILE_VECTORS; j++) {
                sum[i][j] = vec_fma(sum[i][j], factor, term);
            }
        }
    }
    vec total = vec_set(0.0f);
    UNROLLED
    for (int i = 0; i < TILE_PIXELS; i++) {
        UNROLLED
        for (int j = 0; j < TILE_VECTORS; j++) {
            total = vec_add(total, sum[i][j]);
        }
    }
    return vec_total(total);
}

/* sum[i] += in[i] * panel, a pixel. */
INLINED void outer_pixel(vec sum[2 * TILE_PIXELS][TILE_VECTORS], const float *in,
                         const float *panel, const int rows, const int vectors)
{
    vec w[TILE_VECTORS];
    UNROLLED
    for (int j = 0; j < vectors; j++) {
        w[j] = vec_load(panel + j * VEC_WIDTH);
    }
    UNROLLED
    for (int i = 0; i < rows; i++) {
        vec x = vec_set(in[i]);
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            sum[i][j] = vec_fma(x, w[j], sum[i][j]);
        }
    }
}

enum { OUTER_PIXELS = 4 }; /* of a strip, whose distances are constants */

/* rows and vectors are constants where this is inlined, so that sum lives in registers. */
INLINED void outer(const struct conv_outer *o, const int rows, const int vectors)
{
    vec sum[2 * TILE_PIXELS][TILE_VECTORS];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            sum[i][j] = vec_set(0.0f);
        }
    }
    const float *panel = o->panel, *first = o->ahead[0], *second = o->ahead[1];
    size_t p = 0;
    if (o->in && first) {
        for (; p < o->pixels; p++, first += o->ahead_step[0], second += o->ahead_step[1]) {
            __builtin_prefetch(first, 0, 2);
            __builtin_prefetch(second, 0, 2);
            outer_pixel(sum, o->in[p] + o->offset, panel, rows, vectors);
            panel += o->panel_stride;
        }
    } else if (o->in) {
        for (; p < o->pixels; p++, panel += o->panel_stride) {
            outer_pixel(sum, o->in[p] + o->offset, panel, rows, vectors);
        }
    } else {
        const float *in = o->strip + o->offset;
        UNROLLED
        for (int i = 0; i < rows; i++) {
            UNROLLED
            for (int j = 0; j < vectors; j++) {
                __builtin_prefetch(o->sum + i * TILE_FILTERS + j * VEC_WIDTH, 1);
            }
        }
        for (; p + OUTER_PIXELS <= o->pixels; p += OUTER_PIXELS) {
            UNROLLED
            for (size_t i = 0; i < OUTER_PIXELS; i++) {
                __builtin_prefetch(first);
                __builtin_prefetch(second, 0, 2);
                first += o->ahead_step[0];
                second += o->ahead_step[1];
                outer_pixel(sum, in + i * CONV_STRIP, panel + i * TILE_FILTERS, rows, vectors);
            }
            in += OUTER_PIXELS * CONV_STRIP;
            panel += OUTER_PIXELS * TILE_FILTERS;
        }
        for (; p < o->pixels; p++, in += CONV_STRIP, panel += TILE_FILTERS) {
            outer_pixel(sum, in, panel, rows, vectors);
        }
    }
    float *to = o->sum;
    bool accumulates = o->accumulate;
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int j = 0; j < vectors; j++, to += VEC_WIDTH) {
            vec_store(to, accumulates ? vec_add(vec_load(to), sum[i][j]) : sum[i][j]);
        }
        to += TILE_FILTERS - vectors * VEC_WIDTH;
    }
}

#define OUTER(rows, vectors)                                                                       \
    case vectors:                                                                                  \
        outer(o, rows, vectors);                                                                   \
        break;
#if TILE_VECTORS == 4
#define OUTER_NARROW(rows) OUTER(rows, 1) OUTER(rows, 2)
#define OUTER_WIDE(rows) OUTER_NARROW(rows) OUTER(rows, 3) OUTER(rows, 4)
#else
#define OUTER_NARROW(rows) OUTER(rows, 1)
#define OUTER_WIDE(rows) OUTER_NARROW(rows) OUTER(rows, 2)
#endif
#define OUTER_CASE(rows, widths)                                                                   \
    case rows:                                                                                     \
        switch (vectors_of(o->filters)) {                                                          \
            widths(rows) default : break;                                                          \
        }                                                                                          \
        break;

static void outer_slot(const struct conv_outer *o)
{
    switch (o->rows) {
        OUTER_CASE(1, OUTER_WIDE)
        OUTER_CASE(2, OUTER_WIDE)
        OUTER_CASE(3, OUTER_WIDE)
        OUTER_CASE(4, OUTER_WIDE)
#if TILE_PIXELS == 6
        OUTER_CASE(5, OUTER_WIDE)
        OUTER_CASE(6, OUTER_WIDE)
#else
        OUTER_CASE(5, OUTER_NARROW)
        OUTER_CASE(6, OUTER_NARROW)
#endif
        OUTER_CASE(7, OUTER_NARROW)
        OUTER_CASE(8, OUTER_NARROW)
#if TILE_PIXELS == 6
        OUTER_CASE(9, OUTER_NARROW)
        OUTER_CASE(10, OUTER_NARROW)
        OUTER_CASE(11, OUTER_NARROW)
        OUTER_CASE(12, OUTER_NARROW)
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
    kern->conv.narrow_mr = PAIR_PIXELS;
    kern->conv.nr = TILE_FILTERS;
    kern->conv.tile = tile_slot;
    kern->conv.product = product_slot;
    kern->conv.multiply_adds = multiply_adds;
    kern->conv.finish = finish_slot;
    kern->conv.outer = outer_slot;
}
