/* The pointwise slot of slots_conv.h over the vectors of vec_template.h: blocks of TILE_PIXELS pixels by two vectors of filters,
 * from input to output in registers. */
#ifndef KERNELS_POINTWISE_TEMPLATE_H
#define KERNELS_POINTWISE_TEMPLATE_H

#include "kernels/slots_conv.h"
#include "kernels/tile_template.h"
#include "kernels/vec_template.h"

/* The filters from k on, of `pixels` pixels from `first` on. pixels, vectors and act are constants where this is
 * inlined. */
INLINED void pointwise_block(const struct conv_pointwise *p, size_t first, const int pixels,
                             size_t k, const int vectors, const enum activation act)
{
    vec acc[TILE_PIXELS][2];
    const float *in[TILE_PIXELS];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        in[i] = p->in + (first + (size_t)i) * p->in_stride;
        acc[i][0] = acc[i][1] = vec_set(0.0f);
    }
    tile_channels(acc, in, p->channels, p->panels + k * p->channels, pixels, vectors);
    for (int j = 0; j < vectors; j++, k += VEC_WIDTH) {
        size_t part = part_of(p->filters, k);
        vec scale = load_or(p->scale, k, part, 1.0f), shift = load_or(p->shift, k, part, 0.0f);
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            float *out = p->out + (first + (size_t)i) * p->out_stride + k;
            vec y = vec_activate(vec_fma(acc[i][j], scale, shift), act);
            put(out, p->adds ? vec_add(y, vec_load_part(out, part)) : y, part);
        }
    }
}

/* All filters of a few pixels before the next ones. */
INLINED void pointwise_filters(const struct conv_pointwise *p, size_t first, const int pixels,
                               const enum activation act)
{
    for (size_t k = 0; k < p->filters; k += TILE_FILTERS) {
        if (p->filters - k > VEC_WIDTH) {
            pointwise_block(p, first, pixels, k, 2, act);
        } else {
            pointwise_block(p, first, pixels, k, 1, act);
        }
    }
}

INLINED void pointwise_as(const struct conv_pointwise *p, const enum activation act)
{
    size_t i = 0;
    for (; i + TILE_PIXELS <= p->pixels; i += TILE_PIXELS) {
        pointwise_filters(p, i, TILE_PIXELS, act);
    }
    for (; i < p->pixels; i++) {
        pointwise_filters(p, i, 1, act);
    }
}

#define POINTWISE(act) pointwise_as(p, act)

static void pointwise_slot(const struct conv_pointwise *p)
{
    BY_ACTIVATION(p->act, POINTWISE)
}

#endif
