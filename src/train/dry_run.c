#include "train/dry_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "train/stage_cost.h"

struct estimate {
    double hours, updates;
};

/* A line a stage, and one for nothing frozen to compare with; added to *sum. */
static void print_estimate(const struct training *t, const char *what, uint64_t updates,
                           const struct stage_cost *cost, struct estimate *sum)
{
    double update = cost->ms * training_mini_batches(t);
    double hours = update * (double)updates / 3.6e6;
    printf("%-9s %.0f ms an update, %.1f %s; %.0f MB\n", what, update,
           hours < 1.0 ? hours * 60.0 : hours, hours < 1.0 ? "minutes" : "hours",
           (double)cost->bytes / 1e6);
    fflush(stdout);
    sum->hours += hours;
    sum->updates += (double)updates;
}

static enum result estimate_stage(struct training *t, size_t number, struct estimate *sum,
                                  struct error *err)
{
    const struct train_stage *stage = &t->plan.stages[number];
    uint64_t unreplayed = stage_filling(t, stage);
    uint64_t replayed = stage->iterations - unreplayed;
    struct stage_cost cost;
    char what[32] = "estimate";
    if (t->plan.count > 1) {
        snprintf(what, sizeof what, "stage %zu", number + 1);
    }
    TRY(stage_cost_measure(t, stage, false, &cost, err));
    print_estimate(t, what, unreplayed, &cost, sum);
    if (replayed > 0) {
        TRY(stage_cost_measure(t, stage, true, &cost, err));
        print_estimate(t, "features", replayed, &cost, sum);
    }
    return OK;
}

/* What as many updates would take if nothing were frozen. */
static enum result compare_unfrozen(struct training *t, const struct estimate *sum,
                                    struct error *err)
{
    struct estimate all = {0};
    struct stage_cost cost;
    struct train_stage unfrozen = t->plan.stages[0];
    enum result result =
        freeze_set_make(&t->model.net, "none", unfrozen.freeze.bn, NULL, &unfrozen.freeze, err);
    if (result == OK) {
        result = stage_cost_measure(t, &unfrozen, false, &cost, err);
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
