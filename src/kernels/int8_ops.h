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

/* What training sees of bytes: out = in as bytes would say it. in_range, dense, 1 where the value lies within their range, or
 * NULL. out may be in. */
void int8_round(const struct kernels *kern, const float *steps, const uint8_t *zeros,
                const struct tensor *in, const struct tensor *out, uint8_t *in_range);
/* The gradient of that, straight through: of what was out of range it becomes 0. */
void int8_pass_in_range(const uint8_t *in_range, const struct tensor *gradient);

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
