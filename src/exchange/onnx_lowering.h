/* A network on its way into an ONNX graph: what the parts of the exporter share. */
#ifndef EXCHANGE_ONNX_LOWERING_H
#define EXCHANGE_ONNX_LOWERING_H

#include "exchange/onnx_graph.h"
#include "net/quant.h"

struct onnx_lowering {
    struct onnx_graph *graph;
    const struct network *net;
    const char *image;    /* the value that layers read as LAYER_IMAGE */
    const char **outputs; /* [layer_count] what each layer's nodes give, [n, c, h, w] */
    bool has_free_size;   /* height and width are settled when the model runs */
    /* Of a network on bytes (exchange/onnx_int8.h); quant NULL: of none. */
    const struct quantization *quant;
    enum quant_role *roles; /* [layer_count], as all of these */
    bool *is_rounded;
    const char **bytes, **steps,
        **values; /* of outputs: see onnx_int8.h; NULL where no node has made them yet */
    bool is_half; /* layers compute in half precision, with batch norm folded into the weights */
};

#endif
