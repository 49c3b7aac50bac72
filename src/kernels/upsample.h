/* Pixels repeated stride x stride times, and the gradient. Gradients are true dL/dx. Where a
 * function has `adds`, true adds to the destination and false overwrites it. */
#ifndef KERNELS_UPSAMPLE_H
#define KERNELS_UPSAMPLE_H

#include <stdbool.h>

#include "kernels/tensor.h"

struct kernels;

/* out[n, y, x, c] = factor * in[n, y / stride, x / stride, c]. */
void op_upsample(const struct kernels *kern, int stride, float factor, const struct tensor *in,
                 const struct tensor *out);

/* din[y, x] = factor * the sum of dout over the stride x stride pixels made from (y, x). */
void op_upsample_backward(const struct kernels *kern, int stride, float factor,
                          const struct tensor *dout, const struct tensor *din, bool adds);

#endif
