/* A network as an ONNX file. */
#ifndef EXCHANGE_ONNX_EXPORT_H
#define EXCHANGE_ONNX_EXPORT_H

#include "net/quant.h"

/* What becomes of detection heads; docs/onnx.md has the outputs' shapes and units. */
enum onnx_boxes_form { ONNX_BOXES_RAW, ONNX_BOXES_DECODED, ONNX_BOXES_NMS };

struct onnx_options {
    int opset; /* 0: the lowest that does */
    enum onnx_boxes_form boxes;
    const struct quantization
        *quant;   /* convolutions on bytes as it says, from opset 13 on; NULL: none */
    bool is_half; /* weights and layers in half precision; inputs, outputs and boxes in 32 bits */
    bool is_dynamic; /* number of images, and where the layers allow it their size, when it runs */
    float confidence, iou; /* of ONNX_BOXES_NMS */
    int max_detections;    /* likewise, of a class in an image */
    const char *fit;    /* how pictures come to the input's size: "stretch", "letterbox", "crop" */
    char *const *names; /* [name_count] of the classes; NULL: none */
    size_t name_count;
    const char *version; /* the program's */
};

/* What was written, for people. */
struct onnx_summary {
    int opset, nodes;
    bool has_free_size;
    const struct layer
        *fixes_size; /* with is_dynamic: the layer that keeps the size from being free, or NULL */
};

/* The network has its weights. ERR_UNSUPPORTED with path:line for a layer that cannot be said in ONNX, and for more than
 * 2 GB; nothing is written then. */
NODISCARD enum result onnx_export(const struct network *net, const struct onnx_options *options,
                                  const char *path, struct onnx_summary *summary,
                                  struct error *err);

#endif
