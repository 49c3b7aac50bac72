#include "train/stage_cost.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "kernels/elementwise.h"
#include "train/step_cost.h"

enum { LEAST_TIMED = 2, MOST_TIMED = 50 };

static const double ENOUGH_MS = 500.0;

enum result stage_trial_batches(const struct training *t, const struct train_stage *stage,
                                struct batch_source **batches, struct error *err)
{
    struct batch_source_options options = {
        .run = &t->options, .stage = stage, .base = t->model.net.size, .is_trial = true};
    return batch_source_open(&options, batches, err);
}

uint64_t stage_filling(const struct training *t, const struct train_stage *stage)
{
    uint64_t images = (uint64_t)stage->cache_features * t->train.sample_count;
    uint64_t filling = epoch_updates(images, training_images_per_update(t));
    return stage->cache_features > 0 && filling < stage->iterations ? filling : stage->iterations;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct timing_task {
    struct training *t;
    struct batch_source *batches;
    struct step_cost *step;
    bool from_features;
    double *ms;
    struct error *err;
    enum result result;
};

/* *ms: the median, which a moment of other work on the machine does not move. */
static enum result time_steps(struct timing_task *task)
{
    struct batch batch = {0};
    double times[MOST_TIMED], spent = 0.0;
    int timed = -1; /* the first one warms up */
    while (timed < LEAST_TIMED || (spent < ENOUGH_MS && timed < MOST_TIMED)) {
        double start = clock_ms();
        if (timed < 0 || !task->from_features) {
            TRY(batch_source_next(task->batches, &batch, task->err));
        }
        op_copy(task->t->options.kern, &batch.input, plan_input(task->step->step.plan));
        (void)step_cost_run(task->step, batch.truths, batch.images);
        double time = clock_ms() - start;
        if (timed >= 0) {
            times[timed] = time;
            spent += time;
        }
        timed++;
    }
    qsort(times, (size_t)timed, sizeof *times, by_size);
    *task->ms = (times[(timed - 1) / 2] + times[timed / 2]) / 2.0;
    return OK;
}

static void run_timing(void *ctx)
{
    struct timing_task *task = ctx;
    task->result = time_steps(task);
}

enum result stage_cost_measure(struct training *t, const struct train_stage *stage,
                               bool from_features, struct stage_cost *cost, struct error *err)
{
    struct network *net = &t->model.net;
    struct step_cost_options options = {.net = net,
                                        .kernels = t->options.kern,
                                        .freeze = &stage->freeze,
                                        .batch = t->options.mini_batch,
                                        .mini_batches = t->options.subdivisions,
                                        .quant = t->options.quant,
                                        .optimizer = t->options.optimizer,
                                        .from_features = from_features};
    struct step_cost step = {0};
    struct batch_source *batches = NULL;
    enum result result = step_cost_open(&options, &step, err);
    if (result == OK) {
        result = stage_trial_batches(t, stage, &batches, err);
    }
    if (result == OK) {
        struct timing_task task = {t, batches, &step, from_features, &cost->ms, err, OK};
        parallel_team(run_timing, &task); /* as the trainer: one for all steps */
        result = task.result;
    }
    cost->bytes = step.bytes + network_param_floats(net, net->layer_count, NULL) * sizeof(float);
    batch_source_close(batches);
    step_cost_close(&step);
    return result;
}
