/* What the tests of convolutions share: shapes, and tensors with a pattern around them. */
#ifndef TESTS_CONV_CASE_H
#define TESTS_CONV_CASE_H

#include <math.h>

#include "base/memory.h"
#include "kernels/conv.h"
#include "isa.h"

enum { GUARD = 67 };
static const float canary = 12345.678f;

static inline void *need(void *block)
{
    if (!block) {
        abort();
    }
    return block;
}

/* ---- tensors ---- */

/* A tensor whose pixels are `stride` apart in a block that is otherwise filled with one value. */
struct padded {
    struct tensor t;
    float *block;
    size_t floats;
};

static inline struct padded padded_make(int n, struct shape s, int extra, float fill)
{
    struct padded p = {
        .t = {.n = n, .h = s.h, .w = s.w, .c = s.c, .stride = (size_t)(s.c + extra)}};
    p.floats = tensor_pixels(&p.t) * p.t.stride + 2 * GUARD;
    p.block = need(mem_alloc(p.floats, sizeof(float)));
    for (size_t i = 0; i < p.floats; i++) {
        p.block[i] = fill;
    }
    p.t.data = p.block + GUARD;
    return p;
}

static inline struct padded padded_noise(int n, struct shape s, int extra, float fill,
                                         unsigned *seed)
{
    struct padded p = padded_make(n, s, extra, fill);
    for (size_t i = 0; i < tensor_pixels(&p.t); i++) {
        for (int c = 0; c < s.c; c++) {
            p.t.data[i * p.t.stride + (size_t)c] = test_noise(seed);
        }
    }
    return p;
}

/* Everything that is not an element of the tensor still holds the canary. */
static inline bool padded_intact(const struct padded *p)
{
    for (size_t i = 0; i < p->floats; i++) {
        size_t at = i - GUARD;
        bool element = i >= GUARD && at < tensor_pixels(&p->t) * p->t.stride &&
                       at % p->t.stride < (size_t)p->t.c;
        if (!element && memcmp(&p->block[i], &canary, sizeof canary) != 0) {
            return false;
        }
    }
    return true;
}

static inline bool same_bits(const struct tensor *a, const struct tensor *b)
{
    for (size_t i = 0; i < tensor_pixels(a); i++) {
        if (memcmp(a->data + i * a->stride, b->data + i * b->stride,
                   (size_t)a->c * sizeof(float)) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- shapes ---- */

/* Square, without its output size. */
static inline struct conv_geometry geometry(int size, int in_c, int filters, int kernel, int stride,
                                            int pad)
{
    return (struct conv_geometry){.in_h = size,
                                  .in_w = size,
                                  .in_c = in_c,
                                  .filters = filters,
                                  .groups = 1,
                                  .kernel_h = kernel,
                                  .kernel_w = kernel,
                                  .stride_y = stride,
                                  .stride_x = stride,
                                  .pad_y = pad,
                                  .pad_x = pad,
                                  .dilation = 1};
}

static inline struct conv_geometry with_output(struct conv_geometry g)
{
    g.out_h = (g.in_h + 2 * g.pad_y - (g.kernel_h - 1) * g.dilation - 1) / g.stride_y + 1;
    g.out_w = (g.in_w + 2 * g.pad_x - (g.kernel_w - 1) * g.dilation - 1) / g.stride_x + 1;
    return g;
}

static inline int pick(unsigned *seed, int first, int last)
{
    float x = (test_noise(seed) + 1.0f) / 2.0f;
    return first + (int)(x * (float)(last - first + 1));
}

/* Without its output size, which is at least 1. */
static inline struct conv_geometry random_geometry(unsigned *seed, int most_step, int most_pad)
{
    struct conv_geometry g;
    do {
        g = (struct conv_geometry){.in_h = pick(seed, 1, 19),
                                   .in_w = pick(seed, 1, 23),
                                   .in_c = pick(seed, 1, 20),
                                   .filters = pick(seed, 1, 40),
                                   .groups = 1,
                                   .kernel_h = pick(seed, 1, 5),
                                   .kernel_w = pick(seed, 1, 5),
                                   .stride_y = pick(seed, 1, most_step),
                                   .stride_x = pick(seed, 1, most_step),
                                   .pad_y = pick(seed, 0, most_pad),
                                   .pad_x = pick(seed, 0, most_pad),
                                   .dilation = pick(seed, 1, most_step)};
        int groups = pick(seed, 1, 3);
        if (g.in_c % groups == 0 && g.filters % groups == 0 && groups < g.in_c) {
            g.groups = groups;
        }
    } while (g.in_h + 2 * g.pad_y < (g.kernel_h - 1) * g.dilation + 1 ||
             g.in_w + 2 * g.pad_x < (g.kernel_w - 1) * g.dilation + 1);
    return g;
}

#endif
