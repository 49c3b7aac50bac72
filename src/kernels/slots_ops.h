/* Slots for element-wise and pooling work on blocks of pixels. blocks.c cuts tensors into them.
 *
 * Every slot computes an element by the same operations wherever it lies in a block, so that
 * cutting never changes a bit. Scalar, AVX2 and AVX-512 agree exactly in sums, products, upsample
 * and the windows' maximum; scale and shift differ by the rounding of the product (FMA),
 * activations and softmax by a few ULP. */
#ifndef KERNELS_SLOTS_OPS_H
#define KERNELS_SLOTS_OPS_H

#include <stddef.h>

#include "kernels/activation.h"

/* pixels x channels floats of up to two inputs and an output, each with its pixel stride. out may
 * be a (and b): element by element, nothing is read after its place was written. */
struct op_block {
    const float *a, *b;
    float *out;
    size_t a_stride, b_stride, out_stride;
    size_t pixels, channels;
};

/* rows x cols pixels that reduce to one: in[r * row_step + c * col_step + channel]. rows and cols
 * may be 0. out has no stride and does not overlap in. */
struct op_window {
    const float *in;
    float *out;
    size_t rows, row_step;
    size_t cols, col_step;
    size_t channels;
};

struct op_slots {
    /* out = act(a * scale[channel] + shift[channel]), act < ACT_FUSED_COUNT; scale NULL is 1, shift
     * NULL is 0. act is within 4 ULP, or 2e-43 where e^x is denormal. */
    void (*activate)(const struct op_block *block, enum activation act, const float *scale,
                     const float *shift);
    /* out = y * scale[channel] + shift[channel], or where scale is 1 y itself; y is the logistic of a, or where chosen[channel]
     * is 0 a itself. */
    void (*squash)(const struct op_block *block, const float *chosen, const float *scale,
                   const float *shift);
    /* out = act(a + b), act < ACT_FUSED_COUNT. */
    void (*add)(const struct op_block *block, enum activation act);
    /* out = a * b; b_stride 0 gives every pixel the same b. */
    void (*multiply)(const struct op_block *block);
    /* out = a * b[0] of the pixel. */
    void (*multiply_pixel)(const struct op_block *block);
    /* Max per channel, at least -FLT_MAX; NaN loses against everything, as in Darknet. */
    void (*max_window)(const struct op_window *window);
    /* a is one row of pixels; each pixel times factor goes to stride x stride output pixels, whose
     * rows are pixels * stride * out_stride floats apart. Not in-place. */
    void (*upsample)(const struct op_block *block, int stride, float factor);
    /* out[i] = e^((in[i] - max) / temperature) / sum; in-place allowed. */
    void (*softmax)(const float *in, size_t count, float temperature, float *out);
};

#endif
