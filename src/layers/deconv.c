/* [deconvolutional] (transposed convolution; P's Darknet only):
 *
 *   out(f, y * stride - padding + r, x * stride - padding + s) += w[c][f][r][s] * in(c, y, x)
 *
 * out = (in - 1) * stride + size - 2 * padding. Run as a plain convolution with stride 1 and the
 * mirrored window over the input spread out with stride - 1 zeros between its pixels and padded by
 * size - 1 - padding, image by image. Prepared memory: a conv_unit's, then the weights as
 * [filters][c][size][size], mirrored. Scratch: the spread image, then the convolution's.
 *
 * Backward it is the other way round: the output's gradient is the input of a plain convolution with this stride and
 * padding, whose weights are the file's, [c][filters][size][size]; the input's gradient is its output, and the
 * weights' gradient is that of its weights. Scratch: its packed weights, its output, then its own. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    struct deconv_state *s = l->state;
    TRY(conv_unit_parse(l, &s->unit, err));
    TRY(conv_unit_parse_window(l, &s->unit, err));
    TRY(cfg_int(l->section, "stride", 1, 1, CONV_MAX_WINDOW, &s->stride, err));
    if (s->unit.padding >= s->unit.geometry.kernel_h) {
        return cfg_error(l->section, cfg_find(l->section, "padding"), err,
                         "%d must be less than size=%d", s->unit.padding,
                         s->unit.geometry.kernel_h);
    }
    return OK;
}

static enum result shape(struct layer *l, struct error *err)
{
    struct deconv_state *s = l->state;
    struct shape in = l->input_shapes[0];
    int size = s->unit.geometry.kernel_h, padding = s->unit.padding;
    int limit = (INT_MAX - size) / s->stride;
    if (in.h > limit || in.w > limit) {
        return layer_error(l, ERR_CFG, err, "the output would be too large");
    }
    struct shape wide = {(in.h - 1) * s->stride + 1, (in.w - 1) * s->stride + 1, in.c};
    l->out = (struct shape){wide.h + size - 1 - 2 * padding, wide.w + size - 1 - 2 * padding,
                            s->unit.geometry.filters};
    if (l->out.h < 1 || l->out.w < 1) {
        return layer_error(l, ERR_CFG, err, "padding %d leaves nothing of the input of %d x %d",
                           padding, in.w, in.h);
    }
    conv_unit_shape(l, &s->unit, wide, size - 1 - padding);
    return OK;
}

static size_t spread_floats(const struct conv_geometry *g)
{
    return tensor_align((size_t)g->in_h * (size_t)g->in_w * (size_t)g->in_c);
}

/* The convolution of the backward pass. */
static struct conv_geometry adjoint(const struct layer *l)
{
    const struct deconv_state *s = l->state;
    const struct conv_geometry *g = &s->unit.geometry;
    struct shape in = l->input_shapes[0];
    return (struct conv_geometry){.in_h = l->out.h,
                                  .in_w = l->out.w,
                                  .in_c = l->out.c,
                                  .filters = in.c,
                                  .groups = 1,
                                  .kernel_h = g->kernel_h,
                                  .kernel_w = g->kernel_w,
                                  .stride_y = s->stride,
                                  .stride_x = s->stride,
                                  .pad_y = s->unit.padding,
                                  .pad_x = s->unit.padding,
                                  .dilation = 1,
                                  .out_h = in.h,
                                  .out_w = in.w};
}

static size_t adjoint_packed_floats(const struct kernels *kern, const struct conv_geometry *g)
{
    return tensor_align(conv_packed_floats(kern, g, conv_choose(kern, g)));
}

static size_t backward_scratch_bytes(const struct layer *l, const struct plan_limits *limits)
{
    struct conv_geometry g = adjoint(l);
    const struct kernels *kern = limits->kernels;
    size_t weights = conv_backward_scratch_bytes(kern, &g, limits->batch);
    size_t data = adjoint_packed_floats(kern, &g) * sizeof(float) +
                  conv_scratch_bytes(kern, &g, conv_choose(kern, &g));
    return weights > data ? weights : data;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    const struct deconv_state *s = l->state;
    conv_unit_plan(l, limits, p);
    p->prepared_floats += layer_param(l, "weights")->count;
    p->scratch_bytes += spread_floats(&s->unit.geometry) * sizeof(float);
    if (mode_rules[limits->mode].keeps_backward) {
        size_t backward = backward_scratch_bytes(l, limits);
        p->scratch_bytes = backward > p->scratch_bytes ? backward : p->scratch_bytes;
    }
}

static void prepare(const struct layer *l, const struct exec *e)
{
    const struct deconv_state *s = l->state;
    const float *w = layer_param(l, "weights")->data;
    float *mirrored = e->prepared + conv_unit_prepared_floats(&s->unit, e->kernels, e->choice);
    size_t channels = (size_t)s->unit.geometry.in_c;
    size_t filters = (size_t)s->unit.geometry.filters;
    size_t window = (size_t)s->unit.geometry.kernel_h * (size_t)s->unit.geometry.kernel_w;
    for (size_t c = 0; c < channels; c++) {
        for (size_t f = 0; f < filters; f++) {
            for (size_t k = 0; k < window; k++) {
                mirrored[(f * channels + c) * window + window - 1 - k] =
                    w[(c * filters + f) * window + k];
            }
        }
    }
    conv_unit_prepare_from(l, e, mirrored);
}

static void spread(const struct deconv_state *s, const struct tensor *in, int image, float *to)
{
    const struct conv_geometry *g = &s->unit.geometry;
    size_t channels = (size_t)g->in_c;
    memset(to, 0, (size_t)g->in_h * (size_t)g->in_w * channels * sizeof *to);
    for (int y = 0; y < in->h; y++) {
        for (int x = 0; x < in->w; x++) {
            size_t pixel = (size_t)(y * s->stride) * (size_t)g->in_w + (size_t)(x * s->stride);
            memcpy(to + pixel * channels, tensor_at(in, image, y, x), channels * sizeof *to);
        }
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct deconv_state *s = l->state;
    const struct conv_geometry *g = &s->unit.geometry;
    bool keeps = mode_rules[e->mode].keeps_backward;
    struct tensor to = keeps ? conv_unit_z(&s->unit, e) : e->out;
    struct conv_epilogue plain = conv_unit_z_epilogue(&s->unit, e);
    float *buffer = e->scratch;
    struct tensor wide = {buffer, 1, g->in_h, g->in_w, g->in_c, (size_t)g->in_c};
    for (int n = 0; n < e->out.n; n++) {
        struct tensor out = to;
        out.data = tensor_at(&to, n, 0, 0);
        out.n = 1;
        spread(s, &e->inputs[0], n, buffer);
        if (keeps) {
            conv_forward(e->kernels, g, (enum conv_algorithm)e->choice, e->prepared, &plain, &wide,
                         &out, false, buffer + spread_floats(g));
        } else {
            conv_unit_infer(&s->unit, e, &wide, &out, false, buffer + spread_floats(g));
        }
    }
    if (keeps) {
        conv_unit_finish(l, e);
    }
}

static void backward_to_input(const struct layer *l, const struct exec *e,
                              const struct conv_geometry *g)
{
    enum conv_algorithm algorithm = conv_choose(e->kernels, g);
    const struct conv_epilogue none = {.act = ACT_LINEAR};
    float *packed = e->scratch;
    conv_pack(e->kernels, g, algorithm, layer_param(l, "weights")->data, packed);
    conv_forward(e->kernels, g, algorithm, packed, &none, &e->out_grad, &e->input_grads[0],
                 e->grad_adds[0], packed + adjoint_packed_floats(e->kernels, g));
}

static void backward(const struct layer *l, const struct exec *e)
{
    struct conv_geometry g = adjoint(l);
    float *weight_grad = layer_param_grad(l, e, "weights");
    conv_unit_backward_to_z(l, e);
    if (weight_grad) {
        conv_backward_weights(e->kernels, &g, &e->out_grad, &e->inputs[0], weight_grad, e->scratch);
    }
    if (e->input_grads[0].data) {
        backward_to_input(l, e, &g);
    }
}

static double flops(const struct layer *l)
{
    const struct conv_unit *u = l->state;
    struct shape in = l->input_shapes[0];
    return 2.0 * in.c * u->geometry.filters * u->geometry.kernel_h * u->geometry.kernel_w * in.w *
           in.h;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct deconv_state *s = l->state;
    const struct conv_geometry *g = &s->unit.geometry;
    snprintf(text, size, "%5d  %dx%d/%d", g->filters, g->kernel_h, g->kernel_w, s->stride);
}

static const char *const aliases[] = {"deconv", NULL};

const struct layer_ops deconvolutional_ops = {
    .name = "deconvolutional",
    .aliases = aliases,
    .state_bytes = sizeof(struct deconv_state),
    .parse = parse,
    .shape = shape,
    .params = conv_unit_params,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .remake = conv_unit_remake,
    .choice_names = conv_unit_choices,
    .flops = flops,
    .describe = describe,
};
