/* Activations of a quantised network: bytes, channels last, a view that owns nothing, as struct tensor.
 *
 *   value of element (n, y, x, c)  =  steps[c] (data[((n * h + y) * w + x) * stride + c] - zeros[c])
 *
 * A channel's zero is exact, so padding is. What moves bytes without looking at them keeps their steps and zeros;
 * a convolution takes the steps of its input into its weights. */
#ifndef KERNELS_INT8_TENSOR_H
#define KERNELS_INT8_TENSOR_H

#include <stddef.h>
#include <stdint.h>

struct int8_tensor {
    uint8_t *data;
    int n, h, w, c;
    size_t stride;        /* bytes */
    const float *steps;   /* [c], above 0 */
    const uint8_t *zeros; /* [c] */
};

static inline size_t int8_pixels(const struct int8_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w;
}

static inline uint8_t *int8_at(const struct int8_tensor *t, int n, int y, int x)
{
    return t->data +
           (((size_t)n * (size_t)t->h + (size_t)y) * (size_t)t->w + (size_t)x) * t->stride;
}

/* Where the i-th pixel is. */
struct int8_position {
    int n, y, x;
};

static inline struct int8_position int8_position(const struct int8_tensor *t, size_t pixel)
{
    size_t row = pixel / (size_t)t->w;
    return (struct int8_position){.n = (int)(row / (size_t)t->h),
                                  .y = (int)(row % (size_t)t->h),
                                  .x = (int)(pixel % (size_t)t->w)};
}

/* The sub-tensor of channels [first, first + count). */
static inline struct int8_tensor int8_channels(const struct int8_tensor *t, int first, int count)
{
    struct int8_tensor slice = *t;
    slice.data += first;
    slice.steps += first;
    slice.zeros += first;
    slice.c = count;
    return slice;
}

#endif
