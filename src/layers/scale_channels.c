/* Products of two outputs.
 * [scale_channels] (squeeze and excitation; Hu et al. 2018, arXiv:1709.01507): the previous output,
 * 1 x 1 x c, is the gate of the channels of `from`; with scale_wh=1 it is w x h x 1, the gate of
 * the pixels. [sam] (spatial attention): the previous output times `from`, element by element. */
#include <stdio.h>

#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static enum result read_from(struct layer *l, int *from, struct error *err)
{
    if (!cfg_find(l->section, "from")) {
        return layer_error(l, ERR_CFG, err, "needs from=... (for example from=-4)");
    }
    TRY(cfg_int(l->section, "from", 0, -(1 << 20), 1 << 20, from, err));
    struct gate_state *s = l->state;
    return layer_activation(l, ACT_LINEAR, &s->act, err);
}

/* Inputs: the feature map, then the gate, so that the product may lie over the feature map. */
static enum result parse_scale(struct layer *l, struct error *err)
{
    struct gate_state *s = l->state;
    int references[2] = {0, -1};
    TRY(read_from(l, &references[0], err));
    TRY(cfg_bool(l->section, "scale_wh", false, &s->is_per_pixel, err));
    return layer_set_inputs(l, "from", references, 2, false, err);
}

static enum result parse_sam(struct layer *l, struct error *err)
{
    int from;
    TRY(read_from(l, &from, err));
    return layer_set_inputs(l, "from", &from, 1, true, err);
}

static enum result shape_scale(struct layer *l, struct error *err)
{
    const struct gate_state *s = l->state;
    struct shape map = l->input_shapes[0], gate = l->input_shapes[1];
    struct shape wanted = {1, 1, map.c};
    if (s->is_per_pixel) {
        wanted = (struct shape){map.h, map.w, 1};
    }
    if (gate.h != wanted.h || gate.w != wanted.w || gate.c != wanted.c) {
        return layer_error(
            l, ERR_CFG, err,
            "the previous layer is %d x %d x %d; to scale layer %d (%d x %d x %d) it "
            "must be %d x %d x %d",
            gate.w, gate.h, gate.c, l->inputs[0], map.w, map.h, map.c, wanted.w, wanted.h,
            wanted.c);
    }
    l->out = map;
    return OK;
}

static enum result shape_sam(struct layer *l, struct error *err)
{
    struct shape a = l->input_shapes[0], b = l->input_shapes[1];
    if (a.h != b.h || a.w != b.w || a.c != b.c) {
        return layer_error(l, ERR_CFG, err,
                           "the previous layer is %d x %d x %d but layer %d is %d x %d x %d", a.w,
                           a.h, a.c, l->inputs[1], b.w, b.h, b.c);
    }
    l->out = a;
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    const struct gate_state *s = l->state;
    p->backward_needs_input = mode_rules[limits->mode].keeps_backward;
    p->place = p->backward_needs_input ? PLACE_OWN : PLACE_IN_PLACE;
    if (p->backward_needs_input && s->act != ACT_LINEAR) {
        p->saved_floats =
            (size_t)limits->batch * (size_t)l->out.h * (size_t)l->out.w * (size_t)l->out.c;
    }
}

/* The product: saved if backward needs it, else in the output's place. */
static struct tensor product_of(const struct exec *e)
{
    struct tensor product = e->out;
    if (e->saved) {
        product.data = e->saved;
        product.stride = (size_t)product.c;
    }
    return product;
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct gate_state *s = l->state;
    struct tensor product = product_of(e);
    op_multiply(e->kernels, &e->inputs[0], &e->inputs[1], &product);
    if (s->act != ACT_LINEAR) {
        op_activate(e->kernels, s->act, &product, &e->out);
    }
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct gate_state *s = l->state;
    const struct tensor *grads = e->input_grads;
    if (s->act != ACT_LINEAR) {
        struct tensor product = product_of(e);
        struct conv_epilogue f = {.act = s->act};
        op_activate_backward(e->kernels, &f, &product, &e->out_grad, &e->out_grad);
    }
    struct multiply_backward m = {.a = &e->inputs[0],
                                  .b = &e->inputs[1],
                                  .dout = &e->out_grad,
                                  .da = grads[0].data ? &grads[0] : NULL,
                                  .db = grads[1].data ? &grads[1] : NULL,
                                  .da_adds = e->grad_adds[0],
                                  .db_adds = e->grad_adds[1]};
    op_multiply_backward(e->kernels, &m);
}

static void describe_scale(const struct layer *l, char *text, size_t size)
{
    snprintf(text, size, "%d", l->inputs[0]);
}

static void describe_sam(const struct layer *l, char *text, size_t size)
{
    snprintf(text, size, "%d", l->inputs[1]);
}

const struct layer_ops scale_channels_ops = {
    .name = "scale_channels",
    .state_bytes = sizeof(struct gate_state),
    .parse = parse_scale,
    .shape = shape_scale,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .describe = describe_scale,
};

const struct layer_ops sam_ops = {
    .name = "sam",
    .state_bytes = sizeof(struct gate_state),
    .parse = parse_sam,
    .shape = shape_sam,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .describe = describe_sam,
};
