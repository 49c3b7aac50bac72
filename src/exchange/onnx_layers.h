/* A layer of a network as nodes of an ONNX graph. */
#ifndef EXCHANGE_ONNX_LAYERS_H
#define EXCHANGE_ONNX_LAYERS_H

#include "exchange/onnx_lowering.h"

/* The layer's nodes; outputs[l->index] becomes its value. Its inputs' are there. Not for detection heads. ERR_UNSUPPORTED
 * with path:line where it cannot be said in ONNX. */
NODISCARD enum result onnx_lower_layer(struct onnx_lowering *x, const struct layer *l,
                                       struct error *err);

/* Do its nodes hold for one size of its input only? Of no matter where that is always the same. */
bool onnx_layer_fixes_size(const struct layer *l);

#endif
