/* The pointwise slot of slots_conv.h over the vectors of vec_template.h, from input to output in registers: blocks of up
 * to TILE_PIXELS pixels by TILE_VECTORS vectors of filters, PAIR_PIXELS by two or NARROW_PIXELS by one. */
#include "kernels/slots.h"

#include "kernels/epilogue_template.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

/* 12 pointers are as many as there are registers for. */
enum {
    PAIR_PIXELS = TILE_PIXELS * TILE_VECTORS / 2,
    NARROW_PIXELS = 2 * PAIR_PIXELS < 12 ? 2 * PAIR_PIXELS : 12
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
    epilogue_put(y, pixels, p->out + first * p->out_stride + k, p->out_stride, addend,
                 p->addend_stride, f->part);
}

/* pointwise_channels: acc[i * vectors + j] += sum over c of in[i * stride + c] * panel[c][j]; behind the panel. */
#if VEC_FMA_SPREADS
/* Multiply-adds that read and spread a float by themselves go through the processor's front end as one if the float lies at a
 * pointer and a constant, and as two with an index: so each pixel has its pointer, that moves on after some channels. */
INLINED const float *pointwise_steps(vec *acc, const float **at, const float *panel,
                                     const int steps, const int pixels, const int vectors)
{
    UNROLLED
    for (int c = 0; c < steps; c++, panel += TILE_FILTERS) {
        vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            acc[i * vectors] = vec_fma(vec_set(at[i][c]), first, acc[i * vectors]);
            if (vectors > 1) {
                FORGET(at[i]); /* or the float is spread once, by an operation of its own */
                acc[i * vectors + 1] = vec_fma(vec_set(at[i][c]), second, acc[i * vectors + 1]);
            }
        }
        LOADS_IN_ORDER;
    }
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        at[i] += steps;
        FORGET(at[i]);
    }
    return panel;
}

INLINED const float *pointwise_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                        const float *panel, const int pixels, const int vectors)
{
    const float *at[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        at[i] = in + (size_t)i * stride;
    }
    for (; channels >= TILE_STEPS; channels -= TILE_STEPS) {
        panel = pointwise_steps(acc, at, panel, TILE_STEPS, pixels, vectors);
    }
    FORGET(channels); /* or this loop is unrolled, too, and pointers live in memory */
    for (; channels > 1; channels--) {
        panel = pointwise_steps(acc, at, panel, 1, pixels, vectors);
    }
    return channels > 0 ? pointwise_steps(acc, at, panel, 1, pixels, vectors) : panel;
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
    for (size_t c = 0; c < channels; c++, panel += TILE_FILTERS) {
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

/* One or two vectors of filters from k on, of pixels from `first` to `end` in blocks of `pixels`; both are constants where this
 * is inlined. */
INLINED void pointwise_blocks(const struct conv_pointwise *p, size_t first, size_t end, size_t k,
                              const int pixels, const int vectors)
{
    struct pointwise_filters left_half = pointwise_filters_of(p, k), right_half = left_half;
    if (vectors > 1) {
        right_half = pointwise_filters_of(p, k + VEC_WIDTH);
    }
    const float *panels = p->panels + k / TILE_FILTERS * p->panel_stride + k % TILE_FILTERS;
    size_t channels = p->channels;
    for (; first < end; first += (size_t)pixels) {
        vec acc[NARROW_PIXELS * 2];
        const float *in = p->in + first * p->in_stride, *panel = panels;
        pointwise_begin(p, acc, vectors, first, pixels, k);
        if (vectors > 1) {
            pointwise_begin(p, acc + 1, vectors, first, pixels, k + VEC_WIDTH);
        }
        for (size_t row = 0; row < p->rows; row++, in += p->in_row) {
            panel = pointwise_channels(acc, in, p->in_stride, channels, panel, pixels, vectors);
        }
        pointwise_end(p, &left_half, acc, vectors, first, pixels, k);
        if (vectors > 1) {
            pointwise_end(p, &right_half, acc + 1, vectors, first, pixels, k + VEC_WIDTH);
        }
    }
}

#if TILE_VECTORS == 4
/* The same of four vectors. Their multiply-adds share a float, that is spread by an operation of its own. */
INLINED void pointwise_quad(const struct conv_pointwise *p, size_t first, size_t end, size_t k,
                            const int pixels)
{
    struct pointwise_filters filters[4];
    UNROLLED
    for (size_t j = 0; j < 4; j++) {
        filters[j] = pointwise_filters_of(p, k + j * VEC_WIDTH);
    }
    const float *panels = p->panels + k / TILE_FILTERS * p->panel_stride;
    for (; first < end; first += (size_t)pixels) {
        vec acc[TILE_PIXELS][TILE_VECTORS];
        const float *in[TILE_PIXELS], *panel = panels;
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] = p->in + (first + (size_t)i) * p->in_stride;
        }
        UNROLLED
        for (size_t j = 0; j < 4; j++) {
            pointwise_begin(p, &acc[0][j], 4, first, pixels, k + j * VEC_WIDTH);
        }
        for (size_t row = 0; row < p->rows; row++) {
            panel = tile_channels(acc, in, p->channels, panel, pixels, 4);
            UNROLLED
            for (int i = 0; i < pixels; i++) {
                in[i] += p->in_row - p->channels;
            }
        }
        UNROLLED
        for (size_t j = 0; j < 4; j++) {
            pointwise_end(p, &filters[j], &acc[0][j], 4, first, pixels, k + j * VEC_WIDTH);
        }
    }
}
#endif

typedef void pointwise_block(const struct conv_pointwise *p, size_t first, size_t end, size_t k);

/* Functions of their own, or the compiler would keep nothing in registers. */
#define POINTWISE(kind, pixels, ...)                                                               \
    static __attribute__((noinline)) void pointwise_##kind##_##pixels(                             \
        const struct conv_pointwise *p, size_t first, size_t end, size_t k)                        \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
#define NARROW(pixels) POINTWISE(narrow, pixels, pointwise_blocks(p, first, end, k, pixels, 1))
#define PAIR(pixels) POINTWISE(pair, pixels, pointwise_blocks(p, first, end, k, pixels, 2))
#define NAME_NARROW(pixels) [pixels] = pointwise_narrow_##pixels,
#define NAME_PAIR(pixels) [pixels] = pointwise_pair_##pixels,

UP_TO_NARROW_PIXELS(NARROW)
UP_TO_PAIR_PIXELS(PAIR)

static pointwise_block *const narrow_blocks[NARROW_PIXELS + 1] = {UP_TO_NARROW_PIXELS(NAME_NARROW)};
static pointwise_block *const pair_blocks[PAIR_PIXELS + 1] = {UP_TO_PAIR_PIXELS(NAME_PAIR)};

#if TILE_VECTORS == 4
#define QUAD(pixels) POINTWISE(quad, pixels, pointwise_quad(p, first, end, k, pixels))
#define NAME_QUAD(pixels) [pixels] = pointwise_quad_##pixels,
UP_TO_6(QUAD)
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
    size_t k = 0;
#if TILE_VECTORS == 4
    for (; k + 3 * VEC_WIDTH < p->filters; k += TILE_FILTERS) {
        pointwise_all(p, quad_blocks, TILE_PIXELS, k);
    }
#endif
    for (; k + VEC_WIDTH < p->filters; k += 2 * VEC_WIDTH) {
        pointwise_all(p, pair_blocks, PAIR_PIXELS, k);
    }
    if (k < p->filters) {
        pointwise_all(p, narrow_blocks, NARROW_PIXELS, k);
    }
}

void OF_ISA(pointwise_install)(struct kernels *kern)
{
    kern->conv.width = VEC_WIDTH;
    kern->conv.pointwise = pointwise_slot;
}
