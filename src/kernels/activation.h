/* Activation functions by their Darknet names. Formulas: Darknet's activations, with true
 * derivatives where Darknet's are not (see docs/darknet-differences.md). */
#ifndef KERNELS_ACTIVATION_H
#define KERNELS_ACTIVATION_H

#include <stdbool.h>

#include "kernels/tensor.h"

enum activation {
    /* vectorised, and applied in the convolution's epilogue while the tile is in registers */
    ACT_LINEAR,
    ACT_LEAKY,     /* x > 0 ? x : x / 10 */
    ACT_RELU,      /* max(x, 0) */
    ACT_RELU6,     /* min(max(x, 0), 6) */
    ACT_LOGISTIC,  /* 1 / (1 + e^-x) */
    ACT_MISH,      /* x tanh(ln(1 + e^x)); Misra 2019, arXiv:1908.08681 */
    ACT_SWISH,     /* x / (1 + e^-x); Ramachandran et al. 2017, arXiv:1710.05941 */
    ACT_HARD_MISH, /* x > 0: x; x > -2: x^2 / 2 + x; else 0 */
    ACT_FUSED_COUNT,
    /* per element, scalar */
    ACT_LOGGY = ACT_FUSED_COUNT,
    ACT_REVLEAKY,
    ACT_RAMP,
    ACT_RELIE,
    ACT_ELU,
    ACT_SELU,
    ACT_GELU,
    ACT_TANH,
    ACT_HARDTAN,
    ACT_LHTAN,
    ACT_PLSE,
    ACT_STAIR,
    /* per pixel over the channels */
    ACT_NORM_CHAN,
    ACT_NORM_CHAN_SOFTMAX,
    ACT_NORM_CHAN_SOFTMAX_MAXVAL,
    ACT_COUNT
};

/* False if the name is unknown. */
bool activation_from_name(const char *name, enum activation *act);
const char *activation_name(enum activation act);

/* f(x) in double, the reference for every vectorised version (element-wise kinds only). */
double activation_value(enum activation act, double x);

/* f'(x) in double (element-wise kinds only). At the kinks of piecewise linear kinds it is the slope
 * that Darknet takes: of the left side for leaky, revleaky, relu, ramp and relie at 0 and relu6 and
 * hardtan at their lower bound, the outer one (0, 0, 0.001) for relu6 and hardtan at the upper
 * bound and lhtan at both, the inner one (0.125) for plse; stair is flat at whole numbers. */
double activation_derivative(enum activation act, double x);

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
/* out = act(scale[c] * in + shift[c]) with the bits of a convolution's epilogue; in-place. */
void op_epilogue(const struct kernels *kern, const struct conv_epilogue *f, const struct tensor *in,
                 const struct tensor *out);

/* out = act(u) with u = scale[c] * z + shift[c], scale and shift NULL = 1 and 0; u is computed by
 * the very operation of op_scale_shift and of the convolution's epilogue: du = dout * act'(u)
 * (per-pixel kinds: du = J^T dout with the Jacobian J of the pixel) At kinks act' is Darknet's: 0
 * and 1/10 at 0 for relu and leaky (activation_derivative). du may be dout. */
void op_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                          const struct tensor *z, const struct tensor *dout,
                          const struct tensor *du);

#endif
