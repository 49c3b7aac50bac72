/* What a training step costs: the dry run and `yolo bench --train` time one by itself. */
#ifndef TRAIN_STEP_COST_H
#define TRAIN_STEP_COST_H

#include "net/features.h"
#include "train/freeze.h"
#include "train/step.h"

struct step_cost_options {
    struct network *net; /* parameters allocated */
    const struct kernels *kernels;
    const struct freeze_set *freeze; /* outlives the cost */
    int batch;
    int mini_batches;                 /* of the updates that one mini-batch is timed of; 0: one */
    const struct quantization *quant; /* as in struct step_options */
    struct optimizer_options optimizer;
    bool from_features; /* of the frozen prefix, kept in memory (net/features.h) */
};

struct step_cost {
    struct step step;
    size_t bytes;             /* step_bytes */
    struct features features; /* from_features only, and these: */
    float *kept;              /* [batch][features.floats] */
    float **rows;             /* [batch], into kept */
    bool is_recorded;
};

/* *cost must be zeroed; free with step_cost_close, also after an error. ERR_ARG for from_features without a frozen
 * prefix. */
NODISCARD enum result step_cost_open(const struct step_cost_options *options,
                                     struct step_cost *cost, struct error *err);
void step_cost_close(struct step_cost *cost);

/* An update of one mini-batch alone, of the input as it lies in plan_input(cost->step.plan); from_features: of what the
 * prefix made of it at the first call. The rate is 0: parameters keep their values, statistics follow the batches.
 * Returns milliseconds; at the first call from features those include making them. */
double step_cost_run(struct step_cost *cost, const struct truth_set *truths, int images);

/* Parts of a step: each layer forward, each layer backward, the losses, the update. */
static inline size_t step_cost_parts(const struct step_cost *cost)
{
    return 2 * (size_t)cost->step.o.net->layer_count + 2;
}
/* The same step, the parts' milliseconds to ms[step_cost_parts]: [layer] forward, [layers + layer] backward, then losses
 * and update. From features: after a call of step_cost_run. */
void step_cost_run_parts(struct step_cost *cost, const struct truth_set *truths, int images,
                         double *ms);

#endif
