/* [avgpool]: the mean of every channel over the whole image. */
#include "kernels/pool.h"
#include "layers/kinds.h"

static enum result parse(struct layer *l, struct error *err)
{
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    l->out = (struct shape){1, 1, l->input_shapes[0].c};
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    (void)limits;
    p->place = PLACE_OWN;
}

static void forward(const struct layer *l, const struct exec *e)
{
    (void)l;
    op_global_avg(e->kernels, &e->inputs[0], &e->out);
}

static void backward(const struct layer *l, const struct exec *e)
{
    (void)l;
    if (e->input_grads[0].data) {
        op_global_avg_backward(e->kernels, &e->out_grad, &e->input_grads[0], e->grad_adds[0]);
    }
}

static const char *const aliases[] = {"avg", NULL};

const struct layer_ops avgpool_ops = {
    .name = "avgpool",
    .aliases = aliases,
    .parse = parse,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
