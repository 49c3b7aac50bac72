/* The depthwise slots of slots_conv.h over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include "kernels/epilogue_template.h"
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
INLINED void depthwise_end(const struct conv_depthwise *d, vec *acc, size_t first, const int count,
                           size_t k)
{
    size_t part = part_of((size_t)d->at.filters, k);
    float *out = d->out + first * d->out_stride + k;
    epilogue_finish(acc, count, load_or(d->scale, k, part, 1.0f), load_or(d->shift, k, part, 0.0f),
                    d->act);
    epilogue_put(acc, count, out, d->out_stride, d->adds ? out : NULL, d->out_stride, part);
}

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

/* The same of one whole vector for windows of `columns` <= WINDOW_COLUMNS taps, a constant, that lie one tap apart: each
 * input is loaded once a row. */
INLINED void depthwise_window(const struct conv_depthwise *d, size_t first, const int count,
                              size_t k, const int columns)
{
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
            w[s] = vec_load(weights + (size_t)s * d->at.weight_tap);
        }
        const float *pixel = row;
        UNROLLED
        for (int j = 0; j < count + columns - 1; j++, pixel += d->at.in_tap) {
            vec x = vec_load(pixel);
            UNROLLED
            for (int s = 0; s < columns; s++) {
                if (j >= s && j - s < count) {
                    acc[j - s] = vec_fma(x, w[s], acc[j - s]);
                }
            }
        }
    }
    depthwise_end(d, acc, first, count, k);
}

/* All channels of a few pixels before the next ones: their windows overlap in L1. columns: of a window, 0: of any
 * kind. */
INLINED void depthwise_channels(const struct conv_depthwise *d, size_t first, const int count,
                                const int columns)
{
    size_t filters = (size_t)d->at.filters;
    for (size_t k = 0; k < filters; k += VEC_WIDTH) {
        if (d->at.multiplier > 1) {
            depthwise_pixels(d, first, count, k, DEPTHWISE_SPREAD);
        } else if (k + VEC_WIDTH > filters) {
            depthwise_pixels(d, first, count, k, DEPTHWISE_PART);
        } else if (columns > 0) {
            depthwise_window(d, first, count, k, columns);
        } else {
            depthwise_pixels(d, first, count, k, DEPTHWISE_WHOLE);
        }
    }
}

typedef void depthwise_block(const struct conv_depthwise *d, size_t first);

/* Functions of their own, or the compiler would keep nothing in registers. */
#define DEPTHWISE_BLOCK(count, columns)                                                            \
    static __attribute__((noinline)) void depthwise_##count##_##columns(                           \
        const struct conv_depthwise *d, size_t first)                                              \
    {                                                                                              \
        depthwise_channels(d, first, count, columns);                                              \
    }
DEPTHWISE_BLOCK(8, 0)
DEPTHWISE_BLOCK(8, 3)
DEPTHWISE_BLOCK(8, 5)
DEPTHWISE_BLOCK(4, 0)
DEPTHWISE_BLOCK(1, 0)

/* What is left of a row is computed with some of the pixels before it, once more to the same bits. */
static void depthwise_slot(const struct conv_depthwise *d)
{
    size_t pixels = (size_t)d->at.pixels, i = 0;
    bool once = d->at.in_step == d->at.in_tap, again = !d->adds;
    depthwise_block *block = once && d->at.columns == 3   ? depthwise_8_3
                             : once && d->at.columns == 5 ? depthwise_8_5
                                                          : depthwise_8_0;
    for (; i + 8 <= pixels; i += 8) {
        block(d, i);
    }
    if (i < pixels && pixels >= 8 && again) {
        block(d, pixels - 8);
        return;
    }
    for (; i + 4 <= pixels; i += 4) {
        depthwise_4_0(d, i);
    }
    if (i < pixels && pixels >= 4 && again) {
        depthwise_4_0(d, pixels - 4);
        return;
    }
    for (; i < pixels; i++) {
        depthwise_1_0(d, i);
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

void OF_ISA(depthwise_install)(struct kernels *kern)
{
    kern->conv.depthwise = depthwise_slot;
    kern->conv.depthwise_weights = depthwise_weights_slot;
}
