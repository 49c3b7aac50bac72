/* The depthwise slots of slots_conv.h over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include "kernels/epilogue_template.h"
#include "kernels/tile_template.h"
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

/* Row r of what filters from k on read. */
INLINED const float *depthwise_row(const struct conv_depthwise *d, int r, size_t k)
{
    const float *row = d->in_rows ? d->in_rows[r] : d->at.in + (size_t)r * d->at.in_row;
    return row + (d->plane > 0 ? k / VEC_WIDTH * d->plane : k);
}

/* What becomes of the sums of `count` pixels of one vector of filters. */
INLINED void depthwise_end(const struct conv_depthwise *d, vec *acc, size_t first, const int count,
                           size_t k, size_t part)
{
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
    const float *weights = d->weights + k;
    for (int r = 0; r < d->at.rows; r++, weights += d->at.weight_row) {
        const float *pixel = depthwise_row(d, r, spread ? 0 : k) + first * step;
        const float *weight = weights;
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
    depthwise_end(d, acc, first, count, k, part);
}

/* Taps of a side, and weights of a window that stay in registers while a row passes. */
enum { WINDOW_SIDE = 5, WINDOW_KEPT = TILE_VECTORS == 4 ? 9 : 0 };

/* Some of the weights, or, with `pairs`, all of them for two pixels. */
INLINED vec depthwise_weights_of(const float *weights, const bool pairs)
{
    return pairs ? vec_load_twice(weights) : vec_load(weights);
}

/* depthwise_end for vectors of two pixels of half as many filters. */
INLINED void depthwise_end_pairs(const struct conv_depthwise *d, vec *acc, size_t first,
                                 const int count)
{
    size_t stride = 2 * d->out_stride;
    vec scale = d->scale ? vec_load_twice(d->scale) : vec_set(1.0f);
    vec shift = d->shift ? vec_load_twice(d->shift) : vec_set(0.0f);
    epilogue_finish(acc, count, scale, shift, d->act);
    epilogue_put(acc, count, d->out + first * stride, stride, NULL, 0, VEC_WIDTH);
}

/* What neighbouring windows of one vector of filters from k on have in common. */
struct depthwise_windows {
    const float *rows[WINDOW_SIDE], *weights;
    vec kept[WINDOW_KEPT + 1];
    size_t k;
};

/* `count` neighbouring pixels of one whole vector for square windows of `side` <= WINDOW_SIDE taps, a constant, that lie `step`
 * taps apart: each input is loaded once a row. */
INLINED void depthwise_window(const struct conv_depthwise *d, const struct depthwise_windows *of,
                              size_t first, const int count, const int side, const int step,
                              size_t tap, const bool pairs)
{
    vec acc[DEPTHWISE_PIXELS];
    UNROLLED
    for (int i = 0; i < count; i++) {
        acc[i] = vec_set(0.0f);
    }
    UNROLLED
    for (int r = 0; r < side; r++) {
        const float *weights = of->weights + (size_t)r * d->at.weight_row;
        const float *row = of->rows[r] + first * (size_t)step * tap;
        vec w[WINDOW_SIDE];
        UNROLLED
        for (int s = 0; s < side; s++) {
            w[s] = side * side <= WINDOW_KEPT
                       ? of->kept[r * side + s]
                       : depthwise_weights_of(weights + (size_t)s * d->at.weight_tap, pairs);
        }
        UNROLLED
        for (int j = 0; j < (count - 1) * step + side; j++) {
            vec x = vec_load(row + (size_t)j * tap);
            IN_REGISTER(x);
            UNROLLED
            for (int i = 0; i < count; i++) {
                int s = j - i * step;
                if (s >= 0 && s < side) {
                    acc[i] = vec_fma(x, w[s], acc[i]);
                }
            }
        }
    }
    if (pairs) {
        depthwise_end_pairs(d, acc, first, count);
    } else {
        depthwise_end(d, acc, first, count, of->k, part_of((size_t)d->at.filters, of->k));
    }
}

/* `vectors` neighbouring windows of the filters from k on, in blocks of eight, four and perhaps one of six. What is still left of a row is
 * computed with some of the pixels before it, once more to the same bits. */
INLINED void depthwise_vectors(const struct conv_depthwise *d, size_t vectors, size_t k,
                               const int side, const int step, size_t tap, const bool pairs)
{
    struct depthwise_windows of = {.weights = d->weights + k, .k = k};
    UNROLLED
    for (int r = 0; r < side; r++) {
        of.rows[r] = depthwise_row(d, r, k);
    }
    const int kept = side * side <= WINDOW_KEPT ? side * side : 0;
    UNROLLED
    for (int t = 0; t < kept; t++) {
        const float *row = of.weights + (size_t)(t / side) * d->at.weight_row;
        of.kept[t] = depthwise_weights_of(row + (size_t)(t % side) * d->at.weight_tap, pairs);
    }
    size_t i = 0, left = vectors % 8;
    if (left == 6 || (left == 2 && vectors > 2)) {
        depthwise_window(d, &of, 0, 6, side, step, tap, pairs);
        i = 6;
    }
    for (; i + 8 <= vectors; i += 8) {
        depthwise_window(d, &of, i, 8, side, step, tap, pairs);
    }
    for (; i < vectors; i += 4) {
        depthwise_window(d, &of, i + 4 <= vectors ? i : vectors - 4, 4, side, step, tap, pairs);
    }
}

/* Windows of 3 x 3 taps where pixels of half a vector of filters follow one another: a vector is two pixels, and the next
 * vector's windows lie two taps on. */
static __attribute__((noinline)) void depthwise_pairs_3(const struct conv_depthwise *d)
{
    depthwise_vectors(d, (size_t)d->at.pixels / 2, 0, 3, 2, VEC_WIDTH / 2, true);
}

/* Filters that the functions below compute: of planes all, else whole vectors. */
INLINED size_t depthwise_whole(const struct conv_depthwise *d)
{
    size_t filters = (size_t)d->at.filters;
    return d->plane > 0 ? filters : filters - filters % VEC_WIDTH;
}

/* Functions of their own, or the compiler would keep nothing in registers. Pixels of planes lie a constant apart. */
#define DEPTHWISE_WINDOWS(name, side, step, tap)                                                   \
    static __attribute__((noinline)) void depthwise_##name(const struct conv_depthwise *d)         \
    {                                                                                              \
        for (size_t k = 0; k < depthwise_whole(d); k += VEC_WIDTH) {                               \
            depthwise_vectors(d, (size_t)d->at.pixels, k, side, step, tap, false);                 \
        }                                                                                          \
    }
DEPTHWISE_WINDOWS(planes_3, 3, 1, VEC_WIDTH)
DEPTHWISE_WINDOWS(planes_3_by_2, 3, 2, VEC_WIDTH)
DEPTHWISE_WINDOWS(planes_5, 5, 1, VEC_WIDTH)
DEPTHWISE_WINDOWS(any_3, 3, 1, d->at.in_tap)
DEPTHWISE_WINDOWS(any_5, 5, 1, d->at.in_tap)

/* The function for this window; NULL: none. */
static void (*depthwise_windows_for(const struct conv_depthwise *d))(const struct conv_depthwise *)
{
    const struct depthwise_span *at = &d->at;
    bool in_planes = d->plane > 0, once = at->in_step == at->in_tap;
    size_t half = VEC_WIDTH / 2;
    if (at->rows != at->columns || at->multiplier > 1 || at->pixels < 4 || d->adds) {
        return NULL;
    }
    if (at->in_tap == half && d->out_stride == half && (size_t)at->filters == half) {
        bool fits = at->rows == 3 && once && at->pixels % 2 == 0 && at->pixels >= 8;
        return fits ? depthwise_pairs_3 : NULL;
    }
    if (at->rows == 3) {
        return once ? in_planes ? depthwise_planes_3 : depthwise_any_3
               : in_planes && at->in_step == 2 * at->in_tap ? depthwise_planes_3_by_2
                                                            : NULL;
    }
    return at->rows == 5 && once ? in_planes ? depthwise_planes_5 : depthwise_any_5 : NULL;
}

#define DEPTHWISE_PIXELS_OF(name, kind, count)                                                     \
    static __attribute__((noinline)) void depthwise_##name##_##count(                              \
        const struct conv_depthwise *d, size_t first, size_t k)                                    \
    {                                                                                              \
        depthwise_pixels(d, first, count, k, kind);                                                \
    }
DEPTHWISE_PIXELS_OF(whole, DEPTHWISE_WHOLE, 8)
DEPTHWISE_PIXELS_OF(whole, DEPTHWISE_WHOLE, 1)
DEPTHWISE_PIXELS_OF(part, DEPTHWISE_PART, 4)
DEPTHWISE_PIXELS_OF(part, DEPTHWISE_PART, 1)
DEPTHWISE_PIXELS_OF(spread, DEPTHWISE_SPREAD, 4)
DEPTHWISE_PIXELS_OF(spread, DEPTHWISE_SPREAD, 1)

static void depthwise_slot(const struct conv_depthwise *d)
{
    size_t pixels = (size_t)d->at.pixels, filters = (size_t)d->at.filters, k = 0;
    void (*windows)(const struct conv_depthwise *) = depthwise_windows_for(d);
    if (windows) {
        windows(d);
        k = windows == depthwise_pairs_3 ? filters : depthwise_whole(d);
    }
    for (; k < filters; k += VEC_WIDTH) {
        bool whole = k + VEC_WIDTH <= filters && d->at.multiplier == 1;
        size_t i = 0, count = whole ? 8 : 4;
        for (; i + count <= pixels; i += count) {
            (whole                  ? depthwise_whole_8
             : d->at.multiplier > 1 ? depthwise_spread_4
                                    : depthwise_part_4)(d, i, k);
        }
        for (; i < pixels; i++) {
            (whole                  ? depthwise_whole_1
             : d->at.multiplier > 1 ? depthwise_spread_1
                                    : depthwise_part_1)(d, i, k);
        }
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

/* All channels of a few pixels before the next ones: their windows overlap in L1. */
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
