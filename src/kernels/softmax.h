/* Softmax over runs of channels of each pixel, and its gradient. */
#ifndef KERNELS_SOFTMAX_H
#define KERNELS_SOFTMAX_H

#include <stdbool.h>

#include "kernels/tensor.h"

struct kernels;

/* Softmax with temperature over each run of `group` neighbouring channels of each pixel; in-place.
 */
void op_softmax(const struct kernels *kern, int group, float temperature, const struct tensor *in,
                const struct tensor *out);

/* out = softmax(in / temperature) over runs of `group` channels:
 *   din_j = out_j * (dout_j - sum over the run of out_k dout_k) / temperature; din may be dout. */
void op_softmax_backward(int group, float temperature, const struct tensor *out,
                         const struct tensor *dout, const struct tensor *din, bool adds);

#endif
