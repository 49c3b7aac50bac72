#include "layers/conv_unit.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/activate.h"
#include "kernels/norm.h"
#include "layers/batchnorm.h"
#include "cfg/cfg.h"

const char *const conv_unit_choices[] = {
    [CONV_INDIRECT] = "indirect",   [CONV_WINOGRAD] = "winograd",
    [CONV_DEPTHWISE] = "depthwise", [CONV_POINTWISE] = "pointwise",
    [CONV_ROWS] = "rows",           [CONV_WINOGRAD_STRIDE2] = "winograd/2",
    [CONV_STRASSEN] = "strassen",
};

enum result conv_unit_parse(struct layer *l, struct conv_unit *u, struct error *err)
{
    u->geometry = (struct conv_geometry){.filters = 1,
                                         .groups = 1,
                                         .kernel_h = 1,
                                         .kernel_w = 1,
                                         .stride_y = 1,
                                         .stride_x = 1,
                                         .dilation = 1};
    TRY(layer_activation(l, ACT_LOGISTIC, &u->act, err));
    TRY(cfg_bool(l->section, "batch_normalize", false, &u->has_bn, err));
    return layer_read_previous(l, err);
}

enum result conv_unit_parse_window(struct layer *l, struct conv_unit *u, struct error *err)
{
    int size;
    bool is_centred;
    TRY(cfg_int(l->section, "filters", 1, 1, CONV_MAX_FILTERS, &u->geometry.filters, err));
    TRY(cfg_int(l->section, "size", 1, 1, CONV_MAX_WINDOW, &size, err));
    TRY(cfg_bool(l->section, "pad", false, &is_centred, err));
    TRY(cfg_int(l->section, "padding", 0, 0, CONV_MAX_WINDOW, &u->padding, err));
    u->geometry.kernel_h = u->geometry.kernel_w = size;
    u->padding = is_centred ? size / 2 : u->padding;
    return OK;
}

void conv_unit_shape(const struct layer *l, struct conv_unit *u, struct shape in, int margin)
{
    struct conv_geometry *g = &u->geometry;
    g->in_h = in.h;
    g->in_w = in.w;
    g->in_c = in.c;
    g->pad_y = g->pad_x = margin;
    g->out_h = l->out.h;
    g->out_w = l->out.w;
}

enum result conv_unit_params(struct layer *l, struct error *err)
{
    const struct conv_unit *u = l->state;
    TRY(conv_unit_add_biases(u, l, err));
    TRY(conv_unit_add_bn(u, l, err));
    return conv_unit_add_weights(u, l, err);
}

enum result conv_unit_add_biases(const struct conv_unit *u, struct layer *l, struct error *err)
{
    return layer_add_param(l, "biases", (size_t)u->geometry.filters, err);
}

enum result conv_unit_add_weights(const struct conv_unit *u, struct layer *l, struct error *err)
{
    const struct conv_geometry *g = &u->geometry;
    size_t fan_in = (size_t)(g->in_c / g->groups), count;
    if (!size_mul(fan_in, (size_t)g->kernel_h, &fan_in) ||
        !size_mul(fan_in, (size_t)g->kernel_w, &fan_in) ||
        !size_mul(fan_in, (size_t)g->filters, &count)) {
        return layer_error(l, ERR_CFG, err, "the number of its weights overflows");
    }
    TRY(layer_add_param(l, "weights", count, err));
    l->params[l->param_count - 1].fan_in = fan_in;
    return OK;
}

enum result conv_unit_add_bn(const struct conv_unit *u, struct layer *l, struct error *err)
{
    size_t filters = (size_t)u->geometry.filters;
    if (!u->has_bn) {
        return OK;
    }
    TRY(layer_add_param(l, "scales", filters, err));
    TRY(layer_add_param(l, "rolling_mean", filters, err));
    return layer_add_param(l, "rolling_variance", filters, err);
}

/* Where the scales lie in prepared memory; the shifts follow. */
static size_t scale_offset(const struct conv_unit *u, const struct kernels *kern, int choice)
{
    return tensor_align(conv_packed_floats(kern, &u->geometry, (enum conv_algorithm)choice));
}

size_t conv_unit_prepared_floats(const struct conv_unit *u, const struct kernels *kern, int choice)
{
    return scale_offset(u, kern, choice) + 2 * tensor_align((size_t)u->geometry.filters);
}

/* A convolution that ends in plain biases is its own z: nothing is saved. */
static bool keeps_z(const struct conv_unit *u)
{
    return u->has_bn || u->act != ACT_LINEAR;
}

/* For the gradient of the wanted input channels. */
static struct conv_geometry backward_geometry(const struct conv_unit *u,
                                              struct channel_range wanted)
{
    struct conv_geometry g = u->geometry;
    if (g.groups == 1) {
        g.in_c = wanted.count;
    }
    return g;
}

static size_t backward_packed_bytes(const struct kernels *kern, const struct conv_geometry *g)
{
    return tensor_align(conv_backward_packed_floats(kern, g)) * sizeof(float);
}

static void plan_kept(const struct conv_unit *u, const struct plan_limits *limits,
                      struct layer_plan *p)
{
    const struct conv_geometry *g = &u->geometry;
    size_t pixels = (size_t)limits->batch * (size_t)g->out_h * (size_t)g->out_w;
    size_t scratch = batchnorm_scratch_bytes(pixels, g->filters);
    size_t conv_scratch = conv_backward_scratch_bytes(limits->kernels, g, limits->batch);
    if (limits->passes_gradient) {
        struct conv_geometry narrow = backward_geometry(u, limits->grad_channels);
        size_t bytes = conv_backward_scratch_bytes(limits->kernels, &narrow, limits->batch);
        conv_scratch = bytes > conv_scratch ? bytes : conv_scratch;
        conv_scratch += backward_packed_bytes(limits->kernels, &narrow);
    }
    scratch = conv_scratch > scratch ? conv_scratch : scratch;
    p->scratch_bytes = scratch > p->scratch_bytes ? scratch : p->scratch_bytes;
    p->backward_needs_input = mode_rules[limits->mode].moves_weights;
    p->can_remake = keeps_z(u) && u->act < ACT_FUSED_COUNT;
    if (u->has_bn) {
        p->saved_floats = batchnorm_saved_floats(pixels, g->filters);
    } else if (keeps_z(u)) {
        p->saved_floats = pixels * (size_t)g->filters;
    }
}

/* Weights that move are packed just before use, forward as backward: as quick as packing them after every update, and
 * a network's packed weights are not kept beside them. */
static bool packs_late(const struct layer *l, enum layer_mode mode)
{
    return mode_rules[mode].moves_weights && l->ops->forward == conv_unit_forward;
}

static size_t packed_bytes(const struct conv_unit *u, const struct kernels *kern, int choice)
{
    return scale_offset(u, kern, choice) * sizeof(float);
}

void conv_unit_plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    enum conv_algorithm algorithm = conv_choose(limits->kernels, g);
    p->place = PLACE_OWN;
    p->choice = (int)algorithm;
    p->scratch_bytes = conv_scratch_bytes(limits->kernels, g, algorithm);
    if (packs_late(l, limits->mode)) {
        p->scratch_bytes += packed_bytes(u, limits->kernels, p->choice);
    } else {
        p->prepared_floats = conv_unit_prepared_floats(u, limits->kernels, p->choice);
    }
    if (mode_rules[limits->mode].keeps_backward) {
        plan_kept(u, limits, p);
    }
}

void conv_unit_prepare_from(const struct layer *l, const struct exec *e, const float *weights)
{
    const struct conv_unit *u = l->state;
    size_t filters = (size_t)u->geometry.filters;
    float *scale = e->prepared + scale_offset(u, e->kernels, e->choice);
    float *shift = scale + tensor_align(filters);
    conv_pack(e->kernels, &u->geometry, (enum conv_algorithm)e->choice, weights, e->prepared);
    if (u->has_bn) {
        batchnorm_fold(l, scale, shift);
    } else {
        memcpy(shift, layer_param(l, "biases")->data, filters * sizeof *shift);
    }
}

static void add_bias(float *shift, const float *bias, size_t filters)
{
    for (size_t k = 0; bias && k < filters; k++) {
        shift[k] += bias[k];
    }
}

void conv_unit_add_bias(const struct layer *l, const struct exec *e, const float *bias)
{
    const struct conv_unit *u = l->state;
    size_t filters = (size_t)u->geometry.filters;
    float *shift = e->prepared + scale_offset(u, e->kernels, e->choice) + tensor_align(filters);
    add_bias(shift, bias, filters);
}

static const float *weights_of(const struct layer *l, const struct exec *e)
{
    return e->weights ? e->weights : layer_param(l, "weights")->data;
}

void conv_unit_prepare(const struct layer *l, const struct exec *e)
{
    if (!packs_late(l, e->mode)) {
        conv_unit_prepare_from(l, e, weights_of(l, e));
    }
    if (e->bias && !mode_rules[e->mode].keeps_backward) { /* else conv_unit_finish adds it */
        conv_unit_add_bias(l, e, e->bias);
    }
}

struct conv_epilogue conv_unit_epilogue(const struct conv_unit *u, const struct exec *e)
{
    const float *scale = e->prepared + scale_offset(u, e->kernels, e->choice);
    return (struct conv_epilogue){
        .scale = u->has_bn ? scale : NULL,
        .shift = scale + tensor_align((size_t)u->geometry.filters),
        .act = u->act < ACT_FUSED_COUNT ? u->act : ACT_LINEAR,
    };
}

void conv_unit_infer(const struct conv_unit *u, const struct exec *e, const struct tensor *in,
                     const struct tensor *out, bool adds, void *scratch)
{
    struct conv_epilogue epilogue = conv_unit_epilogue(u, e);
    conv_forward(e->kernels, &u->geometry, (enum conv_algorithm)e->choice, e->prepared, &epilogue,
                 in, out, adds, scratch);
    if (epilogue.act != u->act) {
        op_activate(e->kernels, u->act, out, out);
    }
}

bool conv_unit_gives_bytes(const struct layer *l, const struct kernels *kern)
{
    const struct conv_unit *u = l->state;
    return l->ops->forward == conv_unit_forward && u->act < ACT_FUSED_COUNT &&
           conv_gives_bytes(conv_choose(kern, &u->geometry));
}

size_t conv_unit_bytes_scratch_bytes(const struct layer *l, const struct kernels *kern)
{
    const struct conv_unit *u = l->state;
    return conv_bytes_scratch_bytes(kern, &u->geometry, conv_choose(kern, &u->geometry));
}

void conv_unit_infer_bytes(const struct layer *l, const struct exec *e,
                           const struct int8_tensor *out)
{
    const struct conv_unit *u = l->state;
    struct conv_epilogue epilogue = conv_unit_epilogue(u, e);
    conv_forward_bytes(e->kernels, &u->geometry, (enum conv_algorithm)e->choice, e->prepared,
                       &epilogue, &e->inputs[0], out, e->scratch);
}

struct tensor conv_unit_z(const struct conv_unit *u, const struct exec *e)
{
    return keeps_z(u) ? batchnorm_saved_z(e) : e->out;
}

struct conv_epilogue conv_unit_z_epilogue(const struct conv_unit *u, const struct exec *e)
{
    const float *scale = e->prepared + scale_offset(u, e->kernels, e->choice);
    return (struct conv_epilogue){
        .shift = u->has_bn ? NULL : scale + tensor_align((size_t)u->geometry.filters)};
}

/* The saved z is normalised and activated; with stored statistics the output has the bits of conv_unit_infer. */
void conv_unit_finish(const struct layer *l, const struct exec *e)
{
    const struct conv_unit *u = l->state;
    struct tensor z = conv_unit_z(u, e);
    if (!keeps_z(u) && !e->bias) {
        return;
    }
    if (u->has_bn) {
        struct batchnorm_used used = batchnorm_saved_used(e);
        batchnorm_settle(l, e, &z, &used);
        add_bias(used.shift, e->bias, (size_t)u->geometry.filters);
    }
    conv_unit_remake(l, e, &e->out);
}

void conv_unit_remake(const struct layer *l, const struct exec *e, const struct tensor *out)
{
    const struct conv_unit *u = l->state;
    struct tensor z = conv_unit_z(u, e);
    struct conv_epilogue rest = {.shift = e->bias, .act = u->act};
    if (u->has_bn) {
        struct batchnorm_used used = batchnorm_saved_used(e);
        rest.scale = used.scale;
        rest.shift = used.shift;
    }
    op_epilogue(e->kernels, &rest, &z, out);
}

static void forward_kept(const struct layer *l, const struct exec *e)
{
    const struct conv_unit *u = l->state;
    struct tensor z = conv_unit_z(u, e);
    struct conv_epilogue plain = conv_unit_z_epilogue(u, e);
    enum conv_algorithm algorithm = (enum conv_algorithm)e->choice;
    const float *packed = e->prepared;
    char *scratch = e->scratch;
    if (packs_late(l, e->mode)) {
        packed = e->scratch;
        scratch += packed_bytes(u, e->kernels, e->choice);
        plain.shift = u->has_bn ? NULL : layer_param(l, "biases")->data;
        conv_pack(e->kernels, &u->geometry, algorithm, weights_of(l, e), e->scratch);
    }
    conv_forward(e->kernels, &u->geometry, algorithm, packed, &plain, &e->inputs[0], &z, false,
                 scratch);
    conv_unit_finish(l, e);
}

void conv_unit_backward_to_z(const struct layer *l, const struct exec *e)
{
    const struct conv_unit *u = l->state;
    struct tensor z = conv_unit_z(u, e);
    if (u->has_bn) {
        struct batchnorm_used used = batchnorm_saved_used(e);
        batchnorm_backward(l, e, layer_backward_activation(l), &z, &used);
        return;
    }
    if (keeps_z(u)) {
        struct conv_epilogue f = {.shift = e->bias, .act = layer_backward_activation(l)};
        op_activate_backward(e->kernels, &f, &z, &e->out_grad, &e->out_grad);
    }
    float *bias_grad = layer_param_grad(l, e, "biases");
    if (bias_grad) {
        op_channel_sum(e->kernels, &e->out_grad, bias_grad, e->scratch);
    }
}

/* Packed just before use: as quick as packing ahead, and nothing is kept. */
static void backward_to_input(const struct conv_unit *u, const float *weights, const struct exec *e)
{
    struct conv_geometry g = backward_geometry(u, e->grad_channels);
    struct tensor dx = e->input_grads[0];
    int filter_channels = u->geometry.in_c / g.groups;
    float *packed = e->scratch;
    char *scratch = (char *)e->scratch + backward_packed_bytes(e->kernels, &g);
    if (g.groups == 1) {
        dx = tensor_channels(&dx, e->grad_channels.first, e->grad_channels.count);
        weights += (size_t)e->grad_channels.first * (size_t)g.kernel_h * (size_t)g.kernel_w;
    }
    conv_pack_backward(e->kernels, &g, weights, filter_channels, packed);
    conv_backward_data(e->kernels, &g, packed, &e->out_grad, &dx, e->grad_adds[0], scratch);
}

void conv_unit_forward(const struct layer *l, const struct exec *e)
{
    if (mode_rules[e->mode].keeps_backward) {
        forward_kept(l, e);
    } else {
        conv_unit_infer(l->state, e, &e->inputs[0], &e->out, false, e->scratch);
    }
}

void conv_unit_backward(const struct layer *l, const struct exec *e)
{
    const struct conv_unit *u = l->state;
    float *weight_grad = layer_param_grad(l, e, "weights");
    conv_unit_backward_to_z(l, e);
    if (weight_grad) {
        conv_backward_weights(e->kernels, &u->geometry, &e->inputs[0], &e->out_grad, weight_grad,
                              e->scratch);
    }
    if (e->input_grads[0].data) {
        backward_to_input(u, weights_of(l, e), e);
    }
}
