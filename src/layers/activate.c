/* [activation]: an activation alone. */
#include <stdio.h>

#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"

struct activation_state {
    enum activation act;
};

static enum result parse(struct layer *l, struct error *err)
{
    struct activation_state *s = l->state;
    TRY(layer_activation(l, ACT_LINEAR, &s->act, err));
    return layer_read_previous(l, err);
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    p->backward_needs_input = mode_rules[limits->mode].keeps_backward;
    p->place = p->backward_needs_input ? PLACE_OWN : PLACE_IN_PLACE;
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct activation_state *s = l->state;
    op_activate(e->kernels, s->act, &e->inputs[0], &e->out);
}

static void backward(const struct layer *l, const struct exec *e)
{
    struct conv_epilogue f = {.act = layer_backward_activation(l)};
    if (e->input_grads[0].data) {
        op_activate_backward(e->kernels, &f, &e->inputs[0], &e->out_grad, &e->out_grad);
        op_accumulate(e->kernels, 1.0f, &e->out_grad, &e->input_grads[0], e->grad_adds[0]);
    }
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct activation_state *s = l->state;
    snprintf(text, size, "%s", activation_name(s->act));
}

const struct layer_ops activation_ops = {
    .name = "activation",
    .state_bytes = sizeof(struct activation_state),
    .parse = parse,
    .shape = layer_keep_shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
