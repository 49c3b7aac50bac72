#include "exchange/onnx_layers.h"

#include <float.h>
#include <string.h>

#include "exchange/onnx_int8.h"
#include "exchange/onnx_ops.h"
#include "kernels/pool.h"
#include "layers/batchnorm.h"
#include "layers/kinds.h"
#include "layers/settings.h"

/* In fp32, too, a convolution's bias makes up for what bytes before it have lost. */
static const float *corrected(const struct onnx_lowering *x, const struct layer *l,
                              const float *biases)
{
    const struct quant_layer *q = x->quant ? &x->quant->layers[l->index] : NULL;
    if (!q || l->ops != &convolutional_ops || q->channels != l->out.c) {
        return biases;
    }
    float *sum = onnx_memory(x->graph, (size_t)l->out.c);
    for (int k = 0; sum && k < l->out.c; k++) {
        sum[k] = biases[k] + q->bias[k];
    }
    return sum;
}

static const char *param_constant(const struct onnx_lowering *x, const struct param *p,
                                  const float *data)
{
    return onnx_floats(x->graph, p->role, data, (int64_t[]){(int64_t)p->count}, 1);
}

/* ---- batch norm, weights ---- */

/* Stored statistics as BatchNormalization takes them: no variance below zero, which count as zero here. */
static const float *valid_variances(const struct onnx_lowering *x, const struct param *p)
{
    float *copy = NULL;
    for (size_t i = 0; i < p->count; i++) {
        if (p->data[i] < 0.0f && !copy) {
            copy = onnx_memory(x->graph, p->count);
            for (size_t k = 0; copy && k < p->count; k++) {
                copy[k] = p->data[k] < 0.0f ? 0.0f : p->data[k];
            }
            return copy;
        }
    }
    return p->data;
}

static const char *batch_norm(const struct onnx_lowering *x, const struct layer *l, const char *in)
{
    struct onnx_graph *g = x->graph;
    const struct param *scales = layer_param(l, "scales"), *biases = layer_param(l, "biases");
    const struct param *means = layer_param(l, "rolling_mean");
    const struct param *variances = layer_param(l, "rolling_variance");
    const char *inputs[] = {in, param_constant(x, scales, scales->data),
                            param_constant(x, biases, corrected(x, l, biases->data)),
                            param_constant(x, means, means->data),
                            param_constant(x, variances, valid_variances(x, variances))};
    const char *out = onnx_node(g, "BatchNormalization", inputs, 5);
    onnx_set_float(g, "epsilon", 1e-5f);
    return out;
}

/* In place of batch_norm: one multiply-add a channel. */
static const char *folded_norm(const struct onnx_lowering *x, const struct layer *l, const char *in)
{
    struct onnx_graph *g = x->graph;
    size_t count = layer_param(l, "biases")->count;
    const int64_t dims[] = {1, (int64_t)count, 1, 1};
    float *scale = onnx_memory(g, count), *shift = onnx_memory(g, count);
    if (scale && shift) {
        batchnorm_fold(l, scale, shift);
    }
    const char *scaled = onnx_node2(g, "Mul", in, onnx_floats(g, "scale", scale, dims, 4));
    return onnx_node2(g, "Add", scaled, onnx_floats(g, "shift", shift, dims, 4));
}

/* Weights and biases of a convolution with its batch norm in them. `outer`, `inner`: values of the weights before and
 * behind the axis of filters. */
static void fold_weights(const struct onnx_lowering *x, const struct layer *l, size_t outer,
                         size_t inner, const float **weights, const float **biases)
{
    const struct param *w = layer_param(l, "weights");
    size_t filters = layer_param(l, "biases")->count;
    float *scale = onnx_memory(x->graph, filters), *shift = onnx_memory(x->graph, filters);
    float *scaled = onnx_memory(x->graph, w->count);
    *weights = scaled;
    *biases = shift;
    if (!scale || !shift || !scaled) {
        return;
    }
    batchnorm_fold(l, scale, shift);
    for (size_t i = 0; i < outer * filters * inner; i++) {
        scaled[i] = w->data[i] * scale[i / inner % filters];
    }
}

struct window {
    const char *op; /* Conv, ConvTranspose */
    int64_t dims[4], kernel[2], strides[2], dilations[2], pads[4];
    int groups;
    size_t outer; /* values of the weights before the axis of filters, as fold_weights */
};

/* The convolution, its batch norm or biases, its activation. */
static void lower_unit(struct onnx_lowering *x, const struct layer *l, const struct window *w,
                       const char *in)
{
    struct onnx_graph *g = x->graph;
    const struct conv_unit *u = l->state;
    const float *weights = layer_param(l, "weights")->data, *biases = NULL;
    size_t filters = (size_t)u->geometry.filters;
    bool is_int8 = onnx_is_int8(x, l), is_folded = is_int8 || x->is_half;
    const char *inputs[3] = {in, NULL, NULL};
    if (is_int8) {
        inputs[1] = onnx_int8_weights(x, l, w->dims, &biases);
    } else if (!u->has_bn) {
        biases = corrected(x, l, layer_param(l, "biases")->data);
    } else if (x->is_half) {
        size_t inner = layer_param(l, "weights")->count / filters / w->outer;
        fold_weights(x, l, w->outer, inner, &weights, &biases);
    }
    if (!is_int8) {
        inputs[1] = onnx_floats(g, "weights", weights, w->dims, 4);
    }
    size_t count = 2;
    if (biases) {
        inputs[count++] = onnx_floats(g, "biases", biases, (int64_t[]){(int64_t)filters}, 1);
    }
    const char *out = onnx_node(g, w->op, inputs, count);
    onnx_set_ints(g, "kernel_shape", w->kernel, 2);
    onnx_set_ints(g, "strides", w->strides, 2);
    onnx_set_ints(g, "dilations", w->dilations, 2);
    onnx_set_ints(g, "pads", w->pads, 4);
    onnx_set_int(g, "group", w->groups);
    if (u->has_bn && !is_folded) {
        out = batch_norm(x, l, out);
    }
    x->outputs[l->index] = onnx_activate(g, u->act, out);
}

/* Darknet's output length knows nothing of dilation: the margins behind are what that leaves; where it is less than
 * nothing, the last rows and columns are not read. */
static void lower_conv(struct onnx_lowering *x, const struct layer *l)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *c = &u->geometry;
    const char *in = onnx_input_of(x, l, 0);
    int64_t before = c->pad_y;
    int64_t behind =
        2 * (int64_t)u->padding + (int64_t)(c->dilation - 1) * (c->kernel_h - 1) - before;
    if (behind < 0) {
        in = onnx_slice(x->graph, in, 2, 0, behind);
        in = onnx_slice(x->graph, in, 3, 0, behind);
        behind = 0;
    }
    struct window w = {.op = "Conv",
                       .dims = {c->filters, c->in_c / c->groups, c->kernel_h, c->kernel_w},
                       .kernel = {c->kernel_h, c->kernel_w},
                       .strides = {c->stride_y, c->stride_x},
                       .dilations = {c->dilation, c->dilation},
                       .pads = {before, before, behind, behind},
                       .groups = c->groups,
                       .outer = 1};
    lower_unit(x, l, &w, in);
}

/* A convolution with a window of the whole input: the output is a picture of one pixel like any other. */
static void lower_connected(struct onnx_lowering *x, const struct layer *l)
{
    struct shape in = l->input_shapes[0];
    struct window w = {.op = "Conv",
                       .dims = {l->out.c, in.c, in.h, in.w},
                       .kernel = {in.h, in.w},
                       .strides = {1, 1},
                       .dilations = {1, 1},
                       .groups = 1,
                       .outer = 1};
    lower_unit(x, l, &w, onnx_input_of(x, l, 0));
}

static void lower_deconv(struct onnx_lowering *x, const struct layer *l)
{
    const struct deconv_state *s = l->state;
    const struct conv_geometry *c = &s->unit.geometry;
    int64_t pad = s->unit.padding;
    struct window w = {.op = "ConvTranspose",
                       .dims = {c->in_c, c->filters, c->kernel_h, c->kernel_w},
                       .kernel = {c->kernel_h, c->kernel_w},
                       .strides = {s->stride, s->stride},
                       .dilations = {1, 1},
                       .pads = {pad, pad, pad, pad},
                       .groups = 1,
                       .outer = (size_t)c->in_c};
    lower_unit(x, l, &w, onnx_input_of(x, l, 0));
}

static void lower_batchnorm(struct onnx_lowering *x, const struct layer *l)
{
    const char *in = onnx_input_of(x, l, 0);
    x->outputs[l->index] = x->is_half ? folded_norm(x, l, in) : batch_norm(x, l, in);
}

/* ---- pooling ---- */

/* What a window needs behind the input along one axis. For one size no more than the last window reads, for any size
 * all that the cfg says; never a whole window, in which there would be nothing. */
static int64_t margin_behind(const struct onnx_lowering *x, const struct pool_state *s, int in,
                             int out, int stride)
{
    const struct pool_geometry *g = &s->geometry;
    int needed = (out - 1) * stride + g->size - g->offset - in;
    int margin = s->padding - g->offset;
    if (!x->has_free_size) {
        margin = needed > 0 ? needed : 0;
    }
    return margin < g->size ? margin : g->size - 1;
}

/* Margins that differ on the two sides, as pixels below all others: pnnx makes a MaxPool
 * with such margins one whose size is rounded up. */
static const char *pad_for_max(const struct onnx_lowering *x, const char *in, const int64_t *pads)
{
    const int64_t all[] = {0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]};
    float lowest = x->is_half ? -65504.0f : -FLT_MAX;
    const char *inputs[] = {in, onnx_ints(x->graph, all, 8), onnx_scalar(x->graph, lowest)};
    const char *out = onnx_node(x->graph, "Pad", inputs, 3);
    onnx_set_text(x->graph, "mode", "constant"); /* the default, without which pnnx knows no Pad */
    return out;
}

static void lower_windows(struct onnx_lowering *x, const struct layer *l, const char *op)
{
    struct onnx_graph *g = x->graph;
    const struct pool_state *s = l->state;
    const struct pool_geometry *p = &s->geometry;
    struct shape in = l->input_shapes[0];
    const char *value = onnx_input_of(x, l, 0);
    const int64_t kernel[] = {p->size, p->size}, strides[] = {p->stride_y, p->stride_x};
    int64_t pads[] = {p->offset, p->offset, margin_behind(x, s, in.h, l->out.h, p->stride_y),
                      margin_behind(x, s, in.w, l->out.w, p->stride_x)};
    bool is_even = pads[0] == pads[2] && pads[1] == pads[3];
    if (!is_even && l->ops == &maxpool_ops) {
        value = pad_for_max(x, value, pads);
        memset(pads, 0, sizeof pads);
    }
    x->outputs[l->index] = onnx_node1(g, op, value);
    onnx_set_ints(g, "kernel_shape", kernel, 2);
    onnx_set_ints(g, "strides", strides, 2);
    onnx_set_ints(g, "pads", pads, 4);
}

/* The maximum of channels g, g + count, g + 2 count ...; the last run may be shorter. */
static void lower_depth_max(struct onnx_lowering *x, const struct layer *l)
{
    struct onnx_graph *g = x->graph;
    const char *in = onnx_input_of(x, l, 0), *best = NULL;
    int channels = l->input_shapes[0].c, count = l->out.c;
    for (int first = 0; first < channels; first += count) {
        int end = first + count < channels ? first + count : channels;
        const char *run = onnx_slice(g, in, 1, first, end);
        if (!best) {
            best = run;
        } else if (end - first == count) {
            best = onnx_node2(g, "Max", best, run);
        } else {
            const char *parts[] = {
                onnx_node2(g, "Max", onnx_slice(g, best, 1, 0, end - first), run),
                onnx_slice(g, best, 1, end - first, count)};
            best = onnx_concat(g, parts, 2, 1);
        }
    }
    x->outputs[l->index] = best;
}

static void lower_maxpool(struct onnx_lowering *x, const struct layer *l)
{
    const struct pool_state *s = l->state;
    if (s->depth_channels) {
        lower_depth_max(x, l);
    } else {
        lower_windows(x, l, "MaxPool");
    }
}

/* The mean of the pixels that are there, as ONNX has it by default. */
static void lower_local_avgpool(struct onnx_lowering *x, const struct layer *l)
{
    lower_windows(x, l, "AveragePool");
}

static void lower_avgpool(struct onnx_lowering *x, const struct layer *l)
{
    x->outputs[l->index] = onnx_node1(x->graph, "GlobalAveragePool", onnx_input_of(x, l, 0));
}

/* ---- several inputs ---- */

static const char *channels_of(const struct onnx_lowering *x, const struct layer *l, int input,
                               int first, int count)
{
    const char *in = onnx_input_of(x, l, input);
    bool is_all = first == 0 && count == l->input_shapes[input].c;
    return is_all ? in : onnx_slice(x->graph, in, 1, first, first + count);
}

static void lower_route(struct onnx_lowering *x, const struct layer *l)
{
    const struct route_state *s = l->state;
    const char *joined = NULL;
    enum { AT_ONCE = 16 };
    for (int i = 0; i < l->input_count;) {
        const char *parts[AT_ONCE + 1];
        size_t count = 0;
        if (joined) {
            parts[count++] = joined;
        }
        for (; i < l->input_count && count < AT_ONCE; i++) {
            int channels = l->input_shapes[i].c / s->groups;
            parts[count++] = channels_of(x, l, i, s->group_id * channels, channels);
        }
        joined = onnx_concat(x->graph, parts, count, 1);
    }
    x->outputs[l->index] = joined;
}

/* sum + in, on the channels that both have; the sum's others stay. */
static const char *add_common(struct onnx_graph *g, const char *sum, int channels, const char *in,
                              int common)
{
    if (common == channels) {
        return onnx_node2(g, "Add", sum, in);
    }
    const char *parts[] = {onnx_node2(g, "Add", onnx_slice(g, sum, 1, 0, common), in),
                           onnx_slice(g, sum, 1, common, channels)};
    return onnx_concat(g, parts, 2, 1);
}

static void lower_shortcut(struct onnx_lowering *x, const struct layer *l)
{
    struct onnx_graph *g = x->graph;
    const struct shortcut_state *s = l->state;
    int channels = l->out.c;
    bool is_weighted = s->weighting != WEIGHT_NONE;
    float *factors = NULL;
    if (is_weighted) {
        factors = onnx_memory(g, (size_t)l->input_count * (size_t)channels);
        if (factors) {
            shortcut_factors(l, factors);
        }
    }
    const char *sum = NULL;
    for (int i = 0; i < l->input_count; i++) {
        int common = l->input_shapes[i].c < channels ? l->input_shapes[i].c : channels;
        const char *in = channels_of(x, l, i, 0, common);
        if (is_weighted) {
            const float *own = factors ? factors + (size_t)i * (size_t)channels : NULL;
            const int64_t dims[] = {1, common, 1, 1};
            in = onnx_node2(g, "Mul", in, onnx_floats(g, "factors", own, dims, 4));
        }
        sum = sum ? add_common(g, sum, channels, in, common) : in;
    }
    x->outputs[l->index] = onnx_activate(g, s->act, sum);
}

/* [scale_channels], [sam]: shapes differ by axes of length 1 at most. */
static void lower_product(struct onnx_lowering *x, const struct layer *l)
{
    const struct gate_state *s = l->state;
    const char *product =
        onnx_node2(x->graph, "Mul", onnx_input_of(x, l, 0), onnx_input_of(x, l, 1));
    x->outputs[l->index] = onnx_activate(x->graph, s->act, product);
}

/* ---- pixels moved ---- */

/* Every pixel becomes a block of the same value. */
static void lower_upsample(struct onnx_lowering *x, const struct layer *l)
{
    struct onnx_graph *g = x->graph;
    const struct upsample_state *s = l->state;
    const char *roi = "";
    float *scales = onnx_memory(g, 4);
    if (scales) {
        scales[0] = scales[1] = 1.0f;
        scales[2] = scales[3] = (float)s->stride;
    }
    const char *in = onnx_times(g, onnx_input_of(x, l, 0), s->factor);
    onnx_set_type(g, ONNX_FLOAT); /* whatever the network computes in */
    if (onnx_opset(g) < 13) {     /* required there, and not read in this mode */
        roi = onnx_floats(g, "roi", scales, (int64_t[]){0}, 1);
    }
    const char *inputs[] = {in, roi, onnx_floats(g, "scales", scales, (int64_t[]){4}, 1)};
    onnx_set_type(g, x->is_half ? ONNX_HALF : ONNX_FLOAT);
    x->outputs[l->index] = onnx_node(g, "Resize", inputs, 3);
    onnx_set_text(g, "mode", "nearest");
    onnx_set_text(g, "nearest_mode", "floor");
    onnx_set_text(g, "coordinate_transformation_mode", "asymmetric");
}

static void lower_reorg3d(struct onnx_lowering *x, const struct layer *l)
{
    const struct reorg_state *s = l->state;
    const char *op = s->is_reverse ? "DepthToSpace" : "SpaceToDepth";
    x->outputs[l->index] = onnx_node1(x->graph, op, onnx_input_of(x, l, 0));
    onnx_set_int(x->graph, "blocksize", s->stride);
}

/* layers/reorg.c has the formula: the input taken as [ci, H, s, W, s], its blocks' offsets put in front. */
static void lower_reorg(struct onnx_lowering *x, const struct layer *l)
{
    const struct reorg_state *s = l->state;
    struct shape in = l->input_shapes[0];
    int64_t side = s->stride;
    const int64_t apart[] = {0, in.c / (side * side), in.h, side, in.w, side};
    const int64_t together[] = {0, l->out.c, l->out.h, l->out.w};
    const char *blocks = onnx_reshape(x->graph, onnx_input_of(x, l, 0), apart, 6);
    blocks = onnx_transpose(x->graph, blocks, (int64_t[]){0, 3, 5, 1, 2, 4}, 6);
    x->outputs[l->index] = onnx_reshape(x->graph, blocks, together, 4);
}

static void lower_crop(struct onnx_lowering *x, const struct layer *l)
{
    const struct crop_state *s = l->state;
    struct shape in = l->input_shapes[0];
    int top = (in.h - s->h) / 2, left = (in.w - s->w) / 2;
    const char *out = onnx_input_of(x, l, 0);
    out = onnx_slice(x->graph, out, 2, top, top + s->h);
    out = onnx_slice(x->graph, out, 3, left, left + s->w);
    if (!s->keeps_values) {
        out = onnx_plus(x->graph, onnx_times(x->graph, out, 2.0f), -1.0f);
    }
    x->outputs[l->index] = out;
}

/* ---- values ---- */

static void lower_activation(struct onnx_lowering *x, const struct layer *l)
{
    x->outputs[l->index] = onnx_activate(x->graph, l->act, onnx_input_of(x, l, 0));
}

/* Of runs of channels: [n, groups, channels of a run, pixels]. */
static void lower_softmax(struct onnx_lowering *x, const struct layer *l)
{
    struct onnx_graph *g = x->graph;
    const struct softmax_state *s = l->state;
    const int64_t run = l->out.c / s->groups, pixels = (int64_t)l->out.h * l->out.w;
    const int64_t back[] = {0, l->out.c, l->out.h, l->out.w}, last[] = {0, 1, 3, 2};
    const char *out = onnx_times(g, onnx_input_of(x, l, 0), 1.0f / s->temperature);
    if (s->is_per_pixel && pixels > 1) {
        out = onnx_reshape(g, out, (int64_t[]){0, s->groups, run, pixels}, 4);
        out = onnx_softmax(g, onnx_transpose(g, out, last, 4), 4);
        out = onnx_transpose(g, out, last, 4);
    } else {
        out = onnx_reshape(g, out, (int64_t[]){0, s->groups, run * pixels}, 3);
        out = onnx_softmax(g, out, 3);
    }
    x->outputs[l->index] = onnx_reshape(g, out, back, 4);
}

/* [dropout] drops in training only, [cost] has no output of its own. */
static void lower_nothing(struct onnx_lowering *x, const struct layer *l)
{
    x->outputs[l->index] = onnx_input_of(x, l, 0);
}

static const struct {
    const struct layer_ops *ops;
    void (*lower)(struct onnx_lowering *x, const struct layer *l);
    bool fixes_size; /* where the size of its input may change */
} lowerings[] = {
    {&convolutional_ops, lower_conv, false},
    {&deconvolutional_ops, lower_deconv, false},
    {&connected_ops, lower_connected, true},
    {&batchnorm_ops, lower_batchnorm, false},
    {&activation_ops, lower_activation, false},
    {&maxpool_ops, lower_maxpool, false},
    {&local_avgpool_ops, lower_local_avgpool, false},
    {&avgpool_ops, lower_avgpool, false},
    {&route_ops, lower_route, false},
    {&shortcut_ops, lower_shortcut, false},
    {&scale_channels_ops, lower_product, false},
    {&sam_ops, lower_product, false},
    {&upsample_ops, lower_upsample, false},
    {&reorg_ops, lower_reorg, true},
    {&reorg3d_ops, lower_reorg3d, false},
    {&crop_ops, lower_crop, true},
    {&dropout_ops, lower_nothing, false},
    {&softmax_ops, lower_softmax, true},
    {&cost_ops, lower_nothing, false},
};
enum { LOWERINGS = sizeof lowerings / sizeof lowerings[0] };

static int lowering_of(const struct layer *l)
{
    int i = 0;
    while (i < LOWERINGS && lowerings[i].ops != l->ops) {
        i++;
    }
    return i;
}

bool onnx_layer_fixes_size(const struct layer *l)
{
    int i = lowering_of(l);
    return i < LOWERINGS && lowerings[i].fixes_size;
}

enum result onnx_lower_layer(struct onnx_lowering *x, const struct layer *l, struct error *err)
{
    int i = lowering_of(l);
    if (i == LOWERINGS) {
        return layer_error(l, ERR_UNSUPPORTED, err, "is a kind of layer that ONNX has no word for");
    }
    lowerings[i].lower(x, l);
    float unfit = onnx_take_unfit(x->graph);
    return unfit == 0.0f ? OK
                         : layer_error(l, ERR_UNSUPPORTED, err,
                                       "%g is more than half precision can hold (65504): export "
                                       "it without --fp16",
                                       (double)unfit);
}
