/* The depthwise slots of slots_conv.h over the vectors of vec_template.h. */
#ifndef KERNELS_DEPTHWISE_TEMPLATE_H
#define KERNELS_DEPTHWISE_TEMPLATE_H

#include "kernels/slots_conv.h"
#include "kernels/vec_template.h"

/* The input channels behind filters k .. k + part, each `multiplier` times. */
static inline vec depthwise_spread(const float *pixel, size_t k, size_t part, size_t multiplier)
{
    float spread[VEC_WIDTH];
    for (size_t i = 0; i < part; i++) {
        spread[i] = pixel[(k + i) / multiplier];
    }
    return vec_load_part(spread, part);
}

enum { DEPTHWISE_PIXELS = 8 };

/* What a vector of filters reads: a whole vector of channels, a part of one, or repeated channels.
 */
enum depthwise_kind { DEPTHWISE_WHOLE, DEPTHWISE_PART, DEPTHWISE_SPREAD };

/* What becomes of the sums of `count` pixels of one vector of filters. */
INLINED void depthwise_end_as(const struct conv_depthwise *d, const vec *acc, size_t first,
                              int count, size_t k, const enum activation act)
{
    size_t part = part_of((size_t)d->at.filters, k);
    vec scale = load_or(d->scale, k, part, 1.0f), shift = load_or(d->shift, k, part, 0.0f);
    float *out = d->out + first * d->out_stride + k;
    for (int i = 0; i < count; i++, out += d->out_stride) {
        vec y = vec_activate(vec_fma(acc[i], scale, shift), act);
        put(out, d->adds ? vec_add(y, get(out, part)) : y, part);
    }
}

#define DEPTHWISE_END(act) depthwise_end_as(d, acc, first, count, k, act)

/* Once an activation, not once an activation and shape of window. */
static __attribute__((noinline)) void depthwise_end(const struct conv_depthwise *d, const vec *acc,
                                                    size_t first, int count,
                                                    size_t k){BY_ACTIVATION(d->act, DEPTHWISE_END)}

/* `count` neighbouring pixels of one vector of filters from k on. count and kind are constants
 * where this is inlined. */
INLINED void depthwise_pixels(const struct conv_depthwise *d, size_t first, const int count,
                              size_t k, const enum depthwise_kind kind)
{
    bool whole = kind == DEPTHWISE_WHOLE, spread = kind == DEPTHWISE_SPREAD;
    size_t part = whole ? VEC_WIDTH : part_of((size_t)d->at.filters, k), step = d->at.in_step;
    size_t multiplier = (size_t)d->at.multiplier;
    vec acc[DEPTHWISE_PIXELS];
    UNROLLED
    for (int i = 0; i < count; i++) {
        acc[i] = vec_set(0.0f);
    }
    const float *row = d->at.in + first * step + (spread ? 0 : k), *weights = d->weights + k;
    for (int r = 0; r < d->at.rows; r++, row += d->at.in_row, weights += d->at.weight_row) {
        const float *pixel = row, *weight = weights;
        for (int s = 0; s < d->at.columns; s++, pixel += d->at.in_tap, weight += d->at.weight_tap) {
            vec w = whole ? vec_load(weight) : vec_load_part(weight, part);
            const float *at = pixel;
            UNROLLED
            for (int i = 0; i < count; i++, at += step) {
                vec x = whole    ? vec_load(at)
                        : spread ? depthwise_spread(at, k, part, multiplier)
                                 : vec_load_part(at, part);
                acc[i] = vec_fma(x, w, acc[i]);
            }
        }
    }
    depthwise_end(d, acc, first, count, k);
}

enum { WINDOW_COLUMNS = 5 };

/* The same for whole windows of `columns` <= WINDOW_COLUMNS taps whose pixels lie `stride` taps apart, constants like
 * count and whole: each input is loaded once a row. */
INLINED void depthwise_window(const struct conv_depthwise *d, size_t first, const int count,
                              size_t k, const bool whole, const int columns, const int stride)
{
    size_t part = whole ? VEC_WIDTH : part_of((size_t)d->at.filters, k);
    vec acc[DEPTHWISE_PIXELS];
    UNROLLED
    for (int i = 0; i < count; i++) {
        acc[i] = vec_set(0.0f);
    }
    const float *row = d->at.in + first * d->at.in_step + k, *weights = d->weights + k;
    for (int r = 0; r < d->at.rows; r++, row += d->at.in_row, weights += d->at.weight_row) {
        vec w[WINDOW_COLUMNS];
        UNROLLED
        for (int s = 0; s < columns; s++) {
            const float *weight = weights + (size_t)s * d->at.weight_tap;
            w[s] = whole ? vec_load(weight) : vec_load_part(weight, part);
        }
        const float *pixel = row;
        UNROLLED
        for (int j = 0; j < (count - 1) * stride + columns; j++, pixel += d->at.in_tap) {
            vec x = whole ? vec_load(pixel) : vec_load_part(pixel, part);
            UNROLLED
            for (int s = 0; s < columns; s++) {
                if (j >= s && (j - s) % stride == 0 && (j - s) / stride < count) {
                    acc[(j - s) / stride] = vec_fma(x, w[s], acc[(j - s) / stride]);
                }
            }
        }
    }
    depthwise_end(d, acc, first, count, k);
}

/* All channels of a few pixels before the next ones: their windows overlap in L1. */
INLINED void depthwise_channels(const struct conv_depthwise *d, size_t first, const int count)
{
    size_t filters = (size_t)d->at.filters;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        if (d->at.multiplier > 1) {
            depthwise_pixels(d, first, count, k, DEPTHWISE_SPREAD);
        } else if (k + VEC_WIDTH <= filters) {
            depthwise_pixels(d, first, count, k, DEPTHWISE_WHOLE);
        } else {
            depthwise_pixels(d, first, count, k, DEPTHWISE_PART);
        }
    }
}

INLINED void depthwise_windows(const struct conv_depthwise *d, size_t first, const int count,
                               const int columns, const int stride)
{
    size_t filters = (size_t)d->at.filters, k = 0;
    for (; k + VEC_WIDTH <= filters; k += VEC_WIDTH) {
        depthwise_window(d, first, count, k, true, columns, stride);
    }
    if (k < filters) {
        depthwise_window(d, first, count, k, false, columns, stride);
    }
}

/* call(first, count) for all pixels. */
#define DEPTHWISE_BLOCKS(call)                                                                     \
    size_t pixels = (size_t)d->at.pixels, i = 0;                                                   \
    for (; i + DEPTHWISE_PIXELS <= pixels; i += DEPTHWISE_PIXELS) {                                \
        call(i, DEPTHWISE_PIXELS);                                                                 \
    }                                                                                              \
    for (; i + 4 <= pixels; i += 4) {                                                              \
        call(i, 4);                                                                                \
    }                                                                                              \
    for (; i < pixels; i++) {                                                                      \
        call(i, 1);                                                                                \
    }

#define DEPTHWISE_CHANNELS(first, count) depthwise_channels(d, first, count)

static void depthwise_any(const struct conv_depthwise *d)
{
    DEPTHWISE_BLOCKS(DEPTHWISE_CHANNELS)
}

#define DEPTHWISE_3X1(first, count) depthwise_windows(d, first, count, 3, 1)
#define DEPTHWISE_3X2(first, count) depthwise_windows(d, first, count, 3, 2)
#define DEPTHWISE_5X1(first, count) depthwise_windows(d, first, count, 5, 1)
#define DEPTHWISE_5X2(first, count) depthwise_windows(d, first, count, 5, 2)

static void depthwise_3x1(const struct conv_depthwise *d)
{
    DEPTHWISE_BLOCKS(DEPTHWISE_3X1)
}
static void depthwise_3x2(const struct conv_depthwise *d)
{
    DEPTHWISE_BLOCKS(DEPTHWISE_3X2)
}
static void depthwise_5x1(const struct conv_depthwise *d)
{
    DEPTHWISE_BLOCKS(DEPTHWISE_5X1)
}
static void depthwise_5x2(const struct conv_depthwise *d)
{
    DEPTHWISE_BLOCKS(DEPTHWISE_5X2)
}

static void depthwise_slot(const struct conv_depthwise *d)
{
    bool once = d->at.in_step == d->at.in_tap, twice = d->at.in_step == 2 * d->at.in_tap;
    if (d->at.multiplier == 1 && d->at.columns == 3 && (once || twice)) {
        (once ? depthwise_3x1 : depthwise_3x2)(d);
    } else if (d->at.multiplier == 1 && d->at.columns == 5 && (once || twice)) {
        (once ? depthwise_5x1 : depthwise_5x2)(d);
    } else {
        depthwise_any(d);
    }
}

/* One vector of filters from k on and `columns` (at most 4) neighbouring taps of a row; columns and
 * kind are constants where this is inlined. */
INLINED void depthwise_weights_taps(const struct conv_depthwise_weights *d, size_t first,
                                    size_t end, size_t at, size_t k, float *dw, const int columns,
                                    const enum depthwise_kind kind)
{
    bool whole = kind == DEPTHWISE_WHOLE, spread = kind == DEPTHWISE_SPREAD;
    size_t part = whole ? VEC_WIDTH : part_of((size_t)d->at.filters, k);
    vec sum[4];
    UNROLLED
    for (int s = 0; s < columns; s++) {
        sum[s] = vec_set(0.0f);
    }
    const float *in = d->at.in + first * d->at.in_step + at + (spread ? 0 : k);
    const float *dz = d->dz + first * d->dz_stride + k;
    for (size_t i = first; i < end; i++) {
        vec z = whole ? vec_load(dz) : vec_load_part(dz, part);
        UNROLLED
        for (int s = 0; s < columns; s++) {
            const float *pixel = in + (size_t)s * d->at.in_tap;
            vec x = whole    ? vec_load(pixel)
                    : spread ? depthwise_spread(pixel, k, part, (size_t)d->at.multiplier)
                             : vec_load_part(pixel, part);
            sum[s] = vec_fma(x, z, sum[s]);
        }
        in += d->at.in_step;
        dz += d->dz_stride;
    }
    UNROLLED
    for (int s = 0; s < columns; s++) {
        float *to = dw + (size_t)s * d->at.weight_tap + k;
        put(to, vec_add(vec_load_part(to, part), sum[s]), part);
    }
}

INLINED void depthwise_weights_row(const struct conv_depthwise_weights *d, size_t first, size_t end,
                                   size_t r, size_t k, const enum depthwise_kind kind)
{
    for (size_t s = 0; s < (size_t)d->at.columns;) {
        size_t left = (size_t)d->at.columns - s;
        size_t at = r * d->at.in_row + s * d->at.in_tap;
        float *dw = d->dw + r * d->at.weight_row + s * d->at.weight_tap;
        if (left == 3) {
            depthwise_weights_taps(d, first, end, at, k, dw, 3, kind);
            s += 3;
        } else if (left >= 4) {
            depthwise_weights_taps(d, first, end, at, k, dw, 4, kind);
            s += 4;
        } else {
            depthwise_weights_taps(d, first, end, at, k, dw, 1, kind);
            s++;
        }
    }
}

/* As in depthwise_slot, all channels of a few pixels before the next ones. */
enum { DEPTHWISE_WEIGHTS_PIXELS = 16 };

static void depthwise_weights_slot(const struct conv_depthwise_weights *d)
{
    size_t filters = (size_t)d->at.filters, pixels = (size_t)d->at.pixels;
    for (size_t first = 0, end; first < pixels; first = end) {
        size_t left = pixels - first;
        end = first + (left < DEPTHWISE_WEIGHTS_PIXELS ? left : DEPTHWISE_WEIGHTS_PIXELS);
        for (size_t k = 0; k < filters; k += VEC_WIDTH) {
            for (size_t r = 0; r < (size_t)d->at.rows; r++) {
                if (d->at.multiplier > 1) {
                    depthwise_weights_row(d, first, end, r, k, DEPTHWISE_SPREAD);
                } else if (k + VEC_WIDTH <= filters) {
                    depthwise_weights_row(d, first, end, r, k, DEPTHWISE_WHOLE);
                } else {
                    depthwise_weights_row(d, first, end, r, k, DEPTHWISE_PART);
                }
            }
        }
    }
}

#endif
