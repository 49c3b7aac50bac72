/* What batch norm needs of a batch: sums per channel over all pixels of all images, and its
 * backward pass. Work is cut into items by the shapes alone and partial sums are added in the order
 * of the items, so no result depends on the number of threads. Nothing allocates, nothing fails. */
#ifndef KERNELS_NORM_H
#define KERNELS_NORM_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/activate.h"
#include "kernels/tensor.h"

struct kernels;

/* Scratch bytes, 64-byte aligned, of any one function below on a tensor of this many pixels (images
 * times height times width) and channels. */
size_t op_channel_scratch_bytes(size_t pixels, size_t channels);

/* Mean and biased variance (divided by the number of pixels), each [c]. Summed in double around the
 * first pixel's value: also good where the mean is large against the deviation. No pixels: 0 and 0.
 */
void op_channel_moments(const struct kernels *kern, const struct tensor *z, float *mean,
                        float *variance, void *scratch);

/* Sums over the pixels (bias gradients). */
void op_channel_sum(const struct kernels *kern, const struct tensor *t, float *sum, void *scratch);

/* What batch norm's backward needs. With x^ = (z - mean) * inv_std, both sums are overwritten:
 *   sum_du[c] = sum du  (= dL/dbeta)        sum_du_xhat[c] = sum du x^  (= dL/dgamma)
 * sum_du_xhat NULL: not wanted; mean and inv_std are not read then. */
struct channel_reduction {
    const float *mean, *inv_std; /* [c] */
    float *sum_du, *sum_du_xhat; /* [c] */
    void *scratch;               /* op_channel_scratch_bytes */
};
/* Is du quicker made again, by op_channel_affine3, than written and read? */
bool op_remakes_gradient(enum activation act);
/* du = dout * act'(...) as op_activate_backward does, and its sums in the same pass over memory. du NULL, of an activation
 * that is made again: the sums alone. */
void op_activate_reduce(const struct kernels *kern, const struct conv_epilogue *f,
                        const struct tensor *z, const struct tensor *dout, const struct tensor *du,
                        const struct channel_reduction *r);

/* dz = a[c] * du + b[c] * z + d[c]; dz may be du. f not NULL: `du` is dout, of which du is made again with f's bits. Batch norm's backward over N pixels, with the sums above (Ioffe &
 * Szegedy 2015, arXiv:1502.03167):
 *   a = gamma inv_std    b = -a inv_std sum_du_xhat / N    d = -a sum_du / N - b mean */
struct channel_affine3 {
    const float *a, *b, *d; /* [c] */
};
void op_channel_affine3(const struct kernels *kern, const struct channel_affine3 *k,
                        const struct conv_epilogue *f, const struct tensor *du,
                        const struct tensor *z, const struct tensor *dz);

#endif
