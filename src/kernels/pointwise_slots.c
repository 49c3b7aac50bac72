/* The pointwise slot of slots_conv.h over the vectors of vec_template.h, from input to output in registers: blocks of up
 * to TILE_PIXELS pixels by TILE_VECTORS vectors of filters, PAIR_PIXELS by two or NARROW_PIXELS by one. */
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

/* acc[i * vectors + j] += sum over c of in[i * stride + c] * panel[c][j]; behind the panel. */
#if VEC_FMA_SPREADS
INLINED const float *pointwise_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                        const float *panel, const int pixels, const int vectors)
{
    const float *at[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        at[i] = in + (size_t)i * stride;
    }
    return tile_channels(acc, at, channels, panel, pixels, vectors);
}
#else
/* Four neighbours share a pointer where pixels outnumber the registers for addresses. */
INLINED const float *pointwise_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                        const float *panel, const int pixels, const int vectors)
{
    const int share = vectors > 1 ? 1 : 4;
    const float *at[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i += share) {
        at[i] = in + (size_t)i * stride;
    }
    for (size_t c = 0; c < channels; c++, panel += vectors * VEC_WIDTH) {
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
    size_t channels = p->channels;
    for (; first < end; first += (size_t)pixels) {
        vec acc[TILE_SUMS];
        const float *in = p->in + first * p->in_stride, *panel = panels;
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            pointwise_begin(p, acc + j, vectors, first, pixels, k + (size_t)j * VEC_WIDTH);
        }
        for (size_t row = 0; row < p->rows; row++, in += p->in_row) {
            panel = pointwise_channels(acc, in, p->in_stride, channels, panel, pixels, vectors);
        }
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            pointwise_end(p, &filters[j], acc + j, vectors, first, pixels,
                          k + (size_t)j * VEC_WIDTH);
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
#define NARROW(pixels) POINTWISE(narrow, pixels, 1)
#define PAIR(pixels) POINTWISE(pair, pixels, 2)
#define NAME_NARROW(pixels) [pixels] = pointwise_narrow_##pixels,
#define NAME_PAIR(pixels) [pixels] = pointwise_pair_##pixels,

UP_TO_NARROW_PIXELS(NARROW)
UP_TO_PAIR_PIXELS(PAIR)

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
