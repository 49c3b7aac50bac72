/* A convolution with bytes in and out: the layer's weights become int8, a scale for each filter, its batch norm or
 * biases and its activation go into the epilogue of int8_conv.h.
 *
 * Weights are multiplied by the steps of their channels first; then a filter's are its floats times 127 / the largest of
 * them, rounded so that the sum of a channel's window (of 64 taps of it, if it has more) moves by no more than half a step. */
#ifndef LAYERS_INT8_UNIT_H
#define LAYERS_INT8_UNIT_H

#include "kernels/int8_conv.h"
#include "layers/layer.h"

/* Is it a convolution that can be done so: one group or depthwise, an activation that the epilogue has? */
bool int8_unit_possible(const struct layer *l);

/* Words for what int8_unit_choose says, an enum int8_algorithm. */
extern const char *const int8_unit_choices[];

/* From the layer's weights, or without any (a draft) from the geometry alone. */
enum int8_algorithm int8_unit_choose(const struct layer *l, const struct kernels *kern,
                                     const float *in_steps);

size_t int8_unit_prepared_bytes(const struct layer *l, const struct kernels *kern,
                                enum int8_algorithm choice);
/* in, out: their steps and zeros. bias: [filters], added before the activation, or NULL. prepared: 64-byte aligned.
 * ERR_MEMORY. */
NODISCARD enum result int8_unit_prepare(const struct layer *l, const struct kernels *kern,
                                        enum int8_algorithm choice, const struct int8_tensor *in,
                                        const struct int8_tensor *out, const float *bias,
                                        void *prepared, struct error *err);
/* bias[k] = what the mean of filter k before its activation has lost: over windows whose channels have the means
 * wanted[c] in fp32 and met[c] as bytes (values), on weights that are rounded with in_steps, or with NULL are not. Borders
 * count as if the window went on. Of any [convolutional]. ERR_MEMORY. */
NODISCARD enum result int8_unit_find_bias(const struct layer *l, const float *in_steps,
                                          const double *wanted, const double *met, float *bias,
                                          struct error *err);
/* What the two above make of the weights: whole numbers [filters][channels][taps], and the value of one of a filter, of
 * which the input's steps have been divided out: weights[k, c, i] = scale[k] rounded[k, c, i] / in_steps[c]. */
void int8_unit_round(const struct layer *l, const float *in_steps, int8_t *rounded, float *scale);
/* The same as the floats that they stand for, in the order of the layer's own. */
void int8_unit_round_floats(const struct layer *l, const float *in_steps, float *rounded);
/* The layer's batch norm or biases behind its sums, [filters] each. */
void int8_unit_fold(const struct layer *l, float *scale, float *shift);
void int8_unit_forward(const struct layer *l, const struct kernels *kern,
                       enum int8_algorithm choice, const void *prepared,
                       const struct int8_tensor *in, const struct int8_tensor *out, void *scratch);

#endif
