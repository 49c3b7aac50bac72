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

const char *activation_name(enum activation act);

/* f(x) in double, the reference for every vectorised version (element-wise kinds only). */
double activation_value(enum activation act, double x);

/* f'(x) in double (element-wise kinds only). At the kinks of piecewise linear kinds it is the slope
 * that Darknet takes: of the left side for leaky, revleaky, relu, ramp and relie at 0 and relu6 and
 * hardtan at their lower bound, the outer one (0, 0, 0.001) for relu6 and hardtan at the upper
 * bound and lhtan at both, the inner one (0.125) for plse; stair is flat at whole numbers. */
double activation_derivative(enum activation act, double x);

#endif
