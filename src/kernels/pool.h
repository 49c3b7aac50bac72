/* Maximum and mean over windows of pixels, and their gradients. Gradients are true dL/dx. Where a
 * function has `adds`, true adds to the destination and false overwrites it. */
#ifndef KERNELS_POOL_H
#define KERNELS_POOL_H

#include <stdbool.h>

#include "kernels/tensor.h"

struct kernels;

struct pool_geometry {
    int size, stride_y, stride_x;
    int offset; /* the window of output (y, x) starts at (y*stride_y - offset, x*stride_x - offset)
                 */
};
/* Max over the in-bounds pixels of each window. A window without any gives -FLT_MAX. */
void op_max_pool(const struct kernels *kern, const struct pool_geometry *g, const struct tensor *in,
                 const struct tensor *out);
/* Mean over the in-bounds pixels of each window. */
void op_avg_pool(const struct kernels *kern, const struct pool_geometry *g, const struct tensor *in,
                 const struct tensor *out);
/* Mean over all pixels of an image: out is [n, 1, 1, c]. Summed in double. */
void op_global_avg(const struct kernels *kern, const struct tensor *in, const struct tensor *out);

/* Shapes: dout as the pool's out, din as its in. Not in-place. */
struct pool_backward {
    const struct tensor *in, *out; /* of the forward pass; read by op_max_pool_backward only */
    const struct tensor *dout, *din;
    bool adds;
};
/* Each window's gradient goes to the first of its maxima in row-major order; a window that holds no
 * number goes nowhere. */
void op_max_pool_backward(const struct kernels *kern, const struct pool_geometry *g,
                          const struct pool_backward *p);
/* Each window's gradient, divided by the number of its in-bounds pixels, goes to all of them. */
void op_avg_pool_backward(const struct kernels *kern, const struct pool_geometry *g,
                          const struct pool_backward *p);
/* dout is [n, 1, 1, c]: every pixel of din gets dout / (h w). */
void op_global_avg_backward(const struct kernels *kern, const struct tensor *dout,
                            const struct tensor *din, bool adds);

#endif
