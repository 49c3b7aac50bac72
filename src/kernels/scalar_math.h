/* The fused activations in plain C, in float; for scalar_*.c only: a convolution's epilogue and the
 * element-wise operations must give the same bits. */
#ifndef KERNELS_SCALAR_MATH_H
#define KERNELS_SCALAR_MATH_H

#include <math.h>

#include "kernels/activation.h"

/* Written as a maximum, which compilers turn into one instruction; the product of a branch they
 * keep. */
static inline float scalar_leaky(float x)
{
    float y = 0.1f * x;
    return y > x ? y : x;
}

static inline float scalar_relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

static inline float scalar_relu6(float x)
{
    return x > 6.0f ? 6.0f : scalar_relu(x);
}

static inline float scalar_logistic(float x)
{
    float t = expf(-fabsf(x));
    return (x < 0.0f ? t : 1.0f) / (1.0f + t);
}

/* n / (n + 2) is 1 in float from 20 on and 0 below -105, where the bound keeps -inf * 0 away. */
static inline float scalar_mish(float x)
{
    float e = expf(x > 20.0f ? 20.0f : x);
    float n = e * e + 2.0f * e;
    return (x < -105.0f ? -105.0f : x) * (n / (n + 2.0f));
}

static inline float scalar_swish(float x)
{
    return (x < -128.0f ? -128.0f : x) * scalar_logistic(x);
}

static inline float scalar_hard_mish(float x)
{
    float y = x * (0.5f * x + 1.0f);
    y = x <= -2.0f ? 0.0f : y;
    return x > 0.0f ? x : y;
}

/* act(x), act < ACT_FUSED_COUNT. */
static inline float scalar_activation(enum activation act, float x)
{
    switch (act) {
    case ACT_LEAKY:
        return scalar_leaky(x);
    case ACT_RELU:
        return scalar_relu(x);
    case ACT_RELU6:
        return scalar_relu6(x);
    case ACT_LOGISTIC:
        return scalar_logistic(x);
    case ACT_MISH:
        return scalar_mish(x);
    case ACT_SWISH:
        return scalar_swish(x);
    case ACT_HARD_MISH:
        return scalar_hard_mish(x);
    default:
        return x;
    }
}

#endif
