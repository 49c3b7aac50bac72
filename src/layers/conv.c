/* [convolutional]: cross-correlation, then batch normalisation or biases, then an activation.
 *
 * out = (in + 2 * padding - size) / stride + 1. As in Darknet dilation does not enter the formula;
 * the first window starts at -padding * dilation. `pad` is a flag that means padding = size / 2. */
#include <limits.h>
#include <stdio.h>

#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "cfg/cfg.h"

static enum result parse_strides(struct layer *l, struct conv_geometry *g, struct error *err)
{
    int stride;
    TRY(cfg_int(l->section, "stride", 1, 1, CONV_MAX_WINDOW, &stride, err));
    TRY(cfg_int(l->section, "stride_x", -1, -1, CONV_MAX_WINDOW, &g->stride_x, err));
    TRY(cfg_int(l->section, "stride_y", -1, -1, CONV_MAX_WINDOW, &g->stride_y, err));
    g->stride_x = g->stride_x < 1 ? stride : g->stride_x;
    g->stride_y = g->stride_y < 1 ? stride : g->stride_y;
    return OK;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct conv_unit *u = l->state;
    struct conv_geometry *g = &u->geometry;
    bool has_cbn;
    TRY(conv_unit_parse(l, u, err));
    TRY(cfg_bool(l->section, "cbn", false, &has_cbn, err));
    u->has_bn = u->has_bn || has_cbn; /* cbn only changes which statistics training uses */
    TRY(conv_unit_parse_window(l, u, err));
    TRY(parse_strides(l, g, err));
    TRY(cfg_int(l->section, "groups", 1, 1, CONV_MAX_FILTERS, &g->groups, err));
    TRY(cfg_int(l->section, "dilation", 1, 1, CONV_MAX_WINDOW, &g->dilation, err));
    if (g->kernel_h == 1) {
        g->dilation = 1;
    }
    if (g->filters % g->groups != 0) {
        return cfg_error(l->section, cfg_find(l->section, "groups"), err,
                         "%d groups do not divide filters=%d", g->groups, g->filters);
    }
    return OK;
}

static enum result shape(struct layer *l, struct error *err)
{
    struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    struct shape in = l->input_shapes[0];
    int size = g->kernel_h, margins = 2 * u->padding;
    if (in.c % g->groups != 0) {
        return cfg_error(l->section, cfg_find(l->section, "groups"), err,
                         "%d groups do not divide the %d input channels", g->groups, in.c);
    }
    if (in.h > INT_MAX / 4 || in.w > INT_MAX / 4 || in.h + margins < size ||
        in.w + margins < size) {
        return layer_error(l, ERR_CFG, err,
                           "a window of %d x %d with padding %d does not fit into the input of "
                           "%d x %d (a larger network input, or pad=1, helps)",
                           size, size, u->padding, in.w, in.h);
    }
    l->out = (struct shape){(in.h + margins - size) / g->stride_y + 1,
                            (in.w + margins - size) / g->stride_x + 1, g->filters};
    conv_unit_shape(l, u, in, u->padding * g->dilation);
    return OK;
}

static double flops(const struct layer *l)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    double weights = (double)g->filters * (g->in_c / g->groups) * g->kernel_h * g->kernel_w;
    return 2.0 * weights * l->out.w * l->out.h;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    char stride[32] = "", groups[32] = "", dilation[32] = "";
    if (g->stride_x != g->stride_y) {
        snprintf(stride, sizeof stride, "x%d", g->stride_y);
    }
    if (g->groups > 1) {
        snprintf(groups, sizeof groups, " groups %d", g->groups);
    }
    if (g->dilation > 1) {
        snprintf(dilation, sizeof dilation, " dilation %d", g->dilation);
    }
    snprintf(text, size, "%5d  %dx%d/%d%s%s%s", g->filters, g->kernel_h, g->kernel_w, g->stride_x,
             stride, groups, dilation);
}

static const char *const aliases[] = {"conv", NULL};

const struct layer_ops convolutional_ops = {
    .name = "convolutional",
    .aliases = aliases,
    .state_bytes = sizeof(struct conv_unit),
    .parse = parse,
    .shape = shape,
    .params = conv_unit_params,
    .plan = conv_unit_plan,
    .prepare = conv_unit_prepare,
    .forward = conv_unit_forward,
    .backward = conv_unit_backward,
    .remake = conv_unit_remake,
    .choice_names = conv_unit_choices,
    .flops = flops,
    .describe = describe,
};
