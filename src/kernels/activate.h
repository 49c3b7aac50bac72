/* Activations of whole tensors, with the scale and shift of a convolution or of batch norm, and their gradients. */
#ifndef KERNELS_ACTIVATE_H
#define KERNELS_ACTIVATE_H

#include "kernels/activation.h"
#include "kernels/tensor.h"

/* What a convolution does to its sums while they are in registers, and batch norm with stored
 * statistics to a tensor: act(scale[c] * x + shift[c]). */
struct conv_epilogue {
    const float *scale; /* [filters]; NULL = 1 */
    const float *shift; /* [filters]; NULL = 0 */
    enum activation act;
};

struct kernels;

/* Whole tensors, cut into blocks of pixels; shapes of in and out agree. */

/* out = act(in); in-place. All activations, also the per-pixel ones. */
void op_activate(const struct kernels *kern, enum activation act, const struct tensor *in,
                 const struct tensor *out);
/* out[.., c] = in[.., c] * scale[c] + shift[c]; NULL = 1 / 0; in-place. */
void op_scale_shift(const struct kernels *kern, const float *scale, const float *shift,
                    const struct tensor *in, const struct tensor *out);
/* t[.., c] = y * scale[c] + shift[c], or where scale[c] is 1 y itself, with y the logistic of t[.., c], or where chosen[c] is
 * 0 t[.., c] itself: the bits of op_activate and op_scale_shift of some channels. By the caller's thread alone. */
void op_squash(const struct kernels *kern, const float *chosen, const float *scale,
               const float *shift, const struct tensor *t);
/* out = act(scale[c] * in + shift[c]) with the bits of a convolution's epilogue; in-place. */
void op_epilogue(const struct kernels *kern, const struct conv_epilogue *f, const struct tensor *in,
                 const struct tensor *out);

/* Of out = act(u) with u = scale[c] * z + shift[c], NULL = 1 and 0: du = dout * act'(u), for per-pixel kinds
 * du = J^T dout with the Jacobian J of the pixel. u is computed by the very operation of op_scale_shift and of the
 * convolution's epilogue. At kinks act' is Darknet's: 0 and 1/10 at 0 for relu and leaky
 * (activation_derivative). du may be dout. */
void op_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                          const struct tensor *z, const struct tensor *dout,
                          const struct tensor *du);

#endif
