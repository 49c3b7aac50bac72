#include "exchange/onnx_int8.h"

#include <string.h>

#include "base/memory.h"
#include "layers/int8_unit.h"

bool onnx_int8_open(struct onnx_lowering *x)
{
    size_t layers = (size_t)x->net->layer_count;
    bool *is_int8 = mem_alloc(layers, sizeof *is_int8);
    x->roles = mem_alloc(layers, sizeof *x->roles);
    x->is_rounded = mem_alloc(layers, sizeof *x->is_rounded);
    x->bytes = mem_alloc(layers, sizeof *x->bytes);
    x->steps = mem_alloc(layers, sizeof *x->steps);
    x->values = mem_alloc(layers, sizeof *x->values);
    bool has_memory = is_int8 && x->roles && x->is_rounded && x->bytes && x->steps && x->values;
    for (size_t i = 0; has_memory && i < layers; i++) {
        is_int8[i] = x->quant->layers[i].is_int8;
    }
    if (has_memory) {
        quant_find_roles(x->net, is_int8, x->roles);
        quant_find_rounded(x->net, x->roles, x->is_rounded);
    }
    mem_free(is_int8);
    return has_memory;
}

void onnx_int8_close(struct onnx_lowering *x)
{
    mem_free(x->roles);
    mem_free(x->is_rounded);
    mem_free(x->bytes);
    mem_free(x->steps);
    mem_free(x->values);
}

bool onnx_is_int8(const struct onnx_lowering *x, const struct layer *l)
{
    return x->quant && x->roles[l->index] == QUANT_CONV;
}

/* Node `op` along the axis of channels. */
static const char *convert(struct onnx_graph *g, const char *op, const char *value,
                           const struct quant_layer *q, const float *steps)
{
    const int64_t dims[] = {q->channels};
    const char *inputs[] = {value, onnx_floats(g, "steps", steps, dims, 1),
                            onnx_bytes(g, "zeros", ONNX_UINT8, q->zeros, dims, 1)};
    const char *out = onnx_node(g, op, inputs, 3);
    onnx_set_int(g, "axis", 1);
    return out;
}

static const char *bytes_of(const struct onnx_lowering *x, int layer)
{
    const struct quant_layer *q = &x->quant->layers[layer];
    if (!x->bytes[layer]) {
        x->bytes[layer] = convert(x->graph, "QuantizeLinear", x->outputs[layer], q, q->steps);
    }
    return x->bytes[layer];
}

static const char *steps_of(const struct onnx_lowering *x, int layer)
{
    const struct quant_layer *q = &x->quant->layers[layer];
    float *ones = NULL;
    if (!x->steps[layer] && x->is_rounded[layer]) {
        ones = onnx_memory(x->graph, (size_t)q->channels);
        for (int c = 0; ones && c < q->channels; c++) {
            ones[c] = 1.0f;
        }
        x->steps[layer] = convert(x->graph, "DequantizeLinear", bytes_of(x, layer), q, ones);
    }
    return x->steps[layer] ? x->steps[layer] : x->outputs[layer]; /* moved in steps */
}

static const char *values_of(const struct onnx_lowering *x, int layer)
{
    const struct quant_layer *q = &x->quant->layers[layer];
    if (!x->values[layer] && x->is_rounded[layer]) {
        x->values[layer] = convert(x->graph, "DequantizeLinear", bytes_of(x, layer), q, q->steps);
    } else if (!x->values[layer]) {
        const int64_t dims[] = {1, q->channels, 1, 1};
        x->values[layer] = onnx_node2(x->graph, "Mul", steps_of(x, layer),
                                      onnx_floats(x->graph, "steps", q->steps, dims, 4));
    }
    return x->values[layer];
}

/* The output of layer `from` as one with that role reads it. */
static const char *read_output(const struct onnx_lowering *x, int from, enum quant_role role)
{
    if (role == QUANT_CONV || role == QUANT_SAME) {
        return steps_of(x, from);
    }
    bool is_float = x->roles[from] == QUANT_FLOAT;
    return role == QUANT_FLOAT && is_float ? x->outputs[from] : values_of(x, from);
}

const char *onnx_input_of(const struct onnx_lowering *x, const struct layer *l, int i)
{
    int from = l->inputs[i];
    if (from == LAYER_IMAGE) {
        return x->image;
    }
    return x->quant ? read_output(x, from, x->roles[l->index]) : x->outputs[from];
}

const char *onnx_output_of(const struct onnx_lowering *x, int layer)
{
    return x->quant ? read_output(x, layer, QUANT_FLOAT) : x->outputs[layer];
}

/* A scale of a batch norm may be negative or zero, that of a DequantizeLinear not. */
static void take_scale(int8_t *weights, size_t count, float *scale)
{
    if (*scale < 0.0f) {
        *scale = -*scale;
        for (size_t i = 0; i < count; i++) {
            weights[i] = (int8_t)-weights[i];
        }
    } else if (!(*scale > 0.0f)) {
        *scale = 1.0f;
        memset(weights, 0, count);
    }
}

const char *onnx_int8_weights(struct onnx_lowering *x, const struct layer *l, const int64_t *dims,
                              const float **biases)
{
    struct onnx_graph *g = x->graph;
    size_t filters = (size_t)l->out.c, count = layer_param(l, "weights")->count;
    float *steps = onnx_memory(g, filters), *scale = onnx_memory(g, filters);
    float *shift = onnx_memory(g, filters);
    int8_t *weights = mem_alloc_raw(count, 1);
    const char *out = "";
    *biases = shift;
    if (steps && scale && shift && weights) {
        int8_unit_fold(l, scale, shift);
        int8_unit_round(l, x->quant->layers[l->inputs[0]].steps, weights, steps);
        for (size_t k = 0; k < filters; k++) {
            scale[k] *= steps[k];
            shift[k] += x->quant->layers[l->index].bias[k];
            take_scale(weights + k * (count / filters), count / filters, &scale[k]);
        }
        const char *inputs[] = {
            onnx_bytes(g, "weights", ONNX_INT8, weights, dims, 4),
            onnx_floats(g, "weight_steps", scale, (int64_t[]){(int64_t)filters}, 1)};
        out = onnx_node(g, "DequantizeLinear", inputs, 2);
        onnx_set_int(g, "axis", 0);
    } else {
        onnx_fail(g);
    }
    mem_free(weights);
    return out;
}
