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

/* Two vectors of filters from k on, of pixels from `first` to `end` in blocks of `pixels` <= TILE_PIXELS, a constant where this is
 * inlined; behind the last whole block. */
INLINED size_t pointwise_wide(const struct conv_pointwise *p, size_t first, size_t end,
                              const int pixels, size_t k)
{
    struct pointwise_filters left_half = pointwise_filters_of(p, k),
                             right_half = pointwise_filters_of(p, k + VEC_WIDTH);
    const float *panels = p->panels + k / TILE_FILTERS * p->panel_stride;
    size_t channels = p->channels;
    for (; first + (size_t)pixels <= end; first += (size_t)pixels) {
        vec acc[TILE_PIXELS][2];
        const float *in[TILE_PIXELS], *panel = panels;
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
        pointwise_end(p, &left_half, &acc[0][0], 2, first, pixels, k);
        pointwise_end(p, &right_half, &acc[0][1], 2, first, pixels, k + VEC_WIDTH);
    }
    return first;
}

/* The same of one vector of filters, `pixels` <= NARROW_PIXELS. Four neighbours share a pointer: pixels outnumber the
 * registers for addresses. */
INLINED size_t pointwise_narrow(const struct conv_pointwise *p, size_t first, size_t end,
                                const int pixels, size_t k)
{
    struct pointwise_filters filters = pointwise_filters_of(p, k);
    const float *panels = p->panels + k / TILE_FILTERS * p->panel_stride;
    size_t stride = p->in_stride, channels = p->channels;
    for (; first + (size_t)pixels <= end; first += (size_t)pixels) {
        vec acc[NARROW_PIXELS];
        const float *in[NARROW_PIXELS / 4], *panel = panels;
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
        pointwise_end(p, &filters, acc, 1, first, pixels, k);
    }
    return first;
}

/* Functions of their own, or the compiler would keep nothing in registers. */
#define POINTWISE(kind, name, pixels)                                                              \
    static __attribute__((noinline)) size_t pointwise_##kind##_##name(                             \
        const struct conv_pointwise *p, size_t first, size_t end, size_t k)                        \
    {                                                                                              \
        return pointwise_##kind(p, first, end, pixels, k);                                         \
    }
enum {
    POINTWISE_WHOLE = TILE_PIXELS,
    POINTWISE_MOST = TILE_PIXELS * 2 / 3,
    POINTWISE_FEW = TILE_PIXELS / 3
};
POINTWISE(wide, whole, POINTWISE_WHOLE)
POINTWISE(wide, most, POINTWISE_MOST)
POINTWISE(wide, few, POINTWISE_FEW)
POINTWISE(wide, one, 1)
POINTWISE(narrow, double, NARROW_PIXELS)
POINTWISE(narrow, whole, POINTWISE_WHOLE)
POINTWISE(narrow, most, POINTWISE_MOST)
POINTWISE(narrow, few, POINTWISE_FEW)
POINTWISE(narrow, one, 1)

/* The last whole block and a few pixels go better as two of most. */
static inline size_t pointwise_end_of_wholes(size_t pixels)
{
    bool has_few = pixels > POINTWISE_WHOLE && pixels % POINTWISE_WHOLE == POINTWISE_FEW;
    return has_few ? pixels - POINTWISE_WHOLE - POINTWISE_FEW : pixels;
}

/* All pixels of a panel, which stays in L1, before the next one. */
static void pointwise_slot(const struct conv_pointwise *p)
{
    size_t end = p->pixels, wholes = pointwise_end_of_wholes(end), k = 0;
    for (; k + VEC_WIDTH < p->filters; k += TILE_FILTERS) {
        size_t i = pointwise_wide_whole(p, 0, wholes, k);
        i = pointwise_wide_most(p, i, end, k);
        i = pointwise_wide_few(p, i, end, k);
        pointwise_wide_one(p, i, end, k);
    }
    if (k < p->filters) {
        size_t i = pointwise_narrow_double(p, 0, end, k);
        i = pointwise_narrow_whole(p, i, end, k);
        i = pointwise_narrow_most(p, i, end, k);
        i = pointwise_narrow_few(p, i, end, k);
        pointwise_narrow_one(p, i, end, k);
    }
}

void OF_ISA(pointwise_install)(struct kernels *kern)
{
    kern->conv.pointwise = pointwise_slot;
}
