/* [deconvolutional] (transposed convolution; P's Darknet only):
 *
 *   out(f, y * stride - padding + r, x * stride - padding + s) += w[c][f][r][s] * in(c, y, x)
 *
 * out = (in - 1) * stride + size - 2 * padding. Run as a plain convolution with stride 1 and the
 * mirrored window over the input spread out with stride - 1 zeros between its pixels and padded by
 * size - 1 - padding, image by image. Prepared memory: a conv_unit's, then the weights as
 * [filters][c][size][size], mirrored. Scratch: the spread image, then the convolution's. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "cfg/cfg.h"

enum { MAX_FILTERS = 1 << 20, MAX_WINDOW = 1024 };

struct deconv_state {
    struct conv_unit unit; /* of the equivalent convolution */
    int filters, size, stride, padding;
};

static enum result parse(struct layer *l, struct error *err)
{
    struct deconv_state *s = l->state;
    bool pad;
    TRY(conv_unit_parse(l, &s->unit, err));
    TRY(cfg_int(l->section, "filters", 1, 1, MAX_FILTERS, &s->filters, err));
    TRY(cfg_int(l->section, "size", 1, 1, MAX_WINDOW, &s->size, err));
    TRY(cfg_int(l->section, "stride", 1, 1, MAX_WINDOW, &s->stride, err));
    TRY(cfg_bool(l->section, "pad", false, &pad, err));
    TRY(cfg_int(l->section, "padding", 0, 0, MAX_WINDOW, &s->padding, err));
    if (pad) {
        s->padding = s->size / 2;
    }
    if (s->padding >= s->size) {
        return cfg_error(l->section, cfg_find(l->section, "padding"), err,
                         "%d must be less than size=%d", s->padding, s->size);
    }
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    struct deconv_state *s = l->state;
    struct shape in = l->input_shapes[0];
    int limit = (INT_MAX - s->size) / s->stride;
    if (in.h > limit || in.w > limit) {
        return layer_error(l, ERR_CFG, err, "the output would be too large");
    }
    int spread_h = (in.h - 1) * s->stride + 1, spread_w = (in.w - 1) * s->stride + 1;
    int margin = s->size - 1 - s->padding;
    l->out = (struct shape){spread_h + s->size - 1 - 2 * s->padding,
                            spread_w + s->size - 1 - 2 * s->padding, s->filters};
    if (l->out.h < 1 || l->out.w < 1) {
        return layer_error(l, ERR_CFG, err, "padding %d leaves nothing of the input of %d x %d",
                           s->padding, in.w, in.h);
    }
    s->unit.geometry = (struct conv_geometry){
        .in_h = spread_h,
        .in_w = spread_w,
        .in_c = in.c,
        .filters = s->filters,
        .groups = 1,
        .kernel_h = s->size,
        .kernel_w = s->size,
        .stride_y = 1,
        .stride_x = 1,
        .pad_y = margin,
        .pad_x = margin,
        .dilation = 1,
        .out_h = l->out.h,
        .out_w = l->out.w,
    };
    return OK;
}

static enum result params(struct layer *l, struct error *err)
{
    const struct deconv_state *s = l->state;
    TRY(layer_add_param(l, "biases", (size_t)s->filters, err));
    TRY(conv_unit_add_bn(&s->unit, l, err));
    return conv_unit_add_weights(&s->unit, l, err);
}

static size_t spread_floats(const struct conv_geometry *g)
{
    size_t floats = (size_t)g->in_h * (size_t)g->in_w * (size_t)g->in_c;
    return (floats + 15) / 16 * 16;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    const struct deconv_state *s = l->state;
    conv_unit_plan(&s->unit, limits, p);
    p->prepared_floats += layer_param(l, "weights")->count;
    p->scratch_bytes += spread_floats(&s->unit.geometry) * sizeof(float);
}

static void prepare(const struct layer *l, const struct exec *e)
{
    const struct deconv_state *s = l->state;
    const float *w = layer_param(l, "weights")->data;
    float *mirrored = e->prepared + conv_unit_prepared_floats(&s->unit, e->kernels, e->choice);
    size_t channels = (size_t)l->input_shapes[0].c, filters = (size_t)s->filters;
    size_t window = (size_t)s->size * (size_t)s->size;
    for (size_t c = 0; c < channels; c++) {
        for (size_t f = 0; f < filters; f++) {
            for (size_t k = 0; k < window; k++) {
                mirrored[(f * channels + c) * window + window - 1 - k] =
                    w[(c * filters + f) * window + k];
            }
        }
    }
    conv_unit_prepare(&s->unit, l, e, mirrored);
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
    float *buffer = e->scratch;
    struct tensor wide = {buffer, 1, g->in_h, g->in_w, g->in_c, (size_t)g->in_c};
    for (int n = 0; n < e->out.n; n++) {
        struct tensor out = e->out;
        out.data = tensor_at(&e->out, n, 0, 0);
        out.n = 1;
        spread(s, &e->inputs[0], n, buffer);
        conv_unit_forward(&s->unit, e, &wide, &out, buffer + spread_floats(g));
    }
}

static double flops(const struct layer *l)
{
    const struct deconv_state *s = l->state;
    struct shape in = l->input_shapes[0];
    return 2.0 * in.c * s->filters * s->size * s->size * in.w * in.h;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct deconv_state *s = l->state;
    snprintf(text, size, "%5d  %dx%d/%d", s->filters, s->size, s->size, s->stride);
}

static const char *const aliases[] = {"deconv", NULL};

const struct layer_ops deconvolutional_ops = {
    .name = "deconvolutional",
    .aliases = aliases,
    .state_bytes = sizeof(struct deconv_state),
    .parse = parse,
    .shape = shape,
    .params = params,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .choice_names = conv_unit_choices,
    .flops = flops,
    .describe = describe,
};
