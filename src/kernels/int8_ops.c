#include "kernels/int8_ops.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/int8_epilogue.h"

enum { ITEM_BYTES = 16384, MAX_ITEMS = 1024 };

struct job {
    const struct int8_slots *slots;
    const struct tensor *floats, *rounded;
    const struct int8_tensor *in, *other, *out;
    const struct pool_geometry *pool;
    int stride;
    enum activation act;
    const float *terms;
    size_t pixels, items;
};

/* Items of whole pixels. */
static void for_pixels(struct job *job, const struct int8_tensor *t,
                       void (*body)(void *ctx, size_t item, int thread))
{
    job->pixels = int8_pixels(t);
    job->items = (job->pixels * (size_t)t->c + ITEM_BYTES - 1) / ITEM_BYTES;
    job->items = job->items < MAX_ITEMS ? job->items : MAX_ITEMS;
    job->items = job->items < job->pixels ? job->items : job->pixels;
    parallel_for(job->items, body, job);
}

static size_t cut(const struct job *job, size_t item)
{
    return job->pixels * item / job->items;
}

static struct int8_convert convert_of(const struct job *job, const struct int8_tensor *bytes,
                                      size_t item)
{
    size_t first = cut(job, item);
    return (struct int8_convert){.floats = job->floats->data + first * job->floats->stride,
                                 .bytes = bytes->data + first * bytes->stride,
                                 .floats_stride = job->floats->stride,
                                 .bytes_stride = bytes->stride,
                                 .pixels = cut(job, item + 1) - first,
                                 .channels = (size_t)bytes->c,
                                 .steps = bytes->steps,
                                 .zeros = bytes->zeros};
}

static void quantize_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct int8_convert c = convert_of(job, job->out, item);
    job->slots->quantize(&c);
}

void int8_quantize(const struct kernels *kern, const struct tensor *in,
                   const struct int8_tensor *out)
{
    struct job job = {.slots = int8_slots_of(kern), .floats = in, .out = out};
    for_pixels(&job, out, quantize_item);
}

static void dequantize_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct int8_convert c = convert_of(job, job->in, item);
    job->slots->dequantize(&c);
}

void int8_dequantize(const struct kernels *kern, const struct int8_tensor *in,
                     const struct tensor *out)
{
    struct job job = {.slots = int8_slots_of(kern), .floats = out, .in = in};
    for_pixels(&job, in, dequantize_item);
}

/* ---- bytes that training sees as floats ---- */

enum { ROUND_BYTES = 4096 };

static void note_ranges(const struct int8_tensor *t, const float *from, size_t first, size_t count,
                        uint8_t *in_range)
{
    for (size_t c = 0; c < count; c++) {
        float step = t->steps[first + c], zero = (float)t->zeros[first + c];
        in_range[c] = (from[c] >= step * (-0.5f - zero)) & (from[c] <= step * (255.5f - zero));
    }
}

/* `count` channels of some pixels. */
static void round_block(const struct job *job, size_t pixel, size_t pixels, size_t first,
                        size_t count)
{
    const struct tensor *in = job->floats, *out = job->rounded;
    const struct int8_tensor *t = job->out;
    uint8_t bytes[ROUND_BYTES];
    struct int8_convert c = {.floats = in->data + pixel * in->stride + first,
                             .floats_stride = in->stride,
                             .bytes = bytes,
                             .bytes_stride = count,
                             .pixels = pixels,
                             .channels = count,
                             .steps = t->steps + first,
                             .zeros = t->zeros + first};
    for (size_t p = 0; t->data && p < pixels; p++) {
        note_ranges(t, c.floats + p * in->stride, first, count,
                    t->data + (pixel + p) * t->stride + first);
    }
    job->slots->quantize(&c);
    c.floats = out->data + pixel * out->stride + first;
    c.floats_stride = out->stride;
    job->slots->dequantize(&c);
}

static void round_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    size_t end = cut(job, item + 1), channels = (size_t)job->out->c, pixels;
    size_t most = channels < ROUND_BYTES ? ROUND_BYTES / channels : 1;
    for (size_t pixel = cut(job, item); pixel < end; pixel += pixels) {
        pixels = end - pixel < most ? end - pixel : most;
        for (size_t first = 0; first < channels; first += ROUND_BYTES) {
            size_t left = channels - first;
            round_block(job, pixel, pixels, first, left < ROUND_BYTES ? left : ROUND_BYTES);
        }
    }
}

static struct int8_tensor ranges_of(const struct tensor *t, uint8_t *in_range)
{
    return (struct int8_tensor){
        .data = in_range, .n = t->n, .h = t->h, .w = t->w, .c = t->c, .stride = (size_t)t->c};
}

void int8_round(const struct kernels *kern, const float *steps, const uint8_t *zeros,
                const struct tensor *in, const struct tensor *out, uint8_t *in_range)
{
    struct int8_tensor ranges = ranges_of(in, in_range);
    struct job job = {.slots = int8_slots_of(kern), .floats = in, .rounded = out, .out = &ranges};
    ranges.steps = steps;
    ranges.zeros = zeros;
    for_pixels(&job, &ranges, round_item);
}

static void pass_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    size_t end = cut(job, item + 1), channels = (size_t)job->in->c;
    for (size_t pixel = cut(job, item); pixel < end; pixel++) {
        const uint8_t *in_range = job->in->data + pixel * channels;
        float *values = job->floats->data + pixel * job->floats->stride;
        for (size_t c = 0; c < channels; c++) {
            values[c] = in_range[c] ? values[c] : 0.0f;
        }
    }
}

void int8_pass_in_range(const uint8_t *in_range, const struct tensor *gradient)
{
    const struct int8_tensor ranges = ranges_of(gradient, (uint8_t *)(uintptr_t)in_range);
    struct job job = {.floats = gradient, .in = &ranges};
    for_pixels(&job, &ranges, pass_item);
}

/* Behind the epilogue's arrays: the factors of b, zero where it has no channel. */
size_t int8_sum_floats(int channels)
{
    return int8_terms_floats(channels) + tensor_align((size_t)channels + INT8_MAX_NR);
}

void int8_sum_prepare(enum activation act, const struct int8_tensor *a, const struct int8_tensor *b,
                      const struct int8_tensor *out, float *terms)
{
    struct int8_terms t = int8_terms_at(terms, out->c);
    float *scale_b = terms + int8_terms_floats(out->c);
    memset(terms, 0, int8_sum_floats(out->c) * sizeof *terms);
    for (int c = 0; c < out->c; c++) {
        t.scale[c] = a->steps[c];
        t.shift[c] = -a->steps[c] * a->zeros[c];
        if (c < b->c) {
            scale_b[c] = b->steps[c] * (int8_commutes(act) ? 1.0f / out->steps[c] : 1.0f);
            t.shift[c] -= b->steps[c] * b->zeros[c];
        }
    }
    int8_terms_settle(&t, act, out->steps, out->zeros, out->c);
}

static void sum_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct int8_tensor *a = job->in, *b = job->other, *out = job->out;
    const struct int8_epilogue e = int8_epilogue_at(job->terms, out->c, job->act);
    size_t first = cut(job, item);
    struct int8_add add = {.a = a->data + first * a->stride,
                           .b = b->data + first * b->stride,
                           .a_stride = a->stride,
                           .b_stride = b->stride,
                           .out_stride = out->stride,
                           .pixels = cut(job, item + 1) - first,
                           .channels = (size_t)(b->c < out->c ? b->c : out->c),
                           .e = &e,
                           .scale_b = job->terms + int8_terms_floats(out->c),
                           .out = out->data + first * out->stride};
    size_t rest = (size_t)out->c - add.channels;
    job->slots->add(&add);
    if (rest > 0) { /* beyond b's channels its factor is zero, whatever is read for it */
        add.first = add.channels;
        add.a += add.channels;
        add.b = add.a;
        add.b_stride = add.a_stride;
        add.out += add.channels;
        add.channels = rest;
        job->slots->add(&add);
    }
}

void int8_sum(const struct kernels *kern, enum activation act, const float *terms,
              const struct int8_tensor *a, const struct int8_tensor *b,
              const struct int8_tensor *out)
{
    struct job job = {
        .slots = int8_slots_of(kern), .in = a, .other = b, .out = out, .act = act, .terms = terms};
    for_pixels(&job, out, sum_item);
}

static void greatest(uint8_t *restrict best, const uint8_t *restrict from, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        best[c] = from[c] > best[c] ? from[c] : best[c];
    }
}

/* The window's part inside the image: [from, to). */
static void clip(int start, int size, int length, int *from, int *to)
{
    *from = start < 0 ? 0 : start;
    *to = start + size < length ? start + size : length;
}

static void pool_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct pool_geometry *g = job->pool;
    const struct int8_tensor *in = job->in, *out = job->out;
    size_t end = cut(job, item + 1), channels = (size_t)out->c;
    for (size_t pixel = cut(job, item); pixel < end; pixel++) {
        struct int8_position at = int8_position(out, pixel);
        int first_y, end_y, first_x, end_x;
        uint8_t *best = out->data + pixel * out->stride;
        clip(at.y * g->stride_y - g->offset, g->size, in->h, &first_y, &end_y);
        clip(at.x * g->stride_x - g->offset, g->size, in->w, &first_x, &end_x);
        memcpy(best, int8_at(in, at.n, first_y, first_x), channels);
        for (int r = first_y; r < end_y; r++) {
            for (int s = first_x; s < end_x; s++) {
                greatest(best, int8_at(in, at.n, r, s), channels);
            }
        }
    }
}

void int8_max_pool(const struct pool_geometry *g, const struct int8_tensor *in,
                   const struct int8_tensor *out)
{
    struct job job = {.pool = g, .in = in, .out = out};
    for_pixels(&job, out, pool_item);
}

static void copy_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    size_t end = cut(job, item + 1);
    for (size_t pixel = cut(job, item); pixel < end; pixel++) {
        memcpy(job->out->data + pixel * job->out->stride, job->in->data + pixel * job->in->stride,
               (size_t)job->out->c);
    }
}

void int8_copy(const struct int8_tensor *in, const struct int8_tensor *out)
{
    struct job job = {.in = in, .out = out};
    for_pixels(&job, out, copy_item);
}

static void upsample_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct int8_tensor *out = job->out;
    size_t end = cut(job, item + 1);
    for (size_t pixel = cut(job, item); pixel < end; pixel++) {
        struct int8_position at = int8_position(out, pixel);
        memcpy(out->data + pixel * out->stride,
               int8_at(job->in, at.n, at.y / job->stride, at.x / job->stride), (size_t)out->c);
    }
}

void int8_upsample(int stride, const struct int8_tensor *in, const struct int8_tensor *out)
{
    struct job job = {.in = in, .out = out, .stride = stride};
    for_pixels(&job, out, upsample_item);
}
