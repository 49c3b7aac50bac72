/* [dropout]: nothing at inference (in training values are dropped and the rest scaled up). */
#include <stdio.h>

#include "layers/kinds.h"
#include "net/cfg.h"

struct dropout_state {
    float probability;
};

static enum result parse(struct layer *l, struct error *err)
{
    struct dropout_state *s = l->state;
    TRY(cfg_float(l->section, "probability", 0.2f, 0.0f, 1.0f, &s->probability, err));
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
    p->place = PLACE_VIEW;
    p->view_channel = 0;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct dropout_state *s = l->state;
    snprintf(text, size, "       p %g", (double)s->probability);
}

const struct layer_ops dropout_ops = {
    .name = "dropout",
    .state_bytes = sizeof(struct dropout_state),
    .parse = parse,
    .shape = shape,
    .plan = plan,
    .describe = describe,
};
