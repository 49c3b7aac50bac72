/* [connected]: every output sees every input. Run as one convolution whose window is the whole
 * input: the file's weights, [output][c][h][w], are already in a convolution's order. */
#include <stdio.h>

#include "layers/conv_unit.h"
#include "layers/kinds.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    struct conv_unit *u = l->state;
    TRY(conv_unit_parse(l, u, err));
    return cfg_int(l->section, "output", 1, 1, 1 << 24, &u->geometry.filters, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    struct conv_unit *u = l->state;
    struct shape in = l->input_shapes[0];
    u->geometry.kernel_h = in.h;
    u->geometry.kernel_w = in.w;
    l->out = (struct shape){1, 1, u->geometry.filters};
    conv_unit_shape(l, u, in, 0);
    return OK;
}

/* In the file the weights stand before the statistics, unlike a convolution's. */
static enum result params(struct layer *l, struct error *err)
{
    const struct conv_unit *u = l->state;
    TRY(conv_unit_add_biases(u, l, err));
    TRY(conv_unit_add_weights(u, l, err));
    return conv_unit_add_bn(u, l, err);
}

static void describe(const struct layer *l, char *text, size_t size)
{
    snprintf(text, size, "%5d", l->out.c);
}

static const char *const aliases[] = {"conn", NULL};

const struct layer_ops connected_ops = {
    .name = "connected",
    .aliases = aliases,
    .state_bytes = sizeof(struct conv_unit),
    .parse = parse,
    .shape = shape,
    .params = params,
    .plan = conv_unit_plan,
    .prepare = conv_unit_prepare,
    .forward = conv_unit_forward,
    .backward = conv_unit_backward,
    .remake = conv_unit_remake,
    .choice_names = conv_unit_choices,
    .describe = describe,
};
