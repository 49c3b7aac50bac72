/* The pointwise slot of slots_conv.h over the vectors of vec_template.h, from input to output in registers: blocks of up
 * to TILE_PIXELS pixels by TILE_VECTORS vectors of filters, PAIR_PIXELS by two or NARROW_PIXELS by one; by half of one, four
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

/* What pointwise_begin finds in the next call. */
INLINED void pointwise_keep(const struct conv_pointwise *p, const vec *acc, const int step,
                            size_t first, const int pixels, size_t k)
{
    float *sums = p->sums + first * p->sums_stride + k;
    UNROLLED
    for (int i = 0; i < pixels; i++, sums += p->sums_stride) {
        vec_store(sums, acc[i * step]);
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
        pointwise_keep(p, acc, step, first, pixels, k);
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

/* The output's lines of a block; those that are not in a cache when they are stored to, keep later stores waiting. */
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

/* acc[i * vectors + j] += sum over `count` <= 4 channels, as yet apart, of in[i] * panel[j]. Four neighbours, `stride` floats apart, share a
 * pointer. */
INLINED void four_step(vec *acc, const float **in, size_t stride, const float *panel, size_t count,
                       const int pixels, const int vectors)
{
    vec first = vec_load(panel), second = vectors > 1 ? vec_load(panel + VEC_WIDTH) : first;
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        const float *from = in[i / 4] + (size_t)(i % 4) * stride;
        vec x = count == 4   ? vec_load_four(from)
                : count == 1 ? vec_set(*from) /* the other weights are zeros */
                             : vec_load_four_part(from, count);
        acc[i * vectors] = vec_fma(x, first, acc[i * vectors]);
        if (vectors > 1) {
            acc[i * vectors + 1] = vec_fma(x, second, acc[i * vectors + 1]);
        }
    }
    LOADS_IN_ORDER;
    UNROLLED
    for (int i = 0; i < pixels; i += 4) {
        in[i / 4] += 4;
        FORGET(in[i / 4]);
    }
}

/* The same of all channels; behind the panel. */
INLINED const float *four_channels(vec *acc, const float *in, size_t stride, size_t channels,
                                   const float *panel, const int pixels, const int vectors)
{
    const float *at[(NARROW_PIXELS + 3) / 4];
    UNROLLED
    for (int i = 0; i < pixels; i += 4) {
        at[i / 4] = in + (size_t)i * stride;
    }
    for (; channels >= 4; channels -= 4, panel += vectors * VEC_WIDTH) {
        four_step(acc, at, stride, panel, 4, pixels, vectors);
    }
    if (channels == 1) {
        four_step(acc, at, stride, panel, 1, pixels, vectors);
    } else if (channels > 0) {
        four_step(acc, at, stride, panel, channels, pixels, vectors);
    }
    return channels > 0 ? panel + vectors * VEC_WIDTH : panel;
}

/* Filters of a vector of fours. */
enum { FOURS_FILTERS = VEC_WIDTH / 4 };

/* The sums of fours to the output: several pixels a vector. */
INLINED void fours_end(const struct conv_pointwise *p, vec scale, vec shift, const vec *acc,
                       size_t first, const int pixels, const int vectors)
{
    const int sums = pixels * vectors, together = 4 / vectors;
    const size_t slot = (size_t)vectors * FOURS_FILTERS, filters = p->filters;
    vec y[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < sums; i += 4) {
        y[i / 4] = vec_sum_fours(acc[i], acc[i + 1 < sums ? i + 1 : i],
                                 acc[i + 2 < sums ? i + 2 : i], acc[i + 3 < sums ? i + 3 : i]);
    }
    epilogue_finish(y, (sums + 3) / 4, scale, shift, p->act);
    float *out = p->out + first * p->out_stride;
    const float *addend = p->addend ? p->addend + first * p->addend_stride : NULL;
    if (pixels % together == 0 && filters == slot && p->out_stride == slot &&
        (!addend || p->addend_stride == slot)) {
        epilogue_put(y, sums / 4, out, VEC_WIDTH, addend, VEC_WIDTH, VEC_WIDTH);
        return;
    }
    float lanes[NARROW_PIXELS * VEC_WIDTH];
    UNROLLED
    for (int i = 0; i < sums; i += 4) {
        vec_store(lanes + i / 4 * VEC_WIDTH, y[i / 4]);
    }
    for (size_t i = 0; i < (size_t)pixels; i++, out += p->out_stride) {
        vec v = vec_load_part(lanes + i * slot, filters);
        if (addend) {
            v = vec_add(v, vec_load_part(addend + i * p->addend_stride, filters));
        }
        vec_store_part(out, v, filters);
    }
}

INLINED void fours_blocks(const struct conv_pointwise *p, size_t first, size_t end,
                          const int pixels, const int vectors)
{
    const size_t slot = (size_t)vectors * FOURS_FILTERS;
    vec scale = vec_repeat(load_or(p->scale, 0, p->filters, 1.0f), slot);
    vec shift = vec_repeat(load_or(p->shift, 0, p->filters, 0.0f), slot);
    const float *panels = p->panels + p->first_channel / 4 * (size_t)(vectors * VEC_WIDTH);
    for (; first < end; first += (size_t)pixels) {
        vec acc[TILE_SUMS];
        const float *in = p->in + first * p->in_stride, *panel = panels;
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            pointwise_begin(p, acc + j, vectors, first, pixels, (size_t)j * VEC_WIDTH);
        }
        for (size_t row = 0; row < p->rows; row++, in += p->in_row) {
            panel = four_channels(acc, in, p->in_stride, p->channels, panel, pixels, vectors);
        }
        if (!p->unfinished) {
            fours_end(p, scale, shift, acc, first, pixels, vectors);
            continue;
        }
        UNROLLED
        for (int j = 0; j < vectors; j++) {
            pointwise_keep(p, acc + j, vectors, first, pixels, (size_t)j * VEC_WIDTH);
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
#define FOURS(kind, pixels, vectors)                                                               \
    static __attribute__((noinline)) void fours_##kind##_##pixels(                                 \
        const struct conv_pointwise *p, size_t first, size_t end, size_t k)                        \
    {                                                                                              \
        (void)k;                                                                                   \
        fours_blocks(p, first, end, pixels, vectors);                                              \
    }
#define FOURS_NARROW(pixels) FOURS(narrow, pixels, 1)
#define FOURS_PAIR(pixels) FOURS(pair, pixels, 2)
#define NAME_FOURS_NARROW(pixels) [pixels] = fours_narrow_##pixels,
#define NAME_FOURS_PAIR(pixels) [pixels] = fours_pair_##pixels,
#define NARROW(pixels) POINTWISE(narrow, pixels, 1)
#define PAIR(pixels) POINTWISE(pair, pixels, 2)
#define NAME_NARROW(pixels) [pixels] = pointwise_narrow_##pixels,
#define NAME_PAIR(pixels) [pixels] = pointwise_pair_##pixels,

UP_TO_NARROW_PIXELS(FOURS_NARROW)
UP_TO_PAIR_PIXELS(FOURS_PAIR)
UP_TO_NARROW_PIXELS(NARROW)
UP_TO_PAIR_PIXELS(PAIR)

static pointwise_block *const fours_narrow_blocks[NARROW_PIXELS + 1] = {
    UP_TO_NARROW_PIXELS(NAME_FOURS_NARROW)};
static pointwise_block *const fours_pair_blocks[PAIR_PIXELS + 1] = {
    UP_TO_PAIR_PIXELS(NAME_FOURS_PAIR)};
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

/* Pixels from `first` on, a multiple of `unit`, in as few blocks as there must be, nearly equal ones: a block of few pixels waits for its
 * sums. */
static void pointwise_all(const struct conv_pointwise *p, pointwise_block *const *blocks,
                          size_t most, size_t unit, size_t k)
{
    size_t units = p->pixels / unit, count = (units * unit + most - 1) / most;
    size_t least = units / count, larger = (units - least * count) * (least + 1) * unit;
    if (larger > 0) {
        blocks[(least + 1) * unit](p, 0, larger, k);
    }
    blocks[least * unit](p, larger, units * unit, k);
}

/* Blocks of whole vectors of output, and what is left of a row. */
static void fours_all(const struct conv_pointwise *p)
{
    bool is_pair = p->filters > FOURS_FILTERS;
    pointwise_block *const *blocks = is_pair ? fours_pair_blocks : fours_narrow_blocks;
    size_t unit = is_pair ? 2 : 4, left = p->pixels % unit;
    if (p->pixels > left) {
        pointwise_all(p, blocks, is_pair ? PAIR_PIXELS : NARROW_PIXELS, unit, 0);
    }
    if (left > 0) {
        blocks[left](p, p->pixels - left, p->pixels, 0);
    }
}

/* All pixels of a panel, which stays in L1, before the next one. */
static void pointwise_slot(const struct conv_pointwise *p)
{
    if (p->in_fours) {
        fours_all(p);
        return;
    }
    for (size_t k = 0; k < p->filters; k += TILE_FILTERS) {
        size_t left = p->filters - k;
#if TILE_VECTORS == 4
        if (left > 3 * VEC_WIDTH) {
            pointwise_all(p, quad_blocks, TILE_PIXELS, 1, k);
            continue;
        }
        if (left > 2 * VEC_WIDTH) {
            pointwise_all(p, triple_blocks, TILE_PIXELS, 1, k);
            continue;
        }
#endif
        if (left > VEC_WIDTH) {
            pointwise_all(p, pair_blocks, PAIR_PIXELS, 1, k);
        } else {
            pointwise_all(p, narrow_blocks, NARROW_PIXELS, 1, k);
        }
    }
}

void OF_ISA(pointwise_install)(struct kernels *kern)
{
    kern->conv.width = VEC_WIDTH;
    kern->conv.pointwise = pointwise_slot;
}
