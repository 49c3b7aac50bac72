#include "train/dry_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/elementwise.h"
#include "train/step_cost.h"

enum { TIMED_STEPS = 2 };

/* Milliseconds of a mini-batch, reading included, and bytes. */
struct cost {
    double ms;
    size_t bytes;
};

struct estimate {
    double hours, updates;
};

/* ---- measuring ---- */

enum result dry_run_batches(const struct training *t, const struct train_stage *stage,
                            struct batch_source **batches, struct error *err)
{
    struct batch_source_options options = {
        .run = &t->options, .stage = stage, .base = t->model.net.size, .is_trial = true};
    return batch_source_open(&options, batches, err);
}

static enum result time_steps(struct training *t, struct batch_source *batches, bool from_features,
                              struct step_cost *step, double *ms, struct error *err)
{
    struct batch batch = {0};
    double start = 0.0;
    for (int i = -1; i < TIMED_STEPS; i++) { /* the first one warms up */
        start = i == 0 ? clock_ms() : start;
        if (i < 0 || !from_features) {
            TRY(batch_source_next(batches, &batch, err));
        }
        op_copy(t->options.kern, &batch.input, plan_input(step->step.plan));
        (void)step_cost_run(step, batch.truths, batch.images);
    }
    *ms = (clock_ms() - start) / TIMED_STEPS;
    return OK;
}

static enum result measure(struct training *t, const struct train_stage *stage, bool from_features,
                           struct cost *cost, struct error *err)
{
    struct network *net = &t->model.net;
    struct step_cost_options options = {.net = net,
                                        .kernels = t->options.kern,
                                        .freeze = &stage->freeze,
                                        .batch = t->options.mini_batch,
                                        .optimizer = t->options.optimizer,
                                        .from_features = from_features};
    struct step_cost step = {0};
    struct batch_source *batches = NULL;
    enum result result = step_cost_open(&options, &step, err);
    if (result == OK) {
        result = dry_run_batches(t, stage, &batches, err);
    }
    if (result == OK) {
        result = time_steps(t, batches, from_features, &step, &cost->ms, err);
    }
    cost->bytes = step.bytes + network_param_floats(net, net->layer_count, NULL) * sizeof(float);
    batch_source_close(batches);
    step_cost_close(&step);
    return result;
}

/* ---- what that comes to ---- */

/* A line a stage, and one for nothing frozen to compare with; added to *sum. STAGE_ENDLESS updates
 * take what is left of --time. */
static void print_estimate(const struct training *t, const char *what, uint64_t updates,
                           const struct cost *cost, struct estimate *sum)
{
    double update = cost->ms * t->options.subdivisions;
    double hours = update * (double)updates / 3.6e6;
    char count[64] = "";
    if (updates == STAGE_ENDLESS) {
        double spent = t->progress.seconds / 3600.0 + sum->hours;
        hours = fmax(t->options.time_limit_s / 3600.0 - spent, 0.0);
        updates = (uint64_t)(hours * 3.6e6 / update);
        snprintf(count, sizeof count, " for about %" PRIu64 " updates", updates);
    }
    printf("%-9s %.0f ms an update, %.1f %s%s; %.0f MB\n", what, update,
           hours < 1.0 ? hours * 60.0 : hours, hours < 1.0 ? "minutes" : "hours", count,
           (double)cost->bytes / 1e6);
    fflush(stdout);
    sum->hours += hours;
    sum->updates += (double)updates;
}

/* How many updates of the stage train from pictures; those behind train from features. */
static uint64_t unreplayed_updates(const struct training *t, const struct train_stage *stage)
{
    uint64_t images = (uint64_t)stage->cache_features * t->train.sample_count;
    uint64_t filling = epoch_updates(images, training_images_per_update(t));
    return stage->cache_features > 0 && filling < stage->iterations ? filling : stage->iterations;
}

static enum result estimate_stage(struct training *t, size_t number, struct estimate *sum,
                                  struct error *err)
{
    const struct train_stage *stage = &t->plan.stages[number];
    uint64_t unreplayed = unreplayed_updates(t, stage);
    uint64_t replayed = stage->iterations - unreplayed;
    struct cost cost;
    char what[32] = "estimate";
    if (t->plan.count > 1) {
        snprintf(what, sizeof what, "stage %zu", number + 1);
    }
    TRY(measure(t, stage, false, &cost, err));
    print_estimate(t, what, unreplayed, &cost, sum);
    if (replayed > 0) {
        bool is_endless = stage->iterations == STAGE_ENDLESS;
        TRY(measure(t, stage, true, &cost, err));
        print_estimate(t, "features", is_endless ? STAGE_ENDLESS : replayed, &cost, sum);
    }
    return OK;
}

/* What as many updates would take if nothing were frozen. */
static enum result compare_unfrozen(struct training *t, const struct estimate *sum,
                                    struct error *err)
{
    struct estimate all = {0};
    struct cost cost;
    struct train_stage unfrozen = t->plan.stages[0];
    enum result result =
        freeze_set_make(&t->model.net, "none", unfrozen.freeze.bn, NULL, &unfrozen.freeze, err);
    if (result == OK) {
        result = measure(t, &unfrozen, false, &cost, err);
    }
    freeze_set_free(&unfrozen.freeze);
    TRY(result);
    print_estimate(t, "unfrozen", (uint64_t)sum->updates, &cost, &all);
    printf("freezing  saves %.0f %% of the time\n",
           all.hours > 0.0 ? 100.0 * (1.0 - sum->hours / all.hours) : 0.0);
    return OK;
}

enum result dry_run_estimate(struct training *t, struct error *err)
{
    struct estimate sum = {0};
    bool is_frozen = false;
    for (size_t i = 0; i < t->plan.count; i++) {
        TRY(estimate_stage(t, i, &sum, err));
        is_frozen = is_frozen || t->plan.stages[i].freeze.totals.frozen > 0;
    }
    if (is_frozen) {
        TRY(compare_unfrozen(t, &sum, err));
    }
    if (t->has_valid) {
        printf("valid     not in these times: validation of %zu pictures every %" PRIu64
               " updates\n",
               t->valid.sample_count, t->options.validate_every);
    }
    return OK;
}
