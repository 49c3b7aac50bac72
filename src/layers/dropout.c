/* [dropout] (Srivastava et al. 2014), inverted: in a layer that trains, a value becomes 0 with probability p,
 * else x / (1 - p); everywhere else nothing happens. What drops is a function of (step seed, layer, pixel), so
 * backward draws again instead of remembering. */
#include <stdio.h>

#include "base/parallel.h"
#include "base/rng.h"
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
    p->place = mode_rules[limits->mode].is_training ? PLACE_IN_PLACE : PLACE_VIEW;
    p->view_channel = 0;
}

struct drop {
    const struct layer *layer;
    uint64_t seed;
    const struct tensor *from, *to;
    bool adds;
};

static void drop_pixel(void *ctx, size_t pixel, int thread)
{
    (void)thread;
    const struct drop *d = ctx;
    const struct dropout_state *s = d->layer->state;
    const float *from = d->from->data + pixel * d->from->stride;
    float *to = d->to->data + pixel * d->to->stride;
    float keep = 1.0f - s->probability;
    struct rng rng = rng_make(d->seed, (uint64_t)d->layer->index, pixel);
    for (int c = 0; c < d->to->c; c++) {
        float value = rng_unit(&rng) < keep ? from[c] / keep : 0.0f;
        to[c] = d->adds ? to[c] + value : value;
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    struct drop drop = {.layer = l, .seed = e->seed, .from = &e->inputs[0], .to = &e->out};
    parallel_for(tensor_pixels(&e->out), drop_pixel, &drop);
}

static void backward(const struct layer *l, const struct exec *e)
{
    struct drop drop = {.layer = l,
                        .seed = e->seed,
                        .from = &e->out_grad,
                        .to = &e->input_grads[0],
                        .adds = e->grad_adds[0]};
    if (!e->input_grads[0].data) {
        return;
    }
    drop.adds = drop.adds && e->input_grads[0].data != e->out_grad.data;
    parallel_for(tensor_pixels(&e->out_grad), drop_pixel, &drop);
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
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
