/* [dropout] (Srivastava et al. 2014), inverted: in a layer that trains, a value becomes 0 with probability p,
 * else x / (1 - p); everywhere else nothing happens. What drops is a function of (step seed, layer, pixel), so
 * backward draws again instead of remembering. */
#include <stdio.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"
#include "cfg/cfg.h"

struct dropout_state {
    float probability;
};

static enum result parse(struct layer *l, struct error *err)
{
    struct dropout_state *s = l->state;
    TRY(cfg_float(l->section, "probability", 0.2f, 0.0f, 1.0f, &s->probability, err));
    return layer_read_previous(l, err);
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    p->place = mode_rules[limits->mode].is_training ? PLACE_IN_PLACE : PLACE_VIEW;
    p->view_channel = 0;
}

struct drop {
    const struct tensor *from, *to;
    uint64_t key;
    uint64_t kept; /* of the 2^32 values of a draw */
    float factor;
    bool adds;
};

static struct drop drop_of(const struct layer *l, const struct exec *e)
{
    const struct dropout_state *s = l->state;
    struct rng rng = rng_make(e->seed, (uint64_t)l->index, 0);
    double keep = 1.0 - (double)s->probability;
    return (struct drop){.key = rng_next(&rng),
                         .kept = (uint64_t)(keep * 0x1p32),
                         .factor = keep > 0.0 ? (float)(1.0 / keep) : 0.0f};
}

static float kept_or_zero(const struct drop *d, uint64_t drawn, float value)
{
    return (drawn & UINT32_MAX) < d->kept ? value * d->factor : 0.0f;
}

/* A draw of 64 bits serves two neighbouring channels. */
static void drop_pixel(const struct drop *d, size_t pixel)
{
    const float *from = d->from->data + pixel * d->from->stride;
    float *to = d->to->data + pixel * d->to->stride;
    int channels = d->to->c;
    uint64_t count = (uint64_t)pixel * (uint64_t)((channels + 1) / 2);
    for (int c = 0; c < channels; c += 2) {
        uint64_t drawn = rng_counted(d->key, ++count);
        float value = kept_or_zero(d, drawn, from[c]);
        to[c] = d->adds ? to[c] + value : value;
        if (c + 1 < channels) {
            value = kept_or_zero(d, drawn >> 32, from[c + 1]);
            to[c + 1] = d->adds ? to[c + 1] + value : value;
        }
    }
}

static void drop_row(void *ctx, size_t row, int thread)
{
    (void)thread;
    const struct drop *d = ctx;
    size_t width = (size_t)d->to->w;
    for (size_t x = 0; x < width; x++) {
        drop_pixel(d, row * width + x);
    }
}

static void drop_all(const struct drop *d)
{
    struct drop own = *d;
    parallel_for((size_t)d->to->n * (size_t)d->to->h, drop_row, &own);
}

static void forward(const struct layer *l, const struct exec *e)
{
    struct drop drop = drop_of(l, e);
    drop.from = &e->inputs[0];
    drop.to = &e->out;
    drop_all(&drop);
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct tensor *into = &e->input_grads[0];
    if (!into->data) {
        return;
    }
    if (!mode_rules[e->mode].is_training) { /* a view: the gradient mostly lies there already */
        if (into->data != e->out_grad.data) {
            op_accumulate(e->kernels, 1.0f, &e->out_grad, into, e->grad_adds[0]);
        }
        return;
    }
    struct drop drop = drop_of(l, e);
    drop.from = &e->out_grad;
    drop.to = into;
    drop.adds = e->grad_adds[0];
    drop_all(&drop);
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct dropout_state *s = l->state;
    snprintf(text, size, "       p %g", (double)s->probability);
}

const struct layer_ops dropout_ops = {
    .name = "dropout",
    .state_bytes = sizeof(struct dropout_state),
    .acts_in_training = true,
    .parse = parse,
    .shape = layer_keep_shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
