/* The arrays of an epilogue (slots_int8.h), in one block of floats. */
#ifndef KERNELS_INT8_EPILOGUE_H
#define KERNELS_INT8_EPILOGUE_H

#include <stdbool.h>

#include "kernels/int8_tensor.h"
#include "kernels/slots_int8.h"

/* act(f x) = f act(x) for f > 0, but for the bound of relu6: the output's step may be divided out before it. */
bool int8_commutes(enum activation act);

struct int8_terms {
    int32_t *offset, *zero; /* [channels + INT8_MAX_NR], as all */
    float *scale, *shift, *per_step, *low, *high;
};

size_t int8_terms_floats(int channels);
struct int8_terms int8_terms_at(float *block, int channels);
struct int8_epilogue int8_epilogue_at(const float *block, int channels, enum activation act);

/* What follows from the output's steps and zeros: zero, low, high, per_step; and scale and shift, which are there,
 * are divided by the step if the activation commutes. */
void int8_terms_settle(const struct int8_terms *t, enum activation act, const float *steps,
                       const uint8_t *zeros, int channels);

#endif
