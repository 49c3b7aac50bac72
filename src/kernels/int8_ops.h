/* Quantised activations: between bytes and floats, sums, maxima, copies. Bits depend on nothing but the values. */
#ifndef KERNELS_INT8_OPS_H
#define KERNELS_INT8_OPS_H

#include "kernels/activation.h"
#include "kernels/int8_tensor.h"
#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "kernels/tensor.h"

/* Shapes are equal. */
void int8_quantize(const struct kernels *kern, const struct tensor *in,
                   const struct int8_tensor *out);
void int8_dequantize(const struct kernels *kern, const struct int8_tensor *in,
                     const struct tensor *out);

/* out = act(a + b): b's channels may be fewer, then only those are added. terms: int8_sum_floats of a's channels, which
 * int8_sum_prepare fills. out may be a. */
size_t int8_sum_floats(int channels);
void int8_sum_prepare(enum activation act, const struct int8_tensor *a, const struct int8_tensor *b,
                      const struct int8_tensor *out, float *terms);
void int8_sum(const struct kernels *kern, enum activation act, const float *terms,
              const struct int8_tensor *a, const struct int8_tensor *b,
              const struct int8_tensor *out);

/* Steps and zeros of the output are those of the input. */
void int8_max_pool(const struct pool_geometry *g, const struct int8_tensor *in,
                   const struct int8_tensor *out);
void int8_copy(const struct int8_tensor *in, const struct int8_tensor *out);
void int8_upsample(int stride, const struct int8_tensor *in, const struct int8_tensor *out);

#endif
