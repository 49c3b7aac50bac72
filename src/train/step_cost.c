#include "train/step_cost.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"

static enum result keep_features(const struct step_cost_options *o, struct step_cost *cost,
                                 struct error *err)
{
    size_t floats;
    TRY(features_find(o->net, o->freeze->modes, &cost->features, err));
    if (cost->features.kept == 0) {
        return error_set(err, ERR_ARG,
                         "no layer at the beginning of the network is frozen, so it has no "
                         "features to train from");
    }
    cost->kept = size_mul((size_t)o->batch, cost->features.floats, &floats)
                     ? mem_alloc_raw(floats, sizeof *cost->kept)
                     : NULL;
    cost->rows = mem_alloc((size_t)o->batch, sizeof *cost->rows);
    if (!cost->kept || !cost->rows) {
        return mem_error(err, "features");
    }
    for (int i = 0; i < o->batch; i++) {
        cost->rows[i] = cost->kept + (size_t)i * cost->features.floats;
    }
    return OK;
}

enum result step_cost_open(const struct step_cost_options *o, struct step_cost *cost,
                           struct error *err)
{
    struct step_options step = {.net = o->net,
                                .kernels = o->kernels,
                                .modes = o->freeze->modes,
                                .batch = o->batch,
                                .mini_batches = o->mini_batches,
                                .quant = o->quant,
                                .optimizer = o->optimizer};
    TRY(step_open(&step, &cost->step, err));
    cost->bytes = step_bytes(&cost->step);
    return o->from_features ? keep_features(o, cost, err) : OK;
}

void step_cost_close(struct step_cost *cost)
{
    step_close(&cost->step);
    features_free(&cost->features);
    mem_free(cost->kept);
    mem_free(cost->rows);
    *cost = (struct step_cost){0};
}

/* A step's forward. */
static void run_features(void *ctx, struct plan *plan, int images)
{
    struct step_cost *cost = ctx;
    if (cost->is_recorded) {
        features_forward(&cost->features, plan, images, (const float *const *)cost->rows);
    } else {
        features_record(&cost->features, plan, images, cost->rows);
        cost->is_recorded = true;
    }
}

struct timed_step {
    struct step_cost *cost;
    const struct step_input *input;
};

static void run_step(void *ctx)
{
    struct timed_step *timed = ctx;
    struct step *step = &timed->cost->step;
    step_begin(step);
    struct loss_parts parts = step_loss(step->plan, timed->input);
    step_backward(step, timed->input->images, &parts);
    (void)step_update(step, 0.0f);
}

/* ---- part by part ---- */

struct timed_parts {
    struct step_cost *cost;
    const struct step_input *input;
    double *ms;
};

static void run_layers(void *ctx, struct plan *plan, int images)
{
    struct timed_parts *timed = ctx;
    struct step_cost *cost = timed->cost;
    plan_begin(plan, images);
    for (int i = 0; i < cost->step.o.net->layer_count; i++) {
        double start = clock_ms();
        if (cost->rows) {
            features_forward_layer(&cost->features, plan, i, (const float *const *)cost->rows);
        } else {
            plan_forward_layer(plan, i);
        }
        timed->ms[i] = clock_ms() - start;
    }
}

static void run_parts(void *ctx)
{
    struct timed_parts *timed = ctx;
    struct step *step = &timed->cost->step;
    int layers = step->o.net->layer_count;
    double *backward = timed->ms + layers, *rest = backward + layers;
    struct step_input input = *timed->input;
    input.forward = run_layers;
    input.ctx = timed;
    step_begin(step);
    double start = clock_ms();
    (void)step_loss(step->plan, &input);
    rest[0] = clock_ms() - start;
    for (int i = 0; i < layers; i++) {
        rest[0] -= timed->ms[i];
    }
    for (int i = layers - 1; i >= 0; i--) {
        start = clock_ms();
        plan_backward_layer(step->plan, i);
        backward[i] = clock_ms() - start;
    }
    start = clock_ms();
    step->images += (size_t)input.images;
    (void)step_update(step, 0.0f);
    rest[1] = clock_ms() - start;
}

void step_cost_run_parts(struct step_cost *cost, const struct truth_set *truths, int images,
                         double *ms)
{
    const struct step_input input = {.truths = truths, .images = images, .bn_momentum = 0.01f};
    struct timed_parts timed = {cost, &input, ms};
    parallel_team(run_parts, &timed);
}

double step_cost_run(struct step_cost *cost, const struct truth_set *truths, int images)
{
    const struct step_input input = {.truths = truths,
                                     .images = images,
                                     .bn_momentum = 0.01f,
                                     .forward = cost->rows ? run_features : NULL,
                                     .ctx = cost};
    struct timed_step timed = {cost, &input};
    double start = clock_ms();
    parallel_team(run_step, &timed); /* the trainer's steps, too, share a team */
    return clock_ms() - start;
}
