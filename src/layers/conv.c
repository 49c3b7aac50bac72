/* [convolutional]: cross-correlation, then batch normalisation or biases, then an activation.
 *
 * out = (in + 2 * padding - size) / stride + 1. As in Darknet dilation does not enter the formula;
 * the first window starts at -padding * dilation. `pad` is a flag that means padding = size / 2. */
#include <limits.h>
#include <stdio.h>

#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "cfg/cfg.h"

enum { MAX_FILTERS = 1 << 20, MAX_WINDOW = 1024 };

struct conv_state {
    struct conv_unit unit; /* first: conv_unit_layer_plan etc. */
    int filters, size, stride_y, stride_x, padding, groups, dilation;
};

static enum result parse_strides(struct layer *l, struct conv_state *s, struct error *err)
{
    int stride;
    TRY(cfg_int(l->section, "stride", 1, 1, MAX_WINDOW, &stride, err));
    TRY(cfg_int(l->section, "stride_x", -1, -1, MAX_WINDOW, &s->stride_x, err));
    TRY(cfg_int(l->section, "stride_y", -1, -1, MAX_WINDOW, &s->stride_y, err));
    s->stride_x = s->stride_x < 1 ? stride : s->stride_x;
    s->stride_y = s->stride_y < 1 ? stride : s->stride_y;
    return OK;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct conv_state *s = l->state;
    bool pad, has_cbn;
    TRY(conv_unit_parse(l, &s->unit, err));
    TRY(cfg_bool(l->section, "cbn", false, &has_cbn, err));
    s->unit.has_bn =
        s->unit.has_bn || has_cbn; /* cbn only changes which statistics training uses */
    TRY(cfg_int(l->section, "filters", 1, 1, MAX_FILTERS, &s->filters, err));
    TRY(cfg_int(l->section, "size", 1, 1, MAX_WINDOW, &s->size, err));
    TRY(parse_strides(l, s, err));
    TRY(cfg_int(l->section, "groups", 1, 1, MAX_FILTERS, &s->groups, err));
    TRY(cfg_int(l->section, "dilation", 1, 1, MAX_WINDOW, &s->dilation, err));
    TRY(cfg_bool(l->section, "pad", false, &pad, err));
    TRY(cfg_int(l->section, "padding", 0, 0, MAX_WINDOW, &s->padding, err));
    if (pad) {
        s->padding = s->size / 2;
    }
    if (s->size == 1) {
        s->dilation = 1;
    }
    if (s->filters % s->groups != 0) {
        return cfg_error(l->section, cfg_find(l->section, "groups"), err,
                         "%d groups do not divide filters=%d", s->groups, s->filters);
    }
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    struct conv_state *s = l->state;
    struct shape in = l->input_shapes[0];
    if (in.c % s->groups != 0) {
        return cfg_error(l->section, cfg_find(l->section, "groups"), err,
                         "%d groups do not divide the %d input channels", s->groups, in.c);
    }
    if (in.h > INT_MAX / 4 || in.w > INT_MAX / 4 || in.h + 2 * s->padding < s->size ||
        in.w + 2 * s->padding < s->size) {
        return layer_error(l, ERR_CFG, err,
                           "a window of %d x %d with padding %d does not fit into the input of "
                           "%d x %d (a larger network input, or pad=1, helps)",
                           s->size, s->size, s->padding, in.w, in.h);
    }
    l->out = (struct shape){
        .h = (in.h + 2 * s->padding - s->size) / s->stride_y + 1,
        .w = (in.w + 2 * s->padding - s->size) / s->stride_x + 1,
        .c = s->filters,
    };
    s->unit.geometry = (struct conv_geometry){
        .in_h = in.h,
        .in_w = in.w,
        .in_c = in.c,
        .filters = s->filters,
        .groups = s->groups,
        .kernel_h = s->size,
        .kernel_w = s->size,
        .stride_y = s->stride_y,
        .stride_x = s->stride_x,
        .pad_y = s->padding * s->dilation,
        .pad_x = s->padding * s->dilation,
        .dilation = s->dilation,
        .out_h = l->out.h,
        .out_w = l->out.w,
    };
    return OK;
}

static enum result params(struct layer *l, struct error *err)
{
    const struct conv_state *s = l->state;
    TRY(layer_add_param(l, "biases", (size_t)s->filters, err));
    TRY(conv_unit_add_bn(&s->unit, l, err));
    return conv_unit_add_weights(&s->unit, l, err);
}

static double flops(const struct layer *l)
{
    const struct conv_state *s = l->state;
    double weights = (double)s->filters * (l->input_shapes[0].c / s->groups) * s->size * s->size;
    return 2.0 * weights * l->out.w * l->out.h;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct conv_state *s = l->state;
    char extra[64] = "";
    int used = 0;
    if (s->groups > 1) {
        used = snprintf(extra, sizeof extra, " groups %d", s->groups);
    }
    if (s->dilation > 1) {
        snprintf(extra + used, sizeof extra - (size_t)used, " dilation %d", s->dilation);
    }
    if (s->stride_x == s->stride_y) {
        snprintf(text, size, "%5d  %dx%d/%d%s", s->filters, s->size, s->size, s->stride_x, extra);
    } else {
        snprintf(text, size, "%5d  %dx%d/%dx%d%s", s->filters, s->size, s->size, s->stride_x,
                 s->stride_y, extra);
    }
}

static const char *const aliases[] = {"conv", NULL};

const struct layer_ops convolutional_ops = {
    .name = "convolutional",
    .aliases = aliases,
    .state_bytes = sizeof(struct conv_state),
    .parse = parse,
    .shape = shape,
    .params = params,
    .plan = conv_unit_layer_plan,
    .prepare = conv_unit_layer_prepare,
    .forward = conv_unit_layer_forward,
    .backward = conv_unit_layer_backward,
    .choice_names = conv_unit_choices,
    .flops = flops,
    .describe = describe,
};
