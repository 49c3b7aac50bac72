/* What every template of kernels/ is written with, whatever its vectors. */
#ifndef KERNELS_TEMPLATE_H
#define KERNELS_TEMPLATE_H

#include "kernels/activation.h"

#define INLINED static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 16")

/* call(act) with the activation known when compiled. */
#define BY_ACTIVATION(act, call)                                                                   \
    switch (act) {                                                                                 \
    case ACT_LEAKY:                                                                                \
        call(ACT_LEAKY);                                                                           \
        break;                                                                                     \
    case ACT_RELU:                                                                                 \
        call(ACT_RELU);                                                                            \
        break;                                                                                     \
    case ACT_RELU6:                                                                                \
        call(ACT_RELU6);                                                                           \
        break;                                                                                     \
    case ACT_LOGISTIC:                                                                             \
        call(ACT_LOGISTIC);                                                                        \
        break;                                                                                     \
    case ACT_MISH:                                                                                 \
        call(ACT_MISH);                                                                            \
        break;                                                                                     \
    case ACT_SWISH:                                                                                \
        call(ACT_SWISH);                                                                           \
        break;                                                                                     \
    case ACT_HARD_MISH:                                                                            \
        call(ACT_HARD_MISH);                                                                       \
        break;                                                                                     \
    default:                                                                                       \
        call(ACT_LINEAR);                                                                          \
        break;                                                                                     \
    }

#endif
