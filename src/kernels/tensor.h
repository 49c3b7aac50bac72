/* The one tensor of the engine: float32, channels last, a view that owns nothing.
 *
 *   element (n, y, x, c)  =  data[((n * h + y) * w + x) * stride + c]
 *
 * `stride` is the distance between neighbouring pixels in floats; stride >= c. A tensor with
 * stride > c is a channel slice of a wider buffer: this is how concatenation ([route]) and channel
 * groups cost nothing: producers write into their consumer's buffer. Every kernel accepts strides. */
#ifndef KERNELS_TENSOR_H
#define KERNELS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

struct shape {
    int h, w, c;
};

struct tensor {
    float *data;
    int n, h, w, c;
    size_t stride;
};

/* Parts of one block of memory begin on 64 bytes, as vectors and cache lines do. */
enum { TENSOR_ALIGN = 16 /* floats */ };

static inline size_t tensor_align(size_t floats)
{
    return (floats + TENSOR_ALIGN - 1) / TENSOR_ALIGN * TENSOR_ALIGN;
}

static inline size_t tensor_pixels(const struct tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w;
}

static inline float *tensor_at(const struct tensor *t, int n, int y, int x)
{
    return t->data +
           (((size_t)n * (size_t)t->h + (size_t)y) * (size_t)t->w + (size_t)x) * t->stride;
}

/* The sub-tensor of channels [first, first + count). */
static inline struct tensor tensor_channels(const struct tensor *t, int first, int count)
{
    struct tensor slice = *t;
    slice.data += first;
    slice.c = count;
    return slice;
}

/* Channels-last tensor to and from one image's planar (C, H, W) block: the layout of files. */
void tensor_to_planar(const struct tensor *t, int image, float *planar);
void tensor_from_planar(struct tensor *t, int image, const float *planar);

#endif
