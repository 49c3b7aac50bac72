/* The pointwise slot of slots_conv.h over the vectors of vec_template.h, from input to output in registers: blocks of up
 * to TILE_PIXELS pixels by TILE_VECTORS vectors of filters, PAIR_PIXELS by two or NARROW_PIXELS by one; by half of one, two
 * channels at a time. */
#include "kernels/slots.h"

#include "kernels/epilogue_template.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

/* 12 pointers are as many as there are registers for. */
enum { NARROW_PIXELS = 2 * PAIR_PIXELS < 12 ? 2 * PAIR_PIXELS : 12 };

#if TILE_PIXELS == 4
#define UP_TO_NARROW_PIXELS UP_TO_8
#else
#define UP_TO_NARROW_PIXELS UP_TO_12
#endif

/* acc[i * step], i < pixels: the sums of one vector of filters from k on, of pixels from `first` on. */
INLINED void pointwise_begin(const struct conv_pointwise *p, vec *acc, const int step, size_t first,
                             const int pixels, size_t k)
{
    if (p->continues) {
        const float *sums = p->sums + first * p->sums_stride + k;
        UNROLLED
        for (int i = 0; i < pixels; i++, sums += p->sums_stride) {
            acc[i * step] = vec_load(sums);
        }
    } else {
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            acc[i * step] = vec_set(0.0f);
        }
    }
}

/* What the blocks of pixels of one vector of filters have in common. */
struct pointwise_filters {
    vec scale, shift;
    size_t part;
};

INLINED struct pointwise_filters pointwise_filters_of(const struct conv_pointwise *p, size_t k)
{
    size_t part = part_of(p->filters, k);
    return (struct pointwise_filters){load_or(p->scale, k, part, 1.0f),
                                      load_or(p->shift, k, part, 0.0f), part};
}

INLINED void pointwise_end(const struct conv_pointwise *p, const struct pointwise_filters *f,
                           const vec *acc, const int step, size_t first, const int pixels, size_t k)
{
    if (p->unfinished) {
        float *sums = p->sums + first * p->sums_stride + k;
        UNROLLED
        for (int i = 0; i < pixels; i++, sums += p->sums_stride) {
            vec_store(sums, acc[i * step]);
        }
        return;
    }
    vec y[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        y[i] = acc[i * step];
    }
    epilogue_finish(y, pixels, f->scale, f->shift, p->act);
    const float *addend = p->addend ? p->addend + first * p->addend_stride + k : NULL;
    float *out = p->out + first * p->out_stride + k / VEC_WIDTH * p->out_vector;
    epilogue_put(y, pixels, out, p->out_stride, addend, p->addend_stride, f->part);
}

enum { LINE_FLOATS = 16 };

/* The output's lines of a block; those that are not in a cache when they are stored to keep later stores waiting. */
INLINED void pointwise_out_ahead(const struct conv_pointwise *p, size_t first, const int pixels,
                                 size_t k, const int vectors)
{
    const float *out = p->out + first * p->out_stride + k / VEC_WIDTH * p->out_vector;
    UNROLLED
    for (int i = 0; i < pixels; i++, out += p->out_stride) {
        for (int j = 0; j < vectors; j++) {
            __builtin_prefetch(out + (size_t)j * p->out_vector, 1);
        }
    }
}

/* acc[i * vectors + j] += sum over c of in[i * stride + c] * panel[c][j]; behind the panel. Meanwhile the pixels `ahead` floats
 * on come closer, unless that is 0. */
#if VEC_FMA_SPREADS
INLINED const float *pointwise_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                        size_t ahead, const float *panel, const int pixels,
                                        const int vectors)
{
    const float *at[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        at[i] = in + (size_t)i * stride;
    }
    for (; ahead > 0 && channels >= LINE_FLOATS; channels -= LINE_FLOATS) {
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            __builtin_prefetch(at[i] + ahead);
        }
        panel = tile_channels(acc, at, LINE_FLOATS, panel, pixels, vectors);
    }
    return tile_channels(acc, at, channels, panel, pixels, vectors);
}
#else
/* Four neighbours share a pointer where pixels outnumber the registers for addresses. */
INLINED const float *pointwise_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                        size_t ahead, const float *panel, const int pixels,
                                        const int vectors)
{
    const int share = vectors > 1 ? 1 : 4;
    const float *at[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i += share) {
        at[i] = in + (size_t)i * stride;
    }
    for (size_t c = 0; c < channels; c++, panel += vectors * VEC_WIDTH) {
        if (ahead > 0 && c % LINE_FLOATS == 0) {
            for (int i = 0; i < pixels; i++) {
                __builtin_prefetch(in + (size_t)i * stride + c + ahead);
            }
        }
        vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            vec x = vec_set(at[i - i % share][(size_t)(i % share) * stride + c]);
            acc[i * vectors] = vec_fma(x, first, acc[i * vectors]);
            if (vectors > 1) {
                acc[i * vectors + 1] = vec_fma(x, second, acc[i * vectors + 1]);
            }
        }
        if (vectors > 1) {
            LOADS_IN_ORDER;
        }
    }
    return panel;
}
#endif

/* `vectors` vectors of filters from k on, of pixels from `first` to `end` in blocks of `pixels`; both are constants where this is
 * inlined. */
INLINED void pointwise_blocks(const struct conv_pointwise *p, size_t first, size_t end, size_t k,
                              const int pixels, const int vectors)
{
    struct pointwise_filters filters[TILE_VECTORS];
    UNROLLED
    for (int j = 0; j < vectors; j++) {
        filters[j] = pointwise_filters_of(p, k + (size_t)j * VEC_WIDTH);
    }
    const float *panels = p->panels + k / TILE_FILTERS * p->panel_stride +
                          p->first_channel * (size_t)(vectors * VEC_WIDTH);
    size_t channels = p->channels, ahead = p->is_far ? (size_t)pixels * p->in_stride : 0;
    for (; first < end; first += (size_t)pixels) {
        vec acc[TILE_SUMS];
        const float *in = p->in + first * p->in_stride, *panel = panels;
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            pointwise_begin(p, acc + j, vectors, first, pixels, k + (size_t)j * VEC_WIDTH);
        }
        if (p->is_far) {
            pointwise_out_ahead(p, first, pixels, k, vectors);
        }
        for (size_t row = 0; row < p->rows; row++, in += p->in_row) {
            panel =
                pointwise_channels(acc, in, p->in_stride, channels, ahead, panel, pixels, vectors);
        }
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            pointwise_end(p, &filters[j], acc + j, vectors, first, pixels,
                          k + (size_t)j * VEC_WIDTH);
        }
    }
}

/* acc[i] += sum over `steps` pairs of channels of in[i] * panel; behind the panel, as are the pointers. */
INLINED const float *pair_steps(vec *acc, const float **in, const float *panel, const int steps,
                                const int pixels)
{
    UNROLLED
    for (int c = 0; c < steps; c++, panel += VEC_WIDTH) {
        vec w = vec_load(panel);
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            acc[i] = vec_fma(vec_load_pair(in[i] + 2 * c), w, acc[i]);
        }
        LOADS_IN_ORDER;
    }
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        in[i] += 2 * steps;
        FORGET(in[i]);
    }
    return panel;
}

INLINED const float *pair_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                   const float *panel, const int pixels)
{
    const float *at[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        at[i] = in + (size_t)i * stride;
    }
    for (; channels >= 2 * TILE_STEPS; channels -= 2 * TILE_STEPS) {
        panel = pair_steps(acc, at, panel, TILE_STEPS, pixels);
    }
    FORGET(channels);
    for (; channels >= 2; channels -= 2) {
        panel = pair_steps(acc, at, panel, 1, pixels);
    }
    if (channels > 0) {
        vec w = vec_load(panel);
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            acc[i] = vec_fma(vec_set(at[i][0]), w, acc[i]);
        }
        panel += VEC_WIDTH;
    }
    return panel;
}

/* The sums of pairs to the output: two pixels a vector. */
INLINED void pairs_end(const struct conv_pointwise *p, vec scale, vec shift, const vec *acc,
                       size_t first, const int pixels)
{
    vec y[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i += 2) {
        vec next = acc[i + 1 < pixels ? i + 1 : i];
        y[i / 2] = vec_add(vec_even(acc[i], next), vec_odd(acc[i], next));
    }
    epilogue_finish(y, (pixels + 1) / 2, scale, shift, p->act);
    float *out = p->out + first * p->out_stride;
    const float *addend = p->addend ? p->addend + first * p->addend_stride : NULL;
    size_t filters = p->filters;
    bool is_dense = filters == VEC_WIDTH / 2 && p->out_stride == filters && pixels % 2 == 0;
    UNROLLED
    for (int i = 0; i < pixels; i++, out += p->out_stride) {
        vec v = i % 2 == 0 ? y[i / 2] : vec_high(y[i / 2]);
        if (addend) {
            v = vec_add(v, vec_load_part(addend + (size_t)i * p->addend_stride, filters));
        } else if (is_dense) {
            if (i % 2 == 0) {
                vec_store(out, v);
            }
            continue;
        }
        vec_store_part(out, v, filters);
    }
}

INLINED void pairs_blocks(const struct conv_pointwise *p, size_t first, size_t end,
                          const int pixels)
{
    vec scale = load_or(p->scale, 0, p->filters, 1.0f),
        shift = load_or(p->shift, 0, p->filters, 0.0f);
    scale = vec_halves(scale, scale);
    shift = vec_halves(shift, shift);
    const float *panels = p->panels + p->first_channel / 2 * VEC_WIDTH;
    for (; first < end; first += (size_t)pixels) {
        vec acc[NARROW_PIXELS];
        const float *in = p->in + first * p->in_stride, *panel = panels;
        pointwise_begin(p, acc, 1, first, pixels, 0);
        for (size_t row = 0; row < p->rows; row++, in += p->in_row) {
            panel = pair_channels(acc, in, p->in_stride, p->channels, panel, pixels);
        }
        if (!p->unfinished) {
            pairs_end(p, scale, shift, acc, first, pixels);
            continue;
        }
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            vec_store(p->sums + (first + (size_t)i) * p->sums_stride, acc[i]);
        }
    }
}

typedef void pointwise_block(const struct conv_pointwise *p, size_t first, size_t end, size_t k);

/* Functions of their own, or the compiler would keep nothing in registers. */
#define POINTWISE(kind, pixels, vectors)                                                           \
    static __attribute__((noinline)) void pointwise_##kind##_##pixels(                             \
        const struct conv_pointwise *p, size_t first, size_t end, size_t k)                        \
    {                                                                                              \
        pointwise_blocks(p, first, end, k, pixels, vectors);                                       \
    }
#define IN_PAIRS(pixels)                                                                           \
    static __attribute__((noinline)) void pointwise_in_pairs_##pixels(                             \
        const struct conv_pointwise *p, size_t first, size_t end, size_t k)                        \
    {                                                                                              \
        (void)k;                                                                                   \
        pairs_blocks(p, first, end, pixels);                                                       \
    }
#define NARROW(pixels) POINTWISE(narrow, pixels, 1)
#define PAIR(pixels) POINTWISE(pair, pixels, 2)
#define NAME_IN_PAIRS(pixels) [pixels] = pointwise_in_pairs_##pixels,
#define NAME_NARROW(pixels) [pixels] = pointwise_narrow_##pixels,
#define NAME_PAIR(pixels) [pixels] = pointwise_pair_##pixels,

UP_TO_NARROW_PIXELS(IN_PAIRS)
UP_TO_NARROW_PIXELS(NARROW)
UP_TO_PAIR_PIXELS(PAIR)

static pointwise_block *const in_pairs_blocks[NARROW_PIXELS + 1] = {
    UP_TO_NARROW_PIXELS(NAME_IN_PAIRS)};
static pointwise_block *const narrow_blocks[NARROW_PIXELS + 1] = {UP_TO_NARROW_PIXELS(NAME_NARROW)};
static pointwise_block *const pair_blocks[PAIR_PIXELS + 1] = {UP_TO_PAIR_PIXELS(NAME_PAIR)};

#if TILE_VECTORS == 4
#define TRIPLE(pixels) POINTWISE(triple, pixels, 3)
#define QUAD(pixels) POINTWISE(quad, pixels, 4)
#define NAME_TRIPLE(pixels) [pixels] = pointwise_triple_##pixels,
#define NAME_QUAD(pixels) [pixels] = pointwise_quad_##pixels,
UP_TO_6(TRIPLE)
UP_TO_6(QUAD)
static pointwise_block *const triple_blocks[TILE_PIXELS + 1] = {UP_TO_6(NAME_TRIPLE)};
static pointwise_block *const quad_blocks[TILE_PIXELS + 1] = {UP_TO_6(NAME_QUAD)};
#endif

/* All pixels in as few blocks as there must be, nearly equal ones: a block of few pixels waits for its sums. */
static void pointwise_all(const struct conv_pointwise *p, pointwise_block *const *blocks,
                          size_t most, size_t k)
{
    size_t count = (p->pixels + most - 1) / most, least = p->pixels / count;
    size_t larger = (p->pixels - least * count) * (least + 1);
    if (larger > 0) {
        blocks[least + 1](p, 0, larger, k);
    }
    blocks[least](p, larger, p->pixels, k);
}

/* All pixels of a panel, which stays in L1, before the next one. */
static void pointwise_slot(const struct conv_pointwise *p)
{
    if (p->in_pairs) {
        pointwise_all(p, in_pairs_blocks, NARROW_PIXELS, 0);
        return;
    }
    for (size_t k = 0; k < p->filters; k += TILE_FILTERS) {
        size_t left = p->filters - k;
#if TILE_VECTORS == 4
        if (left > 3 * VEC_WIDTH) {
            pointwise_all(p, quad_blocks, TILE_PIXELS, k);
            continue;
        }
        if (left > 2 * VEC_WIDTH) {
            pointwise_all(p, triple_blocks, TILE_PIXELS, k);
            continue;
        }
#endif
        if (left > VEC_WIDTH) {
            pointwise_all(p, pair_blocks, PAIR_PIXELS, k);
        } else {
            pointwise_all(p, narrow_blocks, NARROW_PIXELS, k);
        }
    }
}

void OF_ISA(pointwise_install)(struct kernels *kern)
{
    kern->conv.width = VEC_WIDTH;
    kern->conv.pointwise = pointwise_slot;
}
