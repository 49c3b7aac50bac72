/* [avgpool]: the mean of every channel over the whole image. */
#include "kernels/pool.h"
#include "layers/kinds.h"

static enum result shape(struct layer *l, struct error *err)
{
    (void)err;
    l->out = (struct shape){1, 1, l->input_shapes[0].c};
    return OK;
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
    .parse = layer_read_previous,
    .shape = shape,
    .plan = layer_plan_own,
    .forward = forward,
    .backward = backward,
};
