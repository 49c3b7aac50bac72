/* A layer of a network as nodes of an ONNX graph. */
#ifndef EXCHANGE_ONNX_LAYERS_H
#define EXCHANGE_ONNX_LAYERS_H

#include "exchange/onnx_graph.h"
#include "net/network.h"

/* The network on its way into a graph. */
struct onnx_lowering {
    struct onnx_graph *graph;
    const struct network *net;
    const char *image;    /* the value that layers read as LAYER_IMAGE */
    const char **outputs; /* [layer_count] each layer's value, [n, c, h, w] */
    bool has_free_size;   /* height and width are settled when the model runs */
    bool is_half; /* layers compute in half precision, with batch norm folded into the weights */
};

/* The layer's nodes; outputs[l->index] becomes its value. Its inputs' are there. Not for detection heads. ERR_UNSUPPORTED
 * with path:line where it cannot be said in ONNX. */
NODISCARD enum result onnx_lower_layer(struct onnx_lowering *x, const struct layer *l,
                                       struct error *err);

/* Do its nodes hold for one size of its input only? Of no matter where that is always the same. */
bool onnx_layer_fixes_size(const struct layer *l);

#endif
