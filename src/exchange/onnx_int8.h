/* A network on bytes (net/quant.h) as nodes: QuantizeLinear and DequantizeLinear with the steps and zeros of each channel.
 *
 *   bytes   QuantizeLinear(output, steps, zeros), where an output is rounded
 *   steps   DequantizeLinear(bytes, 1, zeros): what convolutions read, whose weights have the steps in them, and what
 *           layers move that hand steps on
 *   values  DequantizeLinear(bytes, steps, zeros): what sums and layers in fp32 read
 *
 * Nodes that nobody reads are not made. */
#ifndef EXCHANGE_ONNX_INT8_H
#define EXCHANGE_ONNX_INT8_H

#include "exchange/onnx_lowering.h"

/* The first set of operators in which scales may differ along an axis. */
enum { ONNX_OPSET_INT8 = 13 };

/* What the layer reads as input i, and the value that leaves the model as a layer's; of any network, on bytes or not. */
const char *onnx_input_of(const struct onnx_lowering *x, const struct layer *l, int i);
const char *onnx_output_of(const struct onnx_lowering *x, int layer);

/* A convolution on bytes? */
bool onnx_is_int8(const struct onnx_lowering *x, const struct layer *l);
/* Its weights, dims[4], with the batch norm's scale in theirs; *biases [filters]: all that is added behind. */
const char *onnx_int8_weights(struct onnx_lowering *x, const struct layer *l, const int64_t *dims,
                              const float **biases);
/* Fill what x has for x->quant. False without memory. onnx_int8_close also then. */
bool onnx_int8_open(struct onnx_lowering *x);
void onnx_int8_close(struct onnx_lowering *x);

#endif
