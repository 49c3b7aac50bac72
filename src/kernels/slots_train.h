/* Slots for gradients and optimisers, on the blocks of slots_ops.h. blocks.c, norm.c,
 * pool.c and vectors.c cut tensors and arrays into blocks.
 *
 * As there, an element's operations never depend on where it lies in a block, and sums run over the
 * pixels in order. The instruction sets differ by the rounding of products (FMA), by a few ULP in
 * activations, and in the order of the terms of sum_squares. */
#ifndef KERNELS_SLOTS_TRAIN_H
#define KERNELS_SLOTS_TRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/slots_ops.h"

/* Arrays of double sums per channel have room for a multiple of SUM_PAD channels; what lies past
 * the channels is overwritten. */
enum { SUM_PAD = 16 };

/* The window of one output pixel of a max pool: in and din begin at its first pixel. Steps in
 * floats. */
struct max_backward {
    const float *in, *largest, *dout;
    float *din;
    size_t rows, in_row, din_row;
    size_t cols, in_col, din_col;
    size_t channels;
    bool writes; /* and does not add: of 2x2 pixels */
};

/* h = scale g + coupled w; m += rise1 (h - m); v = beta2 v + rise2 h^2;
 * w = (w - shrink w) - rate m / (root sqrt(v) + epsilon). */
struct adam_factors {
    float scale, coupled, rise1, beta2, rise2, shrink, rate, root, epsilon;
};

/* act is one that op_remakes_gradient names. */
struct reduce_factors {
    const float *mean;
    const float *scale, *shift;
    enum activation act;
    double *total, *products;
};

struct affine3_factors {
    const float *a, *b, *d;
    const float *scale, *shift;
    enum activation act;
};

struct sgd_step;
struct sgd_arrays;
struct adam_arrays;

struct train_slots {
    /* out = b * act'(a * scale[channel] + shift[channel]), act < ACT_FUSED_COUNT; scale NULL is 1,
     * shift NULL is 0. */
    void (*activate_backward)(const struct op_block *block, enum activation act, const float *scale,
                              const float *shift);
    /* sum[c] += a - shift[c], squares[c] += (a - shift[c])^2, both over the block's pixels. */
    void (*moments)(const struct op_block *block, const float *shift, double *sum, double *squares);
    /* sum[c] += a. */
    void (*sum)(const struct op_block *block, double *sum);
    /* With du = b * act'(a * scale[c] + shift[c]): total[c] += du, products[c] += du * (a - mean[c]). */
    void (*reduce)(const struct op_block *block, const struct reduce_factors *f);
    /* out = a[c] * du + (b[c] * z + d[c]) of du = the block's a * act'(z * scale[c] + shift[c]), z = its b. */
    void (*affine3)(const struct op_block *block, const struct affine3_factors *f);
    /* out = factor * a, or += ; a_stride 0 gives every pixel the same a. */
    void (*accumulate)(const struct op_block *block, float factor, bool adds);
    /* out += a * b; b_stride 0 gives every pixel the same b. */
    void (*multiply_add)(const struct op_block *block);
    /* din += dout at the first pixel, in row-major order, with in == largest; or = , and 0 at the others. */
    void (*max_backward)(const struct max_backward *window);

    double (*sum_squares)(const float *x, size_t count);
    bool (*all_finite)(const float *x, size_t count);
    /* average += weight * (x - average). */
    void (*lerp)(const float *x, float *average, size_t count, float weight);
    void (*sgd)(const struct sgd_step *s, const struct sgd_arrays *x, size_t count);
    void (*adam)(const struct adam_factors *f, const struct adam_arrays *x, size_t count);
};

#endif
