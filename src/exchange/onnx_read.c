/* The constants that the layers of an ONNX model read, in the order of its nodes. */
#include <string.h>

#include <onnx.pb-c.h>

#include "base/memory.h"
#include "exchange/onnx_graph.h"
#include "exchange/tensors.h"

enum { MAX_DEPTH = 24 };

/* ---- the bytes ----
 *
 * protobuf-c calls itself for every message in a message, as deep as the file says, and tells of a fault only that there is
 * one. So lengths and depth are looked at first. */

struct scan {
    const char *path;
    const uint8_t *start, *end;
};

static enum result fault(const struct scan *s, const uint8_t *at, const char *what,
                         struct error *err)
{
    return error_at(err, ERR_FORMAT, s->path, 0, "byte %zu: %s", (size_t)(at - s->start), what);
}

/* A number of seven bits a byte, or false. */
static bool read_number(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
    *number = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            return true;
        }
    }
    return false;
}

static enum result scan_message(const struct scan *s, const ProtobufCMessageDescriptor *kind,
                                const uint8_t *at, const uint8_t *end, int depth, struct error *err)
{
    enum { VARINT, FIXED64, LENGTH, FIXED32 = 5 };
    while (at < end) {
        const uint8_t *field_at = at;
        uint64_t tag, number;
        if (!read_number(&at, end, &tag) || tag >> 3 == 0 || tag >> 3 > 1 << 29) {
            return fault(s, field_at, "no field of an ONNX model", err);
        }
        size_t skip = (tag & 7) == FIXED64 ? 8 : (tag & 7) == FIXED32 ? 4 : 0;
        if ((tag & 7) == VARINT || (tag & 7) == LENGTH) {
            if (!read_number(&at, end, &number)) {
                return fault(s, field_at, "a number without an end (cut off?)", err);
            }
            skip = (tag & 7) == LENGTH ? (number > SIZE_MAX ? SIZE_MAX : (size_t)number) : 0;
        } else if (skip == 0) {
            return fault(s, field_at, "no field of an ONNX model", err);
        }
        if (skip > (size_t)(end - at)) {
            return fault(s, field_at, "a length that runs past the end (cut off?)", err);
        }
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field(kind, (unsigned)(tag >> 3));
        if (f && f->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == LENGTH) {
            if (depth == MAX_DEPTH) {
                return error_at(err, ERR_UNSUPPORTED, s->path, 0,
                                "byte %zu: messages in messages deeper than %d",
                                (size_t)(field_at - s->start), (int)MAX_DEPTH);
            }
            TRY(scan_message(s, f->descriptor, at, at + skip, depth + 1, err));
        }
        at += skip;
    }
    return OK;
}

static void *allocate(void *ctx, size_t size)
{
    (void)ctx;
    return mem_alloc(1, size);
}

static void release(void *ctx, void *block)
{
    (void)ctx;
    mem_free(block);
}

static ProtobufCAllocator allocator = {.alloc = allocate, .free = release};

static void free_model(void *model)
{
    onnx__model_proto__free_unpacked(model, &allocator);
}

/* ---- the constants ---- */

static const Onnx__TensorProto *find_constant(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_initializer; i++) {
        if (g->initializer[i]->name && strcmp(g->initializer[i]->name, name) == 0) {
            return g->initializer[i];
        }
    }
    for (size_t i = 0; i < g->n_node; i++) { /* older exporters: nodes of their own */
        const Onnx__NodeProto *n = g->node[i];
        bool is_constant = n->op_type && strcmp(n->op_type, "Constant") == 0 && n->n_output == 1;
        if (is_constant && strcmp(n->output[0], name) == 0 && n->n_attribute == 1) {
            return n->attribute[0]->t;
        }
    }
    return NULL;
}

static const Onnx__AttributeProto *find_attribute(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++) {
        if (n->attribute[i]->name && strcmp(n->attribute[i]->name, name) == 0) {
            return n->attribute[i];
        }
    }
    return NULL;
}

/* A copy of what is kept as numbers, in the file's order. */
static const unsigned char *pack_floats(struct tensor_list *list, const Onnx__TensorProto *t)
{
    unsigned char *bytes = tensors_memory(list, t->n_float_data * 4);
    for (size_t i = 0; bytes && i < t->n_float_data; i++) {
        uint32_t bits;
        memcpy(&bits, &t->float_data[i], sizeof bits);
        for (size_t b = 0; b < 4; b++) {
            bytes[4 * i + b] = (unsigned char)(bits >> 8 * b);
        }
    }
    return bytes;
}

static enum result add_constant(const char *path, const Onnx__TensorProto *t,
                                const Onnx__NodeProto *n, enum tensor_role role, double eps,
                                struct tensor_list *list, struct error *err)
{
    struct tensor_entry entry = {.name = t->name   ? t->name
                                         : n->name ? n->name
                                                   : n->op_type,
                                 .role = role,
                                 .eps = eps};
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        entry.type = TENSOR_F32;
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        entry.type = TENSOR_F64;
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        entry.type = TENSOR_F16;
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        entry.type = TENSOR_BF16;
        break;
    default:
        return error_at(err, ERR_UNSUPPORTED, path, 0, "%.100s: values of type %d are not read",
                        entry.name, (int)t->data_type);
    }
    if (t->n_external_data > 0 || t->n_dims > TENSORS_MAX_RANK) {
        return error_at(err, ERR_UNSUPPORTED, path, 0, "%.100s: %s", entry.name,
                        t->n_external_data > 0 ? "its values are in another file"
                                               : "too many axes");
    }
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0) {
            return error_at(err, ERR_FORMAT, path, 0, "%.100s: a shape below zero", entry.name);
        }
        entry.dims[entry.rank++] = (size_t)t->dims[i];
    }
    const Onnx__AttributeProto *turned = find_attribute(n, "transB");
    entry.has_inputs_first = strcmp(n->op_type, "MatMul") == 0 ||
                             (strcmp(n->op_type, "Gemm") == 0 && !(turned && turned->i));
    size_t bytes = t->raw_data.len;
    entry.bytes = t->raw_data.data;
    if (!t->has_raw_data && entry.type == TENSOR_F32) {
        bytes = t->n_float_data * 4;
        entry.bytes = pack_floats(list, t);
        if (!entry.bytes) {
            return mem_error(err, path);
        }
    }
    entry.module = tensors_memory(list, (n->name ? strlen(n->name) : 0) + 1);
    if (!entry.module) {
        return mem_error(err, path);
    }
    if (n->name) {
        memcpy(entry.module, n->name, strlen(n->name));
    }
    return tensors_add(path, list, &entry, bytes, err);
}

/* The roles of what a node reads behind its first input. */
static const enum tensor_role *roles_of(const char *op, size_t *count)
{
    static const enum tensor_role weights[] = {ROLE_WEIGHTS, ROLE_BIASES};
    static const enum tensor_role norm[] = {ROLE_GAMMA, ROLE_BIASES, ROLE_MEAN, ROLE_VARIANCE};
    bool is_norm = strcmp(op, "BatchNormalization") == 0;
    *count = is_norm ? 4 : 2;
    if (strcmp(op, "MatMul") == 0) {
        *count = 1;
    }
    return is_norm ? norm
           : strcmp(op, "Conv") == 0 || strcmp(op, "ConvTranspose") == 0 ||
                   strcmp(op, "Gemm") == 0 || strcmp(op, "MatMul") == 0
               ? weights
               : NULL;
}

static enum result add_node(const char *path, const Onnx__GraphProto *g, size_t number,
                            struct tensor_list *list, struct error *err)
{
    const Onnx__NodeProto *n = g->node[number];
    const Onnx__NodeProto *before = number > 0 ? g->node[number - 1] : NULL;
    size_t count;
    const enum tensor_role *roles = n->op_type ? roles_of(n->op_type, &count) : NULL;
    const Onnx__AttributeProto *eps = find_attribute(n, "epsilon");
    for (size_t i = 0; roles && i < count && i + 1 < n->n_input; i++) {
        const Onnx__TensorProto *t = n->input[i + 1][0] ? find_constant(g, n->input[i + 1]) : NULL;
        if (t) {
            TRY(add_constant(path, t, n, roles[i], eps ? (double)eps->f : 1e-5, list, err));
        } else if (n->input[i + 1][0]) {
            return error_at(
                err, ERR_UNSUPPORTED, path, 0,
                "%.100s reads %.100s, which is computed and no constant (let the exporter "
                "fold constants)",
                n->name ? n->name : n->op_type, n->input[i + 1]);
        }
    }
    bool is_bias = n->op_type && strcmp(n->op_type, "Add") == 0 && n->n_input == 2 && before &&
                   before->op_type && strcmp(before->op_type, "MatMul") == 0 &&
                   before->n_output == 1;
    for (size_t i = 0; is_bias && i < 2; i++) { /* a dense layer's, apart */
        const Onnx__TensorProto *t = find_constant(g, n->input[i]);
        if (t && strcmp(n->input[1 - i], before->output[0]) == 0) {
            TRY(add_constant(path, t, n, ROLE_BIASES, -1, list, err));
        }
    }
    return OK;
}

enum result onnx_read(const char *path, char *bytes, size_t size, struct tensor_list *list,
                      struct error *err)
{
    const uint8_t *raw = (const uint8_t *)bytes;
    struct scan scan = {path, raw, raw + size};
    TRY(scan_message(&scan, &onnx__model_proto__descriptor, raw, raw + size, 0, err));
    unsigned long failures = mem_failures();
    Onnx__ModelProto *model = onnx__model_proto__unpack(&allocator, size, raw);
    if (!model) {
        return mem_failures() != failures ? mem_error(err, path)
                                          : error_at(err, ERR_FORMAT, path, 0, "not an ONNX model");
    }
    list->parsed = model;
    list->free_parsed = free_model;
    mem_free(list->file); /* all is copied */
    list->file = NULL;
    if (!model->graph) {
        return error_at(err, ERR_FORMAT, path, 0, "an ONNX model without a graph");
    }
    for (size_t i = 0; i < model->graph->n_node; i++) {
        TRY(add_node(path, model->graph, i, list, err));
    }
    return OK;
}
