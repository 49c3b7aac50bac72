/* Detection heads as boxes in an ONNX graph. */
#ifndef EXCHANGE_ONNX_HEADS_H
#define EXCHANGE_ONNX_HEADS_H

#include "exchange/onnx_layers.h"

/* What a head finds, m candidates an image: predictor boxes outside, cells row by row inside. Pixels of the network's
 * input. */
struct onnx_boxes {
    const char *centres; /* [n, m, 2]: x, y */
    const char *sizes;   /* [n, m, 2]: w, h */
    const char *scores;  /* [n, m, classes]: the confidences, as yolo detect has them */
};

/* Nodes in 32-bit floats from the head's input on, also where the layers compute in half precision. */
void onnx_lower_head(struct onnx_lowering *x, const struct layer *l, struct onnx_boxes *boxes);

/* The value that a head reads, [n, slots * entries, h, w]. */
const char *onnx_head_input(const struct onnx_lowering *x, const struct layer *l);

/* The anchors of a head in pixels of the network's input at its current size, [slots][2], into out. */
void onnx_head_anchors(const struct layer *l, float *out);

/* Its scale_x_y; 1 for kinds without. And new_coords. */
float onnx_head_scale(const struct layer *l);
bool onnx_head_has_new_coords(const struct layer *l);

#endif
