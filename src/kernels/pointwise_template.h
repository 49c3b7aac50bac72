/* The pointwise slot of slots_conv.h over the vectors of vec_template.h, from input to output in registers: blocks of
 * TILE_PIXELS pixels by two vectors of filters, or of twice as many pixels by one. */
#ifndef KERNELS_POINTWISE_TEMPLATE_H
#define KERNELS_POINTWISE_TEMPLATE_H

#include "kernels/slots_conv.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

enum { NARROW_PIXELS = 2 * TILE_PIXELS };

/* What becomes of the sums of `pixels` pixels and one vector of filters, k and its neighbours. */
INLINED void pointwise_end(const struct conv_pointwise *p, const vec *acc, const int step,
                           size_t first, const int pixels, size_t k, const enum activation act)
{
    if (p->unfinished) {
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            vec_store(p->sums + (first + (size_t)i) * p->sums_stride + k, acc[i * step]);
        }
        return;
    }
    size_t part = part_of(p->filters, k);
    vec scale = load_or(p->scale, k, part, 1.0f), shift = load_or(p->shift, k, part, 0.0f);
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        size_t pixel = first + (size_t)i;
        vec y = vec_activate(vec_fma(acc[i * step], scale, shift), act);
        if (p->addend) {
            y = vec_add(y, get(p->addend + pixel * p->addend_stride + k, part));
        }
        put(p->out + pixel * p->out_stride + k, y, part);
    }
}

INLINED vec pointwise_begin(const struct conv_pointwise *p, size_t pixel, size_t k)
{
    return p->continues ? vec_load(p->sums + pixel * p->sums_stride + k) : vec_set(0.0f);
}

/* Two vectors of filters from k on, of `pixels` <= TILE_PIXELS pixels from `first` on. pixels and act are constants
 * where this is inlined. */
INLINED void pointwise_wide(const struct conv_pointwise *p, size_t first, const int pixels,
                            size_t k, const enum activation act)
{
    vec acc[TILE_PIXELS][2];
    const float *in[TILE_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        in[i] = p->in + (first + (size_t)i) * p->in_stride;
        acc[i][0] = pointwise_begin(p, first + (size_t)i, k);
        acc[i][1] = pointwise_begin(p, first + (size_t)i, k + VEC_WIDTH);
    }
    const float *panel = p->panels + k / TILE_FILTERS * p->panel_stride;
    for (size_t r = 0; r < p->rows; r++) {
        panel = tile_channels(acc, in, p->channels, panel, pixels, 2);
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            in[i] += p->in_row;
        }
    }
    pointwise_end(p, &acc[0][0], 2, first, pixels, k, act);
    pointwise_end(p, &acc[0][1], 2, first, pixels, k + VEC_WIDTH, act);
}

/* One vector of filters from k on, of `pixels` <= NARROW_PIXELS. Four neighbours share a pointer: pixels outnumber
 * the registers for addresses. */
INLINED void pointwise_narrow(const struct conv_pointwise *p, size_t first, const int pixels,
                              size_t k, const enum activation act)
{
    vec acc[NARROW_PIXELS];
    size_t stride = p->in_stride;
    const float *in[NARROW_PIXELS / 4];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        acc[i] = pointwise_begin(p, first + (size_t)i, k);
    }
    UNROLLED
    for (int i = 0; i < pixels; i += 4) {
        in[i / 4] = p->in + (first + (size_t)i) * stride;
    }
    const float *panel = p->panels + k / TILE_FILTERS * p->panel_stride;
    for (size_t r = 0; r < p->rows; r++) {
        for (size_t c = 0; c < p->channels; c++, panel += TILE_FILTERS) {
            vec w = vec_load(panel);
            UNROLLED
            for (int i = 0; i < pixels; i++) {
                acc[i] = vec_fma(vec_set(in[i / 4][(size_t)(i % 4) * stride + c]), w, acc[i]);
            }
        }
        UNROLLED
        for (int i = 0; i < pixels; i += 4) {
            in[i / 4] += p->in_row;
        }
    }
    pointwise_end(p, acc, 1, first, pixels, k, act);
}

/* All filters of a few pixels before the next ones. */
INLINED void pointwise_filters(const struct conv_pointwise *p, size_t first, const int pixels,
                               const enum activation act)
{
    for (size_t k = 0; k < p->filters; k += TILE_FILTERS) {
        if (p->filters - k > VEC_WIDTH) {
            pointwise_wide(p, first, pixels, k, act);
        } else {
            pointwise_narrow(p, first, pixels, k, act);
        }
    }
}

INLINED void pointwise_as(const struct conv_pointwise *call, const enum activation act)
{
    const struct conv_pointwise own = *call, *p = &own; /* which no store to floats can change */
    size_t i = 0;
    if (p->filters <= VEC_WIDTH) {
        for (; i + NARROW_PIXELS <= p->pixels; i += NARROW_PIXELS) {
            pointwise_narrow(p, i, NARROW_PIXELS, 0, act);
        }
    }
    for (; i + TILE_PIXELS <= p->pixels; i += TILE_PIXELS) {
        pointwise_filters(p, i, TILE_PIXELS, act);
    }
    for (; i + TILE_PIXELS * 2 / 3 <= p->pixels; i += TILE_PIXELS * 2 / 3) {
        pointwise_filters(p, i, TILE_PIXELS * 2 / 3, act);
    }
    for (; i + 2 <= p->pixels; i += 2) {
        pointwise_filters(p, i, 2, act);
    }
    for (; i < p->pixels; i++) {
        pointwise_filters(p, i, 1, act);
    }
}

#define POINTWISE_AS(name, act)                                                                    \
    static void pointwise_##name(const struct conv_pointwise *p)                                   \
    {                                                                                              \
        pointwise_as(p, act);                                                                      \
    }
POINTWISE_AS(linear, ACT_LINEAR)
POINTWISE_AS(leaky, ACT_LEAKY)
POINTWISE_AS(relu, ACT_RELU)
POINTWISE_AS(relu6, ACT_RELU6)

/* out = act(out) + addend. */
INLINED void pointwise_activate(const struct conv_pointwise *p, const enum activation act)
{
    for (size_t i = 0; i < p->pixels; i++) {
        float *out = p->out + i * p->out_stride;
        for (size_t k = 0; k < p->filters; k += VEC_WIDTH) {
            size_t part = part_of(p->filters, k);
            vec y = vec_activate(get(out + k, part), act);
            if (p->addend) {
                y = vec_add(y, get(p->addend + i * p->addend_stride + k, part));
            }
            put(out + k, y, part);
        }
    }
}

#define POINTWISE_ACTIVATE(act) pointwise_activate(&part, act)

/* Activations of many instructions are applied to finished pixels, as long as they lie in L1: once an activation, not
 * once an activation and shape of block. */
static void pointwise_then_activate(const struct conv_pointwise *p)
{
    struct conv_pointwise part = *p;
    for (size_t left = p->pixels; left > 0; left -= part.pixels) {
        struct conv_pointwise plain = part;
        part.pixels = left < 4 * NARROW_PIXELS ? left : 4 * NARROW_PIXELS;
        plain.pixels = part.pixels;
        plain.addend = NULL;
        pointwise_linear(&plain);
        BY_ACTIVATION(p->act, POINTWISE_ACTIVATE)
        part.in += part.pixels * part.in_stride;
        part.sums += part.sums ? part.pixels * part.sums_stride : 0;
        part.out += part.pixels * part.out_stride;
        part.addend += part.addend ? part.pixels * part.addend_stride : 0;
    }
}

static void pointwise_slot(const struct conv_pointwise *p)
{
    if (p->unfinished || p->act == ACT_LINEAR) {
        pointwise_linear(p);
    } else if (p->act == ACT_LEAKY) {
        pointwise_leaky(p);
    } else if (p->act == ACT_RELU) {
        pointwise_relu(p);
    } else if (p->act == ACT_RELU6) {
        pointwise_relu6(p);
    } else {
        pointwise_then_activate(p);
    }
}

#endif
