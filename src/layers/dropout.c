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

/* Without a branch, which nobody could predict. */
static float kept_or_zero(const struct drop *d, uint64_t drawn, float value)
{
    union {
        float value;
        uint32_t bits;
    } scaled = {.value = value * d->factor};
    scaled.bits &= 0u - (uint32_t)((drawn & UINT32_MAX) < d->kept);
    return scaled.value;
}

/* `count` values, of which a draw of 64 bits serves two. */
static void drop_run(const struct drop *d, const float *from, float *to, size_t count,
                     uint64_t draws)
{
    bool adds = d->adds;
    for (size_t i = 0; i + 1 < count; i += 2) {
        uint64_t drawn = rng_counted(d->key, ++draws);
        float first = kept_or_zero(d, drawn, from[i]);
        float second = kept_or_zero(d, drawn >> 32, from[i + 1]);
        to[i] = adds ? to[i] + first : first;
        to[i + 1] = adds ? to[i + 1] + second : second;
    }
    if (count % 2 > 0) {
        float last = kept_or_zero(d, rng_counted(d->key, ++draws), from[count - 1]);
        to[count - 1] = adds ? to[count - 1] + last : last;
    }
}

/* A pixel begins with a draw of its own. */
static void drop_row(void *ctx, size_t row, int thread)
{
    (void)thread;
    const struct drop *d = ctx;
    size_t width = (size_t)d->to->w, channels = (size_t)d->to->c, draws = (channels + 1) / 2;
    bool is_dense = d->from->stride == channels && d->to->stride == channels && channels % 2 == 0;
    size_t runs = is_dense ? 1 : width, length = is_dense ? width * channels : channels;
    for (size_t x = 0; x < runs; x++) {
        size_t pixel = row * width + x;
        const float *from = d->from->data + pixel * d->from->stride;
        float *to = d->to->data + pixel * d->to->stride;
        drop_run(d, from, to, length, pixel * draws);
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
