#include "exchange/onnx_graph.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <onnx.pb-c.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "exchange/half.h"

enum { ARENA_BLOCK = 64 * 1024, NAME = 256 };

/* A growing array of pointers to messages. */
struct pointers {
    void **items;
    size_t count, capacity;
};

struct onnx_graph {
    int opset;
    enum onnx_type type;
    float unfit;
    bool has_failed;
    struct pointers blocks; /* of the arena */
    char *free_at;
    size_t free_bytes;
    char scope[NAME];
    size_t scope_node, scope_constant; /* the first of the scope */
    struct pointers nodes, constants, inputs, outputs, metadata;
};

/* Stands in for a message that could not be had. */
static Onnx__NodeProto no_node;

struct onnx_graph *onnx_make(int opset)
{
    struct onnx_graph *g = mem_alloc(1, sizeof *g);
    if (g) {
        g->opset = opset;
        g->type = ONNX_FLOAT;
    }
    return g;
}

void onnx_free(struct onnx_graph *g)
{
    if (!g) {
        return;
    }
    for (size_t i = 0; i < g->blocks.count; i++) {
        mem_free(g->blocks.items[i]);
    }
    mem_free(g->blocks.items);
    mem_free(g->nodes.items);
    mem_free(g->constants.items);
    mem_free(g->inputs.items);
    mem_free(g->outputs.items);
    mem_free(g->metadata.items);
    mem_free(g);
}

int onnx_opset(const struct onnx_graph *g)
{
    return g->opset;
}

int onnx_node_count(const struct onnx_graph *g)
{
    return (int)g->nodes.count;
}

static bool push(struct onnx_graph *g, struct pointers *list, void *item)
{
    void *items = list->items;
    if (!item || mem_grow(&items, list->count, &list->capacity, sizeof *list->items, NULL) != OK) {
        g->has_failed = true;
        return false;
    }
    list->items = items;
    list->items[list->count++] = item;
    return true;
}

/* Zeroed. */
static void *arena(struct onnx_graph *g, size_t bytes)
{
    size_t rounded = (bytes / MEM_ALIGN + 1) * MEM_ALIGN; /* something also for nothing */
    if (rounded > g->free_bytes) {
        size_t wanted = rounded > ARENA_BLOCK ? rounded : ARENA_BLOCK;
        char *block = mem_alloc(1, wanted);
        if (!push(g, &g->blocks, block)) {
            mem_free(block);
            return NULL;
        }
        if (wanted > ARENA_BLOCK) { /* the rest of the block before stays in use */
            return block;
        }
        g->free_at = block;
        g->free_bytes = wanted;
    }
    char *at = g->free_at;
    g->free_at += rounded;
    g->free_bytes -= rounded;
    return at;
}

static char *copy_text(struct onnx_graph *g, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena(g, size);
    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

static void *copy_bytes(struct onnx_graph *g, const void *bytes, size_t size)
{
    void *copy = arena(g, size);
    if (copy && size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

void onnx_fail(struct onnx_graph *g)
{
    g->has_failed = true;
}

float *onnx_memory(struct onnx_graph *g, size_t count)
{
    size_t bytes;
    if (!size_mul(count, sizeof(float), &bytes)) {
        g->has_failed = true;
        return NULL;
    }
    return arena(g, bytes);
}

void onnx_scope(struct onnx_graph *g, const char *scope)
{
    snprintf(g->scope, sizeof g->scope, "%s", scope);
    g->scope_node = g->nodes.count;
    g->scope_constant = g->constants.count;
}

void onnx_set_type(struct onnx_graph *g, enum onnx_type type)
{
    g->type = type;
}

float onnx_take_unfit(struct onnx_graph *g)
{
    float value = g->unfit;
    g->unfit = 0.0f;
    return value;
}

/* "scope/word", or "scope/word_2" for the third of the scope with this word. */
static char *make_name(struct onnx_graph *g, const char *word, size_t before)
{
    char name[2 * NAME];
    if (before > 0) {
        snprintf(name, sizeof name, "%s/%s_%zu", g->scope, word, before);
    } else {
        snprintf(name, sizeof name, "%s/%s", g->scope, word);
    }
    return copy_text(g, name);
}

/* ---- constants ---- */

static bool is_little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* `size` bytes an element, in the file's order. */
static void *little_endian(struct onnx_graph *g, const void *data, size_t count, size_t size)
{
    if (!data || is_little_endian()) {
        return copy_bytes(g, data, data ? count * size : 0);
    }
    unsigned char *to = arena(g, count * size);
    const unsigned char *from = data;
    for (size_t i = 0; to && i < count * size; i++) {
        to[i] = from[i / size * size + size - 1 - i % size];
    }
    return to;
}

/* In half precision. */
static uint8_t *halve(struct onnx_graph *g, const float *data, size_t count)
{
    uint16_t *halves = arena(g, count * sizeof *halves);
    for (size_t i = 0; halves && i < count; i++) {
        halves[i] = half_from_float(data[i]);
        bool fits = !isfinite(data[i]) || (halves[i] & 0x7c00) != 0x7c00;
        if (!fits && g->unfit == 0.0f) {
            g->unfit = data[i];
        }
    }
    return halves && !is_little_endian() ? little_endian(g, halves, count, sizeof *halves)
                                         : (uint8_t *)halves;
}

static const char *add_constant(struct onnx_graph *g, const char *word, enum onnx_type type,
                                uint8_t *raw, size_t bytes, const int64_t *dims, size_t rank)
{
    Onnx__TensorProto *t = arena(g, sizeof *t);
    size_t before = 0;
    for (size_t i = g->scope_constant; i < g->constants.count; i++) {
        const Onnx__TensorProto *other = g->constants.items[i];
        size_t length = strlen(g->scope) + 1;
        bool is_alike = strncmp(other->name + length, word, strlen(word)) == 0;
        before += is_alike && strchr("_", other->name[length + strlen(word)]) != NULL;
    }
    if (!t || !raw) {
        g->has_failed = true;
        return "";
    }
    *t = (Onnx__TensorProto)ONNX__TENSOR_PROTO__INIT;
    t->name = make_name(g, word, before);
    t->has_data_type = 1;
    t->data_type = (int32_t)type;
    t->n_dims = rank;
    t->dims = copy_bytes(g, dims, rank * sizeof *dims);
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){.len = bytes, .data = raw};
    if (!t->name || !t->dims || !push(g, &g->constants, t)) {
        g->has_failed = true;
        return "";
    }
    return t->name;
}

/* False where that overflows. */
static bool count_of(const int64_t *dims, size_t rank, size_t *count)
{
    bool fits = true;
    *count = 1;
    for (size_t i = 0; fits && i < rank; i++) {
        fits = size_mul(*count, (size_t)dims[i], count);
    }
    return fits;
}

const char *onnx_bytes(struct onnx_graph *g, const char *name, enum onnx_type type,
                       const void *data, const int64_t *dims, size_t rank)
{
    size_t count;
    if (!count_of(dims, rank, &count) || !data) {
        g->has_failed = true;
        return "";
    }
    return add_constant(g, name, type, copy_bytes(g, data, count), count, dims, rank);
}

const char *onnx_floats(struct onnx_graph *g, const char *name, const float *data,
                        const int64_t *dims, size_t rank)
{
    size_t count;
    if (!count_of(dims, rank, &count) || !data) {
        g->has_failed = true;
        return "";
    }
    if (g->type == ONNX_HALF) {
        return add_constant(g, name, ONNX_HALF, halve(g, data, count), 2 * count, dims, rank);
    }
    union {
        const float *from;
        uint8_t *raw; /* protobuf-c's messages are not const; packing only reads them */
    } borrowed = {.from = data};
    uint8_t *raw = is_little_endian() ? borrowed.raw : little_endian(g, data, count, sizeof *data);
    return add_constant(g, name, ONNX_FLOAT, raw, sizeof *data * count, dims, rank);
}

const char *onnx_scalar(struct onnx_graph *g, float value)
{
    float *data = onnx_memory(g, 1);
    if (data) {
        *data = value;
    }
    return onnx_floats(g, "scalar", data, NULL, 0);
}

const char *onnx_ints(struct onnx_graph *g, const int64_t *values, size_t count)
{
    int64_t dims[] = {(int64_t)count};
    uint8_t *raw = little_endian(g, values, count, sizeof *values);
    return add_constant(g, "ints", ONNX_INT64, raw, count * sizeof *values, dims, 1);
}

const char *onnx_int(struct onnx_graph *g, int64_t value)
{
    uint8_t *raw = little_endian(g, &value, 1, sizeof value);
    return add_constant(g, "int", ONNX_INT64, raw, sizeof value, NULL, 0);
}

/* ---- nodes ---- */

const char *onnx_node(struct onnx_graph *g, const char *op, const char *const *inputs, size_t count)
{
    Onnx__NodeProto *n = arena(g, sizeof *n);
    char **names = arena(g, (count + 1) * sizeof *names); /* and the output */
    size_t before = 0;
    for (size_t i = g->scope_node; i < g->nodes.count; i++) {
        before += strcmp(((const Onnx__NodeProto *)g->nodes.items[i])->op_type, op) == 0;
    }
    if (!n || !names) {
        g->has_failed = true;
        return "";
    }
    for (size_t i = 0; i < count; i++) {
        union {
            const char *name;
            char *plain; /* as for borrowed data */
        } input = {.name = inputs[i]};
        names[i] = input.plain;
    }
    *n = (Onnx__NodeProto)ONNX__NODE_PROTO__INIT;
    n->n_input = count;
    n->input = names;
    n->op_type = copy_text(g, op);
    n->name = make_name(g, op, before);
    n->output = names + count;
    n->output[0] = n->name;
    n->n_output = 1;
    if (!n->op_type || !n->name || !push(g, &g->nodes, n)) {
        g->has_failed = true;
        return "";
    }
    return n->name;
}

const char *onnx_node1(struct onnx_graph *g, const char *op, const char *a)
{
    return onnx_node(g, op, &a, 1);
}

const char *onnx_node2(struct onnx_graph *g, const char *op, const char *a, const char *b)
{
    return onnx_node(g, op, (const char *const[]){a, b}, 2);
}

/* A new attribute of the last node; where there is none, of one that is not written. */
static Onnx__AttributeProto *add_attribute(struct onnx_graph *g, const char *name)
{
    static Onnx__AttributeProto nowhere;
    enum { MOST = 8 };
    Onnx__NodeProto *n = g->nodes.count > 0 ? g->nodes.items[g->nodes.count - 1] : &no_node;
    Onnx__AttributeProto *a = arena(g, sizeof *a);
    if (!n->attribute && n != &no_node) {
        n->attribute = arena(g, MOST * sizeof(Onnx__AttributeProto *));
    }
    if (!a || !n->attribute || n->n_attribute == MOST || g->has_failed) {
        g->has_failed = true;
        return &nowhere;
    }
    *a = (Onnx__AttributeProto)ONNX__ATTRIBUTE_PROTO__INIT;
    a->name = copy_text(g, name);
    a->has_type = 1;
    n->attribute[n->n_attribute++] = a;
    return a;
}

void onnx_set_int(struct onnx_graph *g, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = add_attribute(g, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    a->has_i = 1;
    a->i = value;
}

void onnx_set_ints(struct onnx_graph *g, const char *name, const int64_t *values, size_t count)
{
    Onnx__AttributeProto *a = add_attribute(g, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    a->n_ints = count;
    a->ints = copy_bytes(g, values, count * sizeof *values);
}

void onnx_set_float(struct onnx_graph *g, const char *name, float value)
{
    Onnx__AttributeProto *a = add_attribute(g, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    a->has_f = 1;
    a->f = value;
}

void onnx_set_text(struct onnx_graph *g, const char *name, const char *value)
{
    Onnx__AttributeProto *a = add_attribute(g, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    a->has_s = 1;
    a->s = (ProtobufCBinaryData){.len = strlen(value), .data = (uint8_t *)copy_text(g, value)};
}

/* ---- inputs, outputs, metadata ---- */

static Onnx__TensorShapeProto *make_shape(struct onnx_graph *g, const struct onnx_dim *dims,
                                          size_t rank)
{
    Onnx__TensorShapeProto *shape = arena(g, sizeof *shape);
    Onnx__TensorShapeProto__Dimension **list = arena(g, (rank + 1) * sizeof *list);
    for (size_t i = 0; list && i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = arena(g, sizeof *d);
        if (!d) {
            return NULL;
        }
        *d = (Onnx__TensorShapeProto__Dimension)ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT;
        if (dims[i].symbol) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = copy_text(g, dims[i].symbol);
        } else {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = dims[i].length;
        }
        list[i] = d;
    }
    if (!shape || !list) {
        return NULL;
    }
    *shape = (Onnx__TensorShapeProto)ONNX__TENSOR_SHAPE_PROTO__INIT;
    shape->n_dim = rank;
    shape->dim = list;
    return shape;
}

static Onnx__ValueInfoProto *make_value(struct onnx_graph *g, char *name,
                                        const struct onnx_dim *dims, size_t rank)
{
    Onnx__ValueInfoProto *value = arena(g, sizeof *value);
    Onnx__TypeProto *type = arena(g, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = arena(g, sizeof *tensor);
    Onnx__TensorShapeProto *shape = make_shape(g, dims, rank);
    if (!value || !type || !tensor || !shape || !name) {
        return NULL;
    }
    *tensor = (Onnx__TypeProto__Tensor)ONNX__TYPE_PROTO__TENSOR__INIT;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX_FLOAT;
    tensor->shape = shape;
    *type = (Onnx__TypeProto)ONNX__TYPE_PROTO__INIT;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    *value = (Onnx__ValueInfoProto)ONNX__VALUE_INFO_PROTO__INIT;
    value->name = name;
    value->type = type;
    return value;
}

const char *onnx_input(struct onnx_graph *g, const char *name, const struct onnx_dim *dims,
                       size_t rank)
{
    Onnx__ValueInfoProto *value = make_value(g, copy_text(g, name), dims, rank);
    return push(g, &g->inputs, value) ? value->name : "";
}

/* Names are compared as pointers: each is made once. */
static bool rename_value(struct onnx_graph *g, const char *old, char *name)
{
    bool is_made = false;
    for (size_t i = 0; i < g->nodes.count; i++) {
        Onnx__NodeProto *n = g->nodes.items[i];
        is_made = is_made || n->output[0] == old;
        for (size_t k = 0; k <= n->n_input; k++) { /* the output lies behind the inputs */
            if (n->input[k] == old && is_made) {
                n->input[k] = name;
            }
        }
    }
    return is_made;
}

void onnx_output(struct onnx_graph *g, const char *value, const char *name,
                 const struct onnx_dim *dims, size_t rank)
{
    char *own = copy_text(g, name);
    if (!own || g->has_failed) {
        g->has_failed = true;
        return;
    }
    for (size_t i = 0; i < g->outputs.count; i++) { /* a value may be asked for twice */
        if (((Onnx__ValueInfoProto *)g->outputs.items[i])->name == value) {
            value = onnx_node1(g, "Identity", value);
            break;
        }
    }
    if (!rename_value(g, value, own)) {
        rename_value(g, onnx_node1(g, "Identity", value), own); /* an input is handed through */
    }
    push(g, &g->outputs, make_value(g, own, dims, rank));
}

void onnx_meta(struct onnx_graph *g, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = arena(g, sizeof *entry);
    if (entry) {
        *entry = (Onnx__StringStringEntryProto)ONNX__STRING_STRING_ENTRY_PROTO__INIT;
        entry->key = copy_text(g, key);
        entry->value = copy_text(g, value);
    }
    push(g, &g->metadata, entry);
}

/* ---- the file ---- */

/* The version of the file format that came with each set of operators (the table of versions in ONNX's documents). */
static int64_t ir_version(int opset)
{
    static const int versions[] = {[11] = 6, [12] = 7, [13] = 7, [14] = 7, [15] = 8,  [16] = 8,
                                   [17] = 8, [18] = 8, [19] = 9, [20] = 9, [21] = 10, [22] = 10};
    return versions[opset];
}

struct file_buffer {
    ProtobufCBuffer base;
    FILE *stream;
};

/* Errors stay in the stream, where atomic_commit finds them. */
static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *bytes)
{
    fwrite(bytes, 1, size, ((struct file_buffer *)buffer)->stream);
}

static enum result write_model(const Onnx__ModelProto *model, const char *path, struct error *err)
{
    struct atomic_file file;
    size_t bytes = protobuf_c_message_get_packed_size(&model->base);
    if (bytes > INT_MAX) {
        return error_set(err, ERR_UNSUPPORTED,
                         "%s would have %.2f GB: an ONNX file holds at most 2 GB%s", path,
                         (double)bytes / 1e9, bytes / 2 < INT_MAX ? " (try --fp16)" : "");
    }
    TRY(atomic_open(&file, path, err));
    struct file_buffer buffer = {{append}, file.stream};
    protobuf_c_message_pack_to_buffer(&model->base, &buffer.base);
    enum result result = atomic_commit(&file, err);
    atomic_abandon(&file);
    return result;
}

enum result onnx_write(struct onnx_graph *g, const char *path, const char *version,
                       struct error *err)
{
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    char *graph_name = copy_text(g, "network"), *producer = copy_text(g, "yolo");
    char *own_version = copy_text(g, version), *domain = copy_text(g, "");
    if (g->has_failed || !graph_name || !producer || !own_version || !domain) {
        return mem_error(err, "the ONNX graph");
    }
    graph.name = graph_name;
    graph.n_node = g->nodes.count;
    graph.node = (Onnx__NodeProto **)g->nodes.items;
    graph.n_initializer = g->constants.count;
    graph.initializer = (Onnx__TensorProto **)g->constants.items;
    graph.n_input = g->inputs.count;
    graph.input = (Onnx__ValueInfoProto **)g->inputs.items;
    graph.n_output = g->outputs.count;
    graph.output = (Onnx__ValueInfoProto **)g->outputs.items;
    opset.domain = domain;
    opset.has_version = 1;
    opset.version = g->opset;
    model.has_ir_version = 1;
    model.ir_version = ir_version(g->opset);
    model.producer_name = producer;
    model.producer_version = own_version;
    model.graph = &graph;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.n_metadata_props = g->metadata.count;
    model.metadata_props = (Onnx__StringStringEntryProto **)g->metadata.items;
    return write_model(&model, path, err);
}
