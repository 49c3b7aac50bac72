/* The pointwise slot of slots_conv.h over the vectors of vec_template.h, from input to output in registers: blocks of
 * TILE_PIXELS pixels by two vectors of filters, or of up to twice as many pixels by one. */
#include "kernels/slots.h"

#include "kernels/epilogue_template.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

enum { NARROW_PIXELS = 2 * TILE_PIXELS < EPILOGUE_MAX ? 2 * TILE_PIXELS : EPILOGUE_MAX };

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

INLINED void pointwise_end(const struct conv_pointwise *p, const vec *acc, const int step,
                           size_t first, const int pixels, size_t k)
{
    if (p->unfinished) {
        float *sums = p->sums + first * p->sums_stride + k;
        UNROLLED
        for (int i = 0; i < pixels; i++, sums += p->sums_stride) {
            vec_store(sums, acc[i * step]);
        }
        return;
    }
    size_t part = part_of(p->filters, k);
    vec y[NARROW_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        y[i] = acc[i * step];
    }
    epilogue_finish(y, pixels, load_or(p->scale, k, part, 1.0f), load_or(p->shift, k, part, 0.0f),
                    p->act);
    const float *addend = p->addend ? p->addend + first * p->addend_stride + k : NULL;
    epilogue_put(y, pixels, p->out + first * p->out_stride + k, p->out_stride, addend,
                 p->addend_stride, part);
}

/* Two vectors of filters from k on, of `pixels` <= TILE_PIXELS, a constant where this is inlined. */
INLINED void pointwise_wide(const struct conv_pointwise *p, size_t first, const int pixels,
                            size_t k)
{
    vec acc[TILE_PIXELS][2];
    const float *in[TILE_PIXELS];
    const float *panel = p->panels + k / TILE_FILTERS * p->panel_stride;
    size_t channels = p->channels;
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        in[i] = p->in + (first + (size_t)i) * p->in_stride;
    }
    pointwise_begin(p, &acc[0][0], 2, first, pixels, k);
    pointwise_begin(p, &acc[0][1], 2, first, pixels, k + VEC_WIDTH);
    for (size_t left = p->rows;;) {
        panel = tile_channels(acc, in, channels, panel, pixels, 2);
        if (--left == 0) {
            break;
        }
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] += p->in_row;
        }
    }
    pointwise_end(p, &acc[0][0], 2, first, pixels, k);
    pointwise_end(p, &acc[0][1], 2, first, pixels, k + VEC_WIDTH);
}

/* One vector of filters from k on, of `pixels` <= NARROW_PIXELS. Four neighbours share a pointer: pixels outnumber
 * the registers for addresses. */
INLINED void pointwise_narrow(const struct conv_pointwise *p, size_t first, const int pixels,
                              size_t k)
{
    vec acc[NARROW_PIXELS];
    size_t stride = p->in_stride, channels = p->channels;
    const float *in[NARROW_PIXELS / 4];
    const float *panel = p->panels + k / TILE_FILTERS * p->panel_stride;
    UNROLLED
    for (int i = 0; i < pixels; i += 4) {
        in[i / 4] = p->in + (first + (size_t)i) * stride;
    }
    pointwise_begin(p, acc, 1, first, pixels, k);
    for (size_t left = p->rows;;) {
        for (size_t c = 0; c < channels; c++, panel += TILE_FILTERS) {
            vec w = vec_load(panel);
            UNROLLED
            for (int i = 0; i < pixels; i++) {
                acc[i] = vec_fma(vec_set(in[i / 4][(size_t)(i % 4) * stride + c]), w, acc[i]);
            }
        }
        if (--left == 0) {
            break;
        }
        UNROLLED
        for (int i = 0; i < pixels; i += 4) {
            in[i / 4] += p->in_row;
        }
    }
    pointwise_end(p, acc, 1, first, pixels, k);
}

/* Functions of their own, or the compiler would keep nothing in registers. */
#define POINTWISE_WIDE(name, pixels)                                                               \
    static __attribute__((noinline)) void pointwise_wide_##name(const struct conv_pointwise *p,    \
                                                                size_t first, size_t k)            \
    {                                                                                              \
        pointwise_wide(p, first, pixels, k);                                                       \
    }
#define POINTWISE_NARROW(name, pixels)                                                             \
    static __attribute__((noinline)) void pointwise_narrow_##name(const struct conv_pointwise *p,  \
                                                                  size_t first, size_t k)          \
    {                                                                                              \
        pointwise_narrow(p, first, pixels, k);                                                     \
    }
enum {
    POINTWISE_WHOLE = TILE_PIXELS,
    POINTWISE_MOST = TILE_PIXELS * 2 / 3,
    POINTWISE_FEW = TILE_PIXELS / 3
};
POINTWISE_WIDE(whole, POINTWISE_WHOLE)
POINTWISE_WIDE(most, POINTWISE_MOST)
POINTWISE_WIDE(few, POINTWISE_FEW)
POINTWISE_WIDE(one, 1)
POINTWISE_NARROW(double, NARROW_PIXELS)
POINTWISE_NARROW(whole, POINTWISE_WHOLE)
POINTWISE_NARROW(most, POINTWISE_MOST)
POINTWISE_NARROW(few, POINTWISE_FEW)
POINTWISE_NARROW(one, 1)

typedef void pointwise_block(const struct conv_pointwise *p, size_t first, size_t k);

/* All filters of a few pixels before the next ones. */
static inline size_t pointwise_blocks(const struct conv_pointwise *p, size_t first, size_t pixels,
                                      pointwise_block *two, pointwise_block *one)
{
    for (; first + pixels <= p->pixels; first += pixels) {
        size_t k = 0;
        for (; k + VEC_WIDTH < p->filters; k += TILE_FILTERS) {
            two(p, first, k);
        }
        if (k < p->filters) {
            one(p, first, k);
        }
    }
    return first;
}

static void pointwise_slot(const struct conv_pointwise *p)
{
    size_t i = 0;
    if (p->filters <= VEC_WIDTH) {
        for (; i + NARROW_PIXELS <= p->pixels; i += NARROW_PIXELS) {
            pointwise_narrow_double(p, i, 0);
        }
    }
    i = pointwise_blocks(p, i, POINTWISE_WHOLE, pointwise_wide_whole, pointwise_narrow_whole);
    i = pointwise_blocks(p, i, POINTWISE_MOST, pointwise_wide_most, pointwise_narrow_most);
    i = pointwise_blocks(p, i, POINTWISE_FEW, pointwise_wide_few, pointwise_narrow_few);
    pointwise_blocks(p, i, 1, pointwise_wide_one, pointwise_narrow_one);
}

void OF_ISA(pointwise_install)(struct kernels *kern)
{
    kern->conv.pointwise = pointwise_slot;
}
