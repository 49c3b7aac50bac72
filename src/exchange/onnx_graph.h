/* An ONNX model while it is built: nodes, constants, inputs, outputs, metadata; then its file.
 *
 * Values have names: what the functions return, alive as long as the graph. A failed allocation is remembered: the
 * functions go on with a stand-in, and onnx_write reports it, so that builders need no check at every call. */
#ifndef EXCHANGE_ONNX_GRAPH_H
#define EXCHANGE_ONNX_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { ONNX_OPSET_LEAST = 11, ONNX_OPSET_MOST = 22, ONNX_MAX_RANK = 6 };

/* Types of values, by the format's numbers. */
enum onnx_type { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT8 = 3, ONNX_INT64 = 7, ONNX_HALF = 10 };

struct onnx_graph;

/* A dimension, which is copied: its length, or the name of a length that is settled when the model runs. */
struct onnx_dim {
    int64_t length;
    const char *symbol; /* NULL: fixed */
};

/* NULL without memory. opset: of ONNX_OPSET_LEAST .. ONNX_OPSET_MOST. Free with onnx_free. */
struct onnx_graph *onnx_make(int opset);
void onnx_free(struct onnx_graph *g); /* NULL is accepted */
int onnx_opset(const struct onnx_graph *g);
int onnx_node_count(const struct onnx_graph *g);

/* What the names of the following nodes and constants begin with: "layer_12_convolutional". */
void onnx_scope(struct onnx_graph *g, const char *scope);

/* The type of the following constants of onnx_floats and onnx_scalar: ONNX_FLOAT (at first) or ONNX_HALF. */
void onnx_set_type(struct onnx_graph *g, enum onnx_type type);
/* The first number since the last call that is finite and does not fit ONNX_HALF; 0: none. */
float onnx_take_unfit(struct onnx_graph *g);

/* Remember a failed allocation of the builder's own. */
void onnx_fail(struct onnx_graph *g);
/* Memory that lives as long as the graph, for constants that are made: NULL without memory, which the graph remembers. */
float *onnx_memory(struct onnx_graph *g, size_t count);

/* Constants. onnx_floats: [dims[0], .. dims[rank - 1]], rank <= ONNX_MAX_RANK; data is read when the file is written
 * and is not copied where the type and the machine allow; NULL, after a failed onnx_memory, is accepted. onnx_ints: a
 * vector of 64-bit integers; onnx_int: a single one, without axes. */
const char *onnx_floats(struct onnx_graph *g, const char *name, const float *data,
                        const int64_t *dims, size_t rank);
const char *onnx_scalar(struct onnx_graph *g, float value);
/* Of ONNX_UINT8 or ONNX_INT8, copied; dims and rank as above. */
const char *onnx_bytes(struct onnx_graph *g, const char *name, enum onnx_type type,
                       const void *data, const int64_t *dims, size_t rank);
const char *onnx_ints(struct onnx_graph *g, const int64_t *values, size_t count);
const char *onnx_int(struct onnx_graph *g, int64_t value);

/* A node with one output, which is returned. An input may be "": left out. The onnx_set_* give the last node an
 * attribute. */
const char *onnx_node(struct onnx_graph *g, const char *op, const char *const *inputs,
                      size_t count);
const char *onnx_node1(struct onnx_graph *g, const char *op, const char *a);
const char *onnx_node2(struct onnx_graph *g, const char *op, const char *a, const char *b);
void onnx_set_int(struct onnx_graph *g, const char *name, int64_t value);
void onnx_set_ints(struct onnx_graph *g, const char *name, const int64_t *values, size_t count);
void onnx_set_float(struct onnx_graph *g, const char *name, float value);
void onnx_set_text(struct onnx_graph *g, const char *name, const char *value);

/* The model's inputs and outputs, 32-bit floats. An output's value takes the name given. */
const char *onnx_input(struct onnx_graph *g, const char *name, const struct onnx_dim *dims,
                       size_t rank);
void onnx_output(struct onnx_graph *g, const char *value, const char *name,
                 const struct onnx_dim *dims, size_t rank);

/* A line of the metadata; both are copied. */
void onnx_meta(struct onnx_graph *g, const char *key, const char *value);

/* Write it in place of what lies at path, or leave that as it is. `version`: the program's. ERR_UNSUPPORTED for more
 * than 2^31 - 1 bytes, which the format cannot hold. */
NODISCARD enum result onnx_write(struct onnx_graph *g, const char *path, const char *version,
                                 struct error *err);

#endif
