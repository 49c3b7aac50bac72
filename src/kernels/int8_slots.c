/* The slots of slots_int8.h, written once over integer vectors. An instruction set's *_int8_vec.h has defined INT8_LANES and
 * the types below, and does in its own way: dot_pairs(sum, a, b), sum + a b added up in pairs; pairs_of(a, b), bytes of two pixels in turns; nearest(x), to whole
 * numbers, ties to even; least, greatest of floats; store_bytes(to, x, count): the first lanes, each 0 .. 255; if it likes, store_four and store_twice_two; where ISA_VNNI
 * is 1, dot_quads(sum, a, b), the same of four unsigned by four signed bytes. */
#include "kernels/slots_int8.h"

#include <string.h>

#include "kernels/isa.h"
#include "kernels/template.h"

#if ISA_BITS == 512
#include "kernels/avx512_int8_vec.h"
#elif ISA_BITS == 256
#include "kernels/avx2_int8_vec.h"
#else
#include "kernels/scalar_int8_vec.h"
#endif

enum { INT8_FILTERS = 2 * INT8_LANES };

#ifndef INT8_STORES_FOUR
/* Of four pixels `stride` apart. */
INLINED void store_four(uint8_t *to, size_t stride, const ints x[4])
{
    for (size_t i = 0; i < 4; i++) {
        store_bytes(to + i * stride, x[i], INT8_LANES);
    }
}

/* Two vectors of two pixels. */
INLINED void store_twice_two(uint8_t *to, size_t stride, const ints x[4])
{
    for (size_t i = 0; i < 4; i++) {
        store_bytes(to + i / 2 * stride + i % 2 * INT8_LANES, x[i], INT8_LANES);
    }
}
#endif

INLINED words words_load(const void *p)
{
    words v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINED void words_store(void *p, words v)
{
    memcpy(p, &v, sizeof v);
}

INLINED halves halves_load(const void *p)
{
    halves v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINED void halves_store(void *p, halves v)
{
    memcpy(p, &v, sizeof v);
}

INLINED words words_of(uint32_t x)
{
    return x - (words){0};
}

INLINED floats floats_of(float x)
{
    return x - (floats){0};
}

INLINED floats floats_load(const float *p)
{
    floats v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINED floats floats_load_part(const float *p, size_t count)
{
    floats v = {0};
    memcpy(&v, p, (count < INT8_LANES ? count : INT8_LANES) * sizeof *p);
    return v;
}

INLINED halves widen(const uint8_t *p)
{
    bytes v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, halves);
}

INLINED halves widen_part(const uint8_t *p, size_t count)
{
    bytes v = {0};
    memcpy(&v, p, count);
    return __builtin_convertvector(v, halves);
}

INLINED ints lanes_of(const uint8_t *p, size_t count)
{
    if (count >= INT8_LANES) {
        return lanes_load(p);
    }
    uint8_t part[INT8_LANES] = {0};
    memcpy(part, p, count);
    return lanes_load(part);
}

/* ---- epilogue ---- */

/* e^x to within 1e-6 of it; |x| <= 80. */
INLINED floats int8_exp(floats x)
{
    ints n = nearest(x * 1.44269504f);
    floats r = x - __builtin_convertvector(n, floats) * 0.693147181f;
    floats p = r * 0.00836874545f + 0.041668389f;
    p = p * r + 0.166665211f;
    p = p * r + 0.49999994f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return (floats)((words)p + ((words)n << 23));
}

INLINED floats bounded(floats x)
{
    return greatest(least(x, floats_of(80.0f)), floats_of(-80.0f));
}

INLINED floats choose(ints mask, floats yes, floats no)
{
    return (floats)((mask & (ints)yes) | (~mask & (ints)no));
}

INLINED floats int8_activate(floats x, const enum activation act)
{
    switch (act) {
    case ACT_LEAKY:
        return greatest(x, x * 0.1f);
    case ACT_LOGISTIC:
        return 1.0f / (int8_exp(-bounded(x)) + 1.0f);
    case ACT_SWISH:
        return x / (int8_exp(-bounded(x)) + 1.0f);
    case ACT_MISH: {
        floats e = int8_exp(least(bounded(x), floats_of(20.0f)));
        floats n = e * (e + 2.0f);
        return x * (n / (n + 2.0f));
    }
    case ACT_HARD_MISH: {
        floats curve = greatest(x, floats_of(-2.0f));
        return choose(x > 0.0f, x, curve * (curve * 0.5f + 1.0f));
    }
    default:
        return x; /* the bounds of relu and relu6 are the epilogue's */
    }
}

/* Of a vector of channels. */
struct channel_terms {
    words offset;
    ints zero;
    floats scale, shift, per_step, low, high;
};

INLINED ints to_steps(floats r, const struct channel_terms *t, const enum activation act)
{
    r = int8_activate(r, act);
    if (act == ACT_LOGISTIC || act == ACT_SWISH || act == ACT_MISH || act == ACT_HARD_MISH) {
        r = r * t->per_step;
    }
    return nearest(greatest(least(r, t->high), t->low)) + t->zero;
}

INLINED struct channel_terms terms_of(const struct int8_epilogue *e, size_t first)
{
    return (struct channel_terms){
        .offset = words_load(e->offset + first),
        .zero = (ints)words_load(e->zero + first),
        .scale = floats_load(e->scale + first),
        .shift = floats_load(e->shift + first),
        .per_step = floats_load(e->per_step + first),
        .low = floats_load(e->low + first),
        .high = floats_load(e->high + first),
    };
}

/* The sum has its offset. */
INLINED ints finished_sum(words sum, const struct channel_terms *t, const enum activation act)
{
    floats r = __builtin_convertvector((ints)sum, floats) * t->scale;
    return to_steps(r + t->shift, t, act);
}

INLINED ints finished(words sum, const struct channel_terms *t, const enum activation act)
{
    return finished_sum(sum + t->offset, t, act);
}

INLINED void finish_as8(const struct int8_finish *f, const enum activation act)
{
    for (size_t k = 0; k < f->filters; k += INT8_LANES) {
        size_t left = f->filters - k;
        struct channel_terms t = terms_of(f->e, f->first + k);
        const uint32_t *acc = f->acc + k;
        uint8_t *out = f->out + k;
        size_t i = 0;
        for (; left >= INT8_LANES && i + 4 <= f->pixels; i += 4, out += 4 * f->out_stride) {
            ints y[4];
            UNROLLED
            for (int p = 0; p < 4; p++, acc += f->acc_stride) {
                y[p] = finished(words_load(acc), &t, act);
            }
            store_four(out, f->out_stride, y);
        }
        for (; i < f->pixels; i++, acc += f->acc_stride, out += f->out_stride) {
            store_bytes(out, finished(words_load(acc), &t, act), left);
        }
    }
}

#define FINISH8(act) finish_as8(f, act)

static void int8_finish_slot(const struct int8_finish *f)
{
    BY_ACTIVATION(f->e->act, FINISH8)
}

/* ---- the tile ---- */

#if ISA_VNNI
enum { HAS_QUADS = 1 };
#else
enum { HAS_QUADS = 0 };
INLINED words dot_quads(words sum, words x, words weights)
{
    (void)x, (void)weights; /* nobody asks for it */
    return sum;
}
#endif

INLINED words dot(words sum, words x, words weights, const bool in_quads)
{
    return in_quads ? dot_quads(sum, x, weights) : dot_pairs(sum, (halves)x, (halves)weights);
}

/* pixels and in_quads are constants where this is inlined, so that acc lives in registers. */
INLINED void tile_of(const struct int8_tile *t, const int pixels, const bool in_quads)
{
    words acc[INT8_PIXELS][2];
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        const uint32_t *from = t->acc + (size_t)i * t->acc_stride;
        acc[i][0] = t->accumulate ? words_load(from) : words_of(0);
        acc[i][1] = t->accumulate ? words_load(from + INT8_LANES) : words_of(0);
    }
    const char *panel = t->panel, *in = t->in;
    for (size_t s = 0; s < t->steps; s++, panel += 2 * sizeof(words), in += 4) {
        words first = words_load(panel), second = words_load(panel + sizeof(words));
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            uint32_t step;
            memcpy(&step, in + (size_t)i * t->in_stride, sizeof step);
            words x = words_of(step);
            acc[i][0] = dot(acc[i][0], x, first, in_quads);
            acc[i][1] = dot(acc[i][1], x, second, in_quads);
        }
    }
    UNROLLED
    for (int i = 0; i < pixels; i++) {
        uint32_t *to = t->acc + (size_t)i * t->acc_stride;
        words_store(to, acc[i][0]);
        words_store(to + INT8_LANES, acc[i][1]);
    }
}

#define TILE8_CASE(count, in_quads)                                                                \
    case count:                                                                                    \
        tile_of(t, count, in_quads);                                                               \
        break;

#if INT8_PIXELS >= 6
#define TILE8_CASES_TO_6(in_quads) TILE8_CASE(5, in_quads) TILE8_CASE(6, in_quads)
#else
#define TILE8_CASES_TO_6(in_quads)
#endif
#if INT8_PIXELS >= 12
#define TILE8_CASES_TO_12(in_quads)                                                                \
    TILE8_CASE(7, in_quads)                                                                        \
    TILE8_CASE(8, in_quads)                                                                        \
    TILE8_CASE(9, in_quads)                                                                        \
    TILE8_CASE(10, in_quads) TILE8_CASE(11, in_quads) TILE8_CASE(12, in_quads)
#else
#define TILE8_CASES_TO_12(in_quads)
#endif

#define TILE8(in_quads)                                                                            \
    switch (t->pixels) {                                                                           \
        TILE8_CASE(1, in_quads)                                                                    \
        TILE8_CASE(2, in_quads)                                                                    \
        TILE8_CASE(3, in_quads)                                                                    \
        TILE8_CASE(4, in_quads)                                                                    \
        TILE8_CASES_TO_6(in_quads)                                                                 \
        TILE8_CASES_TO_12(in_quads)                                                                \
    default:                                                                                       \
        break;                                                                                     \
    }

static void int8_tile_pairs_slot(const struct int8_tile *t)
{
    TILE8(false)
}

#if ISA_VNNI
static void int8_tile_quads_slot(const struct int8_tile *t)
{
    TILE8(true)
}
#else
#define int8_tile_quads_slot NULL
#endif

/* acc += the sums of one panel. */
INLINED void block_sums(const struct int8_block *b, size_t first, const char *panel,
                        words acc[INT8_PIXELS][2], const int pixels)
{
    const char *in = (const char *)b->in + first * b->in_stride;
    for (size_t s = 0; s < b->steps; s++, panel += 2 * sizeof(words), in += 4) {
        words left = words_load(panel), right = words_load(panel + sizeof(words));
        UNROLLED
        for (int i = 0; i < pixels; i++) {
            uint32_t step;
            memcpy(&step, in + (size_t)i * b->in_stride, sizeof step);
            acc[i][0] = dot_pairs(acc[i][0], (halves)words_of(step), (halves)left);
            acc[i][1] = dot_pairs(acc[i][1], (halves)words_of(step), (halves)right);
        }
    }
}

/* All pixels of the filters of one panel, from k on. */
INLINED void block_of(const struct int8_block *b, size_t k, const int pixels,
                      const enum activation act)
{
    const char *panel = (const char *)b->panels + k / INT8_FILTERS * b->panel_stride;
    size_t left = b->filters - k;
    bool has_both = left > INT8_LANES;
    struct channel_terms first_half = terms_of(b->e, k),
                         second_half = terms_of(b->e, has_both ? k + INT8_LANES : k);
    for (size_t i = 0; i < b->pixels; i += (size_t)pixels) {
        size_t first = i + (size_t)pixels <= b->pixels ? i : b->pixels - (size_t)pixels;
        uint8_t *out = b->out + first * b->out_stride + k;
        words acc[INT8_PIXELS][2];
        UNROLLED
        for (int p = 0; p < pixels; p++) {
            acc[p][0] = first_half.offset;
            acc[p][1] = second_half.offset;
        }
        block_sums(b, first, panel, acc, pixels);
        if (left >= INT8_FILTERS && pixels % 2 == 0) {
            UNROLLED
            for (int p = 0; p < pixels; p += 2, out += 2 * b->out_stride) {
                const ints y[4] = {finished_sum(acc[p][0], &first_half, act),
                                   finished_sum(acc[p][1], &second_half, act),
                                   finished_sum(acc[p + 1][0], &first_half, act),
                                   finished_sum(acc[p + 1][1], &second_half, act)};
                store_twice_two(out, b->out_stride, y);
            }
            continue;
        }
        UNROLLED
        for (int p = 0; p < pixels; p++, out += b->out_stride) {
            store_bytes(out, finished_sum(acc[p][0], &first_half, act), left);
            if (has_both) {
                store_bytes(out + INT8_LANES, finished_sum(acc[p][1], &second_half, act),
                            left - INT8_LANES);
            }
        }
    }
}

/* Functions of their own, or the compiler would keep nothing in registers. */
#define INT8_BLOCK(name, pixels, act)                                                              \
    static __attribute__((noinline)) void block_##name(const struct int8_block *b, size_t k)       \
    {                                                                                              \
        block_of(b, k, pixels, act);                                                               \
    }
INT8_BLOCK(leaky, INT8_PIXELS, ACT_LEAKY)
INT8_BLOCK(leaky_one, 1, ACT_LEAKY)
INT8_BLOCK(linear, INT8_PIXELS, ACT_LINEAR)
INT8_BLOCK(linear_one, 1, ACT_LINEAR)

/* The bounds of relu and relu6 are the epilogue's. What is left behind the last whole block is computed with some of the
 * pixels before it, once more to the same bytes. */
static void int8_block_slot(const struct int8_block *b)
{
    bool is_leaky = b->e->act == ACT_LEAKY, whole = b->pixels >= INT8_PIXELS;
    for (size_t k = 0; k < b->filters; k += INT8_FILTERS) {
        if (whole) {
            (is_leaky ? block_leaky : block_linear)(b, k);
        } else {
            (is_leaky ? block_leaky_one : block_linear_one)(b, k);
        }
    }
}

static void int8_widen_slot(const uint8_t *from, size_t count, int16_t *to)
{
    size_t i = 0;
    for (; i + INT8_FILTERS <= count; i += INT8_FILTERS) {
        halves_store(to + i, widen(from + i));
    }
    for (; i + INT8_LANES <= count; i += INT8_LANES) {
        lanes_widen(from + i, to + i);
    }
    for (; i < count; i++) {
        to[i] = from[i];
    }
}

/* ---- Winograd ---- */

/* B^T d. */
INLINED void int8_input_line(const halves d[6], halves v[6])
{
    halves even = d[4] - d[2] * 4, odd = d[3] - d[1] * 4;
    halves far_even = d[4] - d[2], far_odd = (d[3] - d[1]) * 2;
    v[0] = (d[0] - d[2]) * 4 + far_even;
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = far_even + far_odd;
    v[4] = far_even - far_odd;
    v[5] = (d[1] - d[3]) * 4 + (d[5] - d[3]);
}

static void int8_winograd_input_slot(const struct int8_winograd_input *w)
{
    for (size_t c = 0; c < w->channels; c += INT8_FILTERS) {
        size_t left = w->channels - c;
        halves columns[6][6];
        UNROLLED
        for (int x = 0; x < 6; x++) {
            halves d[6], v[6];
            UNROLLED
            for (int y = 0; y < 6; y++) {
                const uint8_t *in = w->in[y * 6 + x] + w->offset + c;
                d[y] = left >= INT8_FILTERS ? widen(in) : widen_part(in, left);
            }
            int8_input_line(d, v);
            UNROLLED
            for (int y = 0; y < 6; y++) {
                columns[y][x] = v[y];
            }
        }
        int16_t *to = w->v + c;
        UNROLLED
        for (int y = 0; y < 6; y++) {
            halves v[6];
            int8_input_line(columns[y], v);
            UNROLLED
            for (int x = 0; x < 6; x++) {
                halves_store(to, v[x]);
                to += w->xi_stride;
            }
        }
    }
}

/* G g, each row times what makes it whole: 4, -6, -6, 24, 24, 1. */
INLINED void int8_filter_line(const halves g[3], halves u[6])
{
    halves ends = g[0] + g[2], far_ends = g[0] + g[2] * 4, twice = g[1] * 2;
    u[0] = g[0];
    u[1] = ends + g[1];
    u[2] = ends - g[1];
    u[3] = far_ends + twice;
    u[4] = far_ends - twice;
    u[5] = g[2];
}

static void int8_winograd_filter_slot(const struct int8_winograd_filter *w)
{
    for (size_t p = 0; p < w->pairs; p++) {
        for (size_t half = 0; half < 2; half++) {
            const int8_t *from = w->weights + p * 9 * 2 * INT8_FILTERS + half * INT8_FILTERS;
            int16_t *to = w->u + (p * 2 + half) * INT8_FILTERS;
            halves columns[6][3];
            UNROLLED
            for (size_t s = 0; s < 3; s++) {
                halves x[3], u[6];
                UNROLLED
                for (size_t r = 0; r < 3; r++) {
                    signed_bytes taps;
                    memcpy(&taps, from + (r * 3 + s) * 2 * INT8_FILTERS, sizeof taps);
                    x[r] = __builtin_convertvector(taps, halves);
                }
                int8_filter_line(x, u);
                UNROLLED
                for (size_t r = 0; r < 6; r++) {
                    columns[r][s] = u[r];
                }
            }
            UNROLLED
            for (size_t r = 0; r < 6; r++) {
                halves u[6];
                int8_filter_line(columns[r], u);
                UNROLLED
                for (size_t s = 0; s < 6; s++) {
                    halves_store(to, u[s]);
                    to += w->xi_stride;
                }
            }
        }
    }
}

/* A^T m of rows scaled as int8_filter_line leaves them: 24, 12, 6 and 6 times the result. */
INLINED void int8_output_line(const words m[6], words y[4])
{
    words sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    words sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] * 6 - sum_a * 4 + sum_b;
    y[1] = difference_b - difference_a * 2;
    y[2] = sum_b - sum_a;
    y[3] = difference_b * 2 - difference_a + m[5] * 6;
}

INLINED void winograd_output_as8(const struct int8_winograd_output *w, const enum activation act)
{
    static const int twos[4] = {3, 2, 1, 1}; /* powers of two in 24, 12, 6, 6 */
    for (size_t k = 0; k < w->filters; k += INT8_LANES) {
        size_t left = w->filters - k;
        struct channel_terms t = terms_of(w->e, w->first + k);
        words columns[4][6];
        for (int x = 0; x < 6; x++) {
            words m[6], y[4];
            UNROLLED
            for (int r = 0; r < 6; r++) {
                m[r] = words_load(w->m + (size_t)(r * 6 + x) * w->xi_stride + k);
            }
            int8_output_line(m, y);
            UNROLLED
            for (int r = 0; r < 4; r++) {
                columns[r][x] = y[r];
            }
        }
        for (int r = 0; r < w->rows; r++) {
            words y[4];
            int8_output_line(columns[r], y);
            uint8_t *out = w->out + (size_t)r * w->row_stride + k;
            UNROLLED
            for (int s = 0; s < 4; s++) {
                if (s < w->columns) {
                    /* 954437177 * 9 = 1 modulo 2^32: the division by the odd part is exact. */
                    ints exact = (ints)(y[s] * 954437177u) >> (twos[r] + twos[s]);
                    store_bytes(out + (size_t)s * w->pixel_stride, finished((words)exact, &t, act),
                                left);
                }
            }
        }
    }
}

#define WINOGRAD_OUTPUT8(act) winograd_output_as8(w, act)

static void int8_winograd_output_slot(const struct int8_winograd_output *w)
{
    BY_ACTIVATION(w->e->act, WINOGRAD_OUTPUT8)
}

/* ---- depthwise ---- */

/* As many as registers hold with the weights of a row. */
enum { DEPTHWISE8_PIXELS = ISA_BITS == 512 ? 8 : 4, DEPTHWISE8_CHUNK = 32 };

/* Any window, of one pixel. */
static void depthwise8_any(const struct int8_depthwise *d, size_t first, size_t c,
                           const uint32_t *weights, words *to)
{
    words sum = words_of(0);
    size_t at = first * d->in_step + c;
    for (int r = 0; r < d->rows; r += 2) {
        bool is_last = r + 1 == d->rows;
        const uint8_t *above = d->in[r] + at;
        const uint8_t *below = is_last ? above + d->in_tap : d->in[r + 1] + at;
        size_t next = is_last ? 2 * d->in_tap : d->in_tap;
        for (int s = 0; s < d->columns; s += is_last ? 2 : 1, weights += INT8_LANES) {
            sum = dot_pairs(sum, pairs_of(above, below), halves_load(weights));
            above += next;
            below += next;
        }
    }
    *to = sum;
}

typedef void depthwise8_block(const struct int8_depthwise *d, size_t first, size_t c,
                              const uint32_t *weights, words *to);

#if ISA_BITS > 0
/* Sums of DEPTHWISE8_PIXELS neighbours, of the channels from c on, for square windows of `side` taps that lie `step` taps apart,
 * constants: each input is loaded once for a pair of rows. */
INLINED void depthwise8_window(const struct int8_depthwise *d, size_t first, size_t c,
                               const uint32_t *weights, words *to, const int side, const int step)
{
    const int count = DEPTHWISE8_PIXELS;
    words acc[DEPTHWISE8_PIXELS];
    size_t tap = d->in_tap, at = first * d->in_step + c;
    UNROLLED
    for (int i = 0; i < count; i++) {
        acc[i] = words_of(0);
    }
    UNROLLED
    for (int r = 0; r < side; r += 2, weights += side * INT8_LANES) {
        bool is_last = r + 1 == side;
        const uint8_t *above = d->in[r] + at, *below = is_last ? above + tap : d->in[r + 1] + at;
        UNROLLED
        for (int j = 0; j < (count - 1) * step + side; j++, above += tap, below += tap) {
            halves x = pairs_of(above, below);
            UNROLLED
            for (int i = 0; i < count; i++) {
                int s = j - i * step;
                if (s >= 0 && s < side && !(is_last && s % 2 > 0)) {
                    int pair = is_last ? s / 2 : s;
                    acc[i] = dot_pairs(acc[i], x, halves_load(weights + pair * INT8_LANES));
                }
            }
        }
    }
    UNROLLED
    for (int i = 0; i < count; i++) {
        to[i] = acc[i];
    }
}

/* Functions of their own, or the compiler would keep nothing in registers. */
#define DEPTHWISE8_BLOCK(side, step)                                                               \
    static __attribute__((noinline)) void depthwise8_##side##_by_##step(                           \
        const struct int8_depthwise *d, size_t first, size_t c, const uint32_t *weights,           \
        words *to)                                                                                 \
    {                                                                                              \
        depthwise8_window(d, first, c, weights, to, side, step);                                   \
    }
DEPTHWISE8_BLOCK(3, 1)
DEPTHWISE8_BLOCK(3, 2)
DEPTHWISE8_BLOCK(5, 1)

/* The function for this window; NULL: none. */
static depthwise8_block *depthwise8_block_for(const struct int8_depthwise *d)
{
    bool is_3 = d->rows == 3 && d->columns == 3, is_5 = d->rows == 5 && d->columns == 5;
    bool once = d->in_step == d->in_tap, twice = d->in_step == 2 * d->in_tap;
    return is_3 && once    ? depthwise8_3_by_1
           : is_3 && twice ? depthwise8_3_by_2
           : is_5 && once  ? depthwise8_5_by_1
                           : NULL;
}
#else
static depthwise8_block *depthwise8_block_for(const struct int8_depthwise *d)
{
    (void)d;
    return NULL;
}
#endif

/* What is left of a row is summed with some of the pixels before it. */
static void depthwise8_sums(const struct int8_depthwise *d, size_t first, size_t pixels, size_t c,
                            const uint32_t *weights, words *sums)
{
    const size_t count = DEPTHWISE8_PIXELS;
    depthwise8_block *block = pixels >= count ? depthwise8_block_for(d) : NULL;
    for (size_t i = 0; i < pixels; i += block ? count : 1) {
        if (block) {
            size_t at = i + count <= pixels ? i : pixels - count;
            block(d, first + at, c, weights, sums + at);
        } else {
            depthwise8_any(d, first + i, c, weights, sums + i);
        }
    }
}

static void int8_depthwise_slot(const struct int8_depthwise *d)
{
    words sums[DEPTHWISE8_CHUNK];
    struct int8_finish f = {.acc = (const uint32_t *)(const void *)sums,
                            .acc_stride = INT8_LANES,
                            .e = d->e,
                            .out_stride = d->out_stride};
    size_t panel = int8_depthwise_pairs(d->rows, d->columns) * INT8_LANES;
    for (size_t c = 0; c < d->channels; c += INT8_LANES) {
        const uint32_t *weights = d->weights + c / INT8_LANES * panel;
        f.first = c;
        f.filters = d->channels - c < INT8_LANES ? d->channels - c : INT8_LANES;
        for (size_t first = 0; first < d->pixels; first += f.pixels) {
            f.pixels = d->pixels - first < DEPTHWISE8_CHUNK ? d->pixels - first : DEPTHWISE8_CHUNK;
            depthwise8_sums(d, first, f.pixels, c, weights, sums);
            f.out = d->out + first * d->out_stride + c;
            int8_finish_slot(&f);
        }
    }
}

/* ---- between bytes and floats ---- */

INLINED floats float_lanes(const uint8_t *p, size_t count)
{
    return __builtin_convertvector(lanes_of(p, count), floats);
}

INLINED ints sum_of(const uint8_t *a, const uint8_t *b, size_t count, const struct channel_terms *t,
                    floats scale_b, const enum activation act)
{
    floats first = float_lanes(a, count) * t->scale;
    floats sum = first + float_lanes(b, count) * scale_b;
    return to_steps(sum + t->shift, t, act);
}

INLINED void add_as8(const struct int8_add *a, const enum activation act)
{
    for (size_t c = 0; c < a->channels; c += INT8_LANES) {
        size_t left = a->channels - c;
        struct channel_terms t = terms_of(a->e, a->first + c);
        floats scale_b = floats_load(a->scale_b + a->first + c);
        const uint8_t *from_a = a->a + c, *from_b = a->b + c;
        uint8_t *out = a->out + c;
        size_t i = 0;
        for (; left >= INT8_LANES && i + 4 <= a->pixels; i += 4, out += 4 * a->out_stride) {
            ints y[4];
            UNROLLED
            for (int p = 0; p < 4; p++, from_a += a->a_stride, from_b += a->b_stride) {
                y[p] = sum_of(from_a, from_b, INT8_LANES, &t, scale_b, act);
            }
            store_four(out, a->out_stride, y);
        }
        for (; i < a->pixels; i++, out += a->out_stride) {
            store_bytes(out, sum_of(from_a, from_b, left, &t, scale_b, act), left);
            from_a += a->a_stride;
            from_b += a->b_stride;
        }
    }
}

#define ADD8(act) add_as8(a, act)

static void int8_add_slot(const struct int8_add *a){BY_ACTIVATION(a->e->act, ADD8)}

INLINED floats floats_part(const float *p, size_t count)
{
    return count >= INT8_LANES ? floats_load(p) : floats_load_part(p, count);
}

static void int8_quantize_slot(const struct int8_convert *q)
{
    for (size_t c = 0; c < q->channels; c += INT8_LANES) {
        size_t left = q->channels - c;
        ints zero = lanes_of(q->zeros + c, left);
        floats low = -__builtin_convertvector(zero, floats), high = low + 255.0f;
        floats steps = floats_part(q->steps + c, left);
        const float *from = q->floats + c;
        uint8_t *to = q->bytes + c;
        for (size_t i = 0; i < q->pixels; i++) {
            floats x = floats_part(from, left) / steps;
            store_bytes(to, nearest(greatest(least(x, high), low)) + zero, left);
            from += q->floats_stride;
            to += q->bytes_stride;
        }
    }
}

static void int8_dequantize_slot(const struct int8_convert *q)
{
    for (size_t c = 0; c < q->channels; c += INT8_LANES) {
        size_t left = q->channels - c;
        ints zero = lanes_of(q->zeros + c, left);
        floats steps = floats_part(q->steps + c, left);
        const uint8_t *from = q->bytes + c;
        float *to = q->floats + c;
        for (size_t i = 0; i < q->pixels; i++) {
            floats x = __builtin_convertvector(lanes_of(from, left) - zero, floats) * steps;
            if (left >= INT8_LANES) {
                memcpy(to, &x, sizeof x);
            } else {
                memcpy(to, &x, left * sizeof *to);
            }
            from += q->bytes_stride;
            to += q->floats_stride;
        }
    }
}

const struct int8_slots OF_ISA(int8_slots) = {
    .mr = INT8_PIXELS,
    .nr = INT8_FILTERS,
    .lanes = INT8_LANES,
    .has_quads = HAS_QUADS,
    .tile_pairs = int8_tile_pairs_slot,
    .tile_quads = int8_tile_quads_slot,
    .block = int8_block_slot,
    .finish = int8_finish_slot,
    .widen = int8_widen_slot,
    .winograd_input = int8_winograd_input_slot,
    .winograd_filter = int8_winograd_filter_slot,
    .winograd_output = int8_winograd_output_slot,
    .depthwise = int8_depthwise_slot,
    .add = int8_add_slot,
    .quantize = int8_quantize_slot,
    .dequantize = int8_dequantize_slot,
};
