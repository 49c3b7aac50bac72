/* [connected]: every output sees every input. Run as one convolution whose window is the whole
 * input: the file's weights, [output][c][h][w], are already in a convolution's order. */
#include <stdio.h>

#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "cfg/cfg.h"

struct connected_state {
    struct conv_unit unit; /* first: conv_unit_layer_plan etc. */
    int outputs;
};

static enum result parse(struct layer *l, struct error *err)
{
    struct connected_state *s = l->state;
    TRY(conv_unit_parse(l, &s->unit, err));
    TRY(cfg_int(l->section, "output", 1, 1, 1 << 24, &s->outputs, err));
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    struct connected_state *s = l->state;
    struct shape in = l->input_shapes[0];
    l->out = (struct shape){1, 1, s->outputs};
    s->unit.geometry = (struct conv_geometry){
        .in_h = in.h,
        .in_w = in.w,
        .in_c = in.c,
        .filters = s->outputs,
        .groups = 1,
        .kernel_h = in.h,
        .kernel_w = in.w,
        .stride_y = 1,
        .stride_x = 1,
        .dilation = 1,
        .out_h = 1,
        .out_w = 1,
    };
    return OK;
}

/* In the file the weights stand before the statistics, unlike a convolution's. */
static enum result params(struct layer *l, struct error *err)
{
    const struct connected_state *s = l->state;
    TRY(layer_add_param(l, "biases", (size_t)s->outputs, err));
    TRY(conv_unit_add_weights(&s->unit, l, err));
    return conv_unit_add_bn(&s->unit, l, err);
}

static void describe(const struct layer *l, char *text, size_t size)
{
    snprintf(text, size, "%5d", l->out.c);
}

static const char *const aliases[] = {"conn", NULL};

const struct layer_ops connected_ops = {
    .name = "connected",
    .aliases = aliases,
    .state_bytes = sizeof(struct connected_state),
    .parse = parse,
    .shape = shape,
    .params = params,
    .plan = conv_unit_layer_plan,
    .prepare = conv_unit_layer_prepare,
    .forward = conv_unit_layer_forward,
    .backward = conv_unit_layer_backward,
    .choice_names = conv_unit_choices,
    .describe = describe,
};
