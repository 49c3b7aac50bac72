/* [activation]: an activation alone. */
#include <stdio.h>

#include "layers/kinds.h"

struct activation_state {
    enum activation act;
};

static enum result parse(struct layer *l, struct error *err)
{
    struct activation_state *s = l->state;
    TRY(layer_activation(l, ACT_LINEAR, &s->act, err));
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    l->out = l->input_shapes[0];
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    (void)limits;
    p->place = PLACE_IN_PLACE;
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct activation_state *s = l->state;
    op_activate(e->kernels, s->act, &e->inputs[0], &e->out);
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
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .describe = describe,
};
