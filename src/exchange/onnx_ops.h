/* What the parts of the exporter say over and over: slices, reshapes, arithmetic with constants. */
#ifndef EXCHANGE_ONNX_OPS_H
#define EXCHANGE_ONNX_OPS_H

#include "exchange/onnx_graph.h"
#include "kernels/activation.h"

/* x[.. first:end ..] along one axis; end INT64_MAX: to its end. */
const char *onnx_slice(struct onnx_graph *g, const char *x, int axis, int64_t first, int64_t end);
/* The same with a step. */
const char *onnx_slice_step(struct onnx_graph *g, const char *x, int axis, int64_t first,
                            int64_t end, int64_t step);
const char *onnx_concat(struct onnx_graph *g, const char *const *parts, size_t count, int axis);
/* Lengths as Reshape takes them: 0 keeps the one at that place, -1 is what remains. */
const char *onnx_reshape(struct onnx_graph *g, const char *x, const int64_t *dims, size_t rank);
const char *onnx_transpose(struct onnx_graph *g, const char *x, const int64_t *order, size_t rank);
/* x and a constant. x itself where that changes nothing (times 1, plus 0). */
const char *onnx_times(struct onnx_graph *g, const char *x, float factor);
const char *onnx_plus(struct onnx_graph *g, const char *x, float term);
const char *onnx_clip(struct onnx_graph *g, const char *x, float low, float high);
const char *onnx_cast(struct onnx_graph *g, const char *x, enum onnx_type type);
/* Over the last axis, whatever the rank: means the same in every set of operators. */
const char *onnx_softmax(struct onnx_graph *g, const char *x, int rank);

/* ReduceSum, ReduceMean or ReduceMax over one axis, which stays with length 1. */
const char *onnx_reduce(struct onnx_graph *g, const char *op, const char *x, int axis);

/* An activation of [n, c, h, w]; x itself for ACT_LINEAR. */
const char *onnx_activate(struct onnx_graph *g, enum activation act, const char *x);

#endif
