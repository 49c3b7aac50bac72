/* The backward half of kernels.h, what batch norm needs of a batch, and arithmetic on flat arrays
 * for optimisers. Gradients are true dL/dx.
 *
 * Tensors are strided views. Where a function has `adds`, true adds to the destination and false
 * overwrites it. Work is cut into items by the shapes alone and partial sums are added in the order
 * of the items, so no result depends on the number of threads. Nothing allocates, nothing fails. */
#ifndef KERNELS_BACKWARD_H
#define KERNELS_BACKWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/conv.h"
#include "kernels/kernels.h"

/* ---- activations ---- */

/* out = act(u) with u = scale[c] * z + shift[c], scale and shift NULL = 1 and 0; u is computed by
 * the very operation of op_scale_shift and of the convolution's epilogue: du = dout * act'(u)
 * (per-pixel kinds: du = J^T dout with the Jacobian J of the pixel) At kinks act' is Darknet's: 0
 * and 1/10 at 0 for relu and leaky (activation_derivative). du may be dout. */
void op_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                          const struct tensor *z, const struct tensor *dout,
                          const struct tensor *du);

/* ---- sums per channel over all pixels of all images ---- */

/* Scratch bytes, 64-byte aligned, of any one function below on a tensor of this many pixels (images
 * times height times width) and channels. */
size_t op_channel_scratch_bytes(size_t pixels, size_t channels);

/* Mean and biased variance (divided by the number of pixels), each [c]. Summed in double around the
 * first pixel's value: also good where the mean is large against the deviation. No pixels: 0 and 0.
 */
void op_channel_moments(const struct kernels *kern, const struct tensor *z, float *mean,
                        float *variance, void *scratch);

/* sum[c] += sum of t over the pixels (bias gradients). */
void op_channel_sum(const struct kernels *kern, const struct tensor *t, float *sum, void *scratch);

/* What batch norm's backward needs. With x^ = (z - mean) * inv_std, both sums are overwritten:
 *   sum_du[c] = sum du  (= dL/dbeta)        sum_du_xhat[c] = sum du x^  (= dL/dgamma)
 * sum_du_xhat NULL: not wanted; mean and inv_std are not read then. */
struct channel_reduction {
    const float *mean, *inv_std; /* [c] */
    float *sum_du, *sum_du_xhat; /* [c] */
    void *scratch;               /* op_channel_scratch_bytes */
};
/* du = dout * act'(...) as op_activate_backward does, and its sums in the same pass over memory. */
void op_activate_reduce(const struct kernels *kern, const struct conv_epilogue *f,
                        const struct tensor *z, const struct tensor *dout, const struct tensor *du,
                        const struct channel_reduction *r);

/* dz = a[c] * du + b[c] * z + d[c]; dz may be du. Batch norm's backward over N pixels (Ioffe &
 * Szegedy 2015, arXiv:1502.03167) is, with the sums above: a = gamma inv_std    b = -a inv_std
 * sum_du_xhat / N    d = -a sum_du / N - b mean */
struct channel_affine3 {
    const float *a, *b, *d; /* [c] */
};
void op_channel_affine3(const struct kernels *kern, const struct channel_affine3 *k,
                        const struct tensor *du, const struct tensor *z, const struct tensor *dz);

/* ---- gradients of the operations of kernels.h ---- */

/* into = factor * from, or += . Shapes agree. */
void op_accumulate(const struct kernels *kern, float factor, const struct tensor *from,
                   const struct tensor *into, bool adds);

/* out = a * b (op_multiply, the same forms of b): da = dout * b, db = dout * a summed over what
 * shares an element of b. da or db NULL: not wanted. da may be dout if da_adds is false. */
struct multiply_backward {
    const struct tensor *a, *b, *dout;
    const struct tensor *da, *db;
    bool da_adds, db_adds;
};
void op_multiply_backward(const struct kernels *kern, const struct multiply_backward *m);

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

/* din[y, x] = factor * the sum of dout over the stride x stride pixels made from (y, x). */
void op_upsample_backward(const struct kernels *kern, int stride, float factor,
                          const struct tensor *dout, const struct tensor *din, bool adds);

/* out = softmax(in / temperature) over runs of `group` channels:
 *   din_j = out_j * (dout_j - sum over the run of out_k dout_k) / temperature; din may be dout. */
void op_softmax_backward(int group, float temperature, const struct tensor *out,
                         const struct tensor *dout, const struct tensor *din, bool adds);

/* ---- flat arrays of count floats; any alignment, fastest at 64 bytes; arrays do not overlap ----
 */

/* Summed in double. */
double vec_sum_squares(const struct kernels *kern, size_t count, const float *x);
bool vec_all_finite(const struct kernels *kern, size_t count, const float *x);
/* average += weight * (x - average): an exponential moving average of decay 1 - weight. */
void vec_lerp(const struct kernels *kern, size_t count, float weight, const float *x,
              float *average);

/* v = momentum v + scale g + decay w;  w -= rate v. */
struct sgd_step {
    float rate, momentum, decay;
    float scale; /* of the gradient: 1 / images, times a clipping factor */
};
struct sgd_arrays {
    float *w, *v;
    const float *g;
};
void vec_sgd_step(const struct kernels *kern, size_t count, const struct sgd_step *s,
                  const struct sgd_arrays *x);

/* Adam (Kingma & Ba 2015, arXiv:1412.6980) and AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101):
 *   h = scale g (+ decay w)   m += (1 - beta1) (h - m)   v = beta2 v + (1 - beta2) h^2
 *   w -= rate / correction1 * m / (sqrt(v / correction2) + epsilon)
 * Decoupled decay leaves h alone and multiplies w by 1 - rate * decay first. */
struct adam_step {
    double rate, beta1, beta2, epsilon, decay;
    double scale;
    double correction1, correction2; /* 1 - beta1^t, 1 - beta2^t; t = 1 at the first step */
    bool decoupled;
};
struct adam_arrays {
    float *w, *m, *v;
    const float *g;
};
void vec_adam_step(const struct kernels *kern, size_t count, const struct adam_step *s,
                   const struct adam_arrays *x);

#endif
