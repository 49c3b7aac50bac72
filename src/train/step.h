/* One training step by itself, to be timed: forward, loss, backward, update of one batch. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "layers/layer.h"
#include "net/features.h"
#include "net/modes.h"
#include "net/plan.h"
#include "train/optimizer.h"

struct train_step_options {
    struct network *net; /* parameters allocated */
    const struct kernels *kernels;
    const bool *frozen; /* [layer_count] */
    enum bn_policy bn;
    int batch;
    struct optimizer_options optimizer;
    bool from_features; /* of the frozen prefix, kept in memory (net/features.h) */
};

struct train_step {
    struct plan *plan;
    struct optimizer *optimizer;
    enum layer_mode *modes;
    struct features features; /* from_features only, and these: */
    float *kept;              /* [batch][features.floats] */
    float **rows;             /* [batch], into kept */
    bool is_recorded;
    size_t
        bytes; /* packed weights, activations, scratch, gradients, optimiser; not the parameters */
};

/* *step must be zeroed; free with train_step_close, also after an error. ERR_ARG for from_features without a
 * frozen prefix. */
NODISCARD enum result train_step_open(const struct train_step_options *options,
                                      struct train_step *step, struct error *err);
void train_step_close(struct train_step *step);

/* On the input as it lies in plan_input(step->plan); from_features: on what the prefix made of it at the first
 * call. The rate is 0: parameters keep their values, statistics follow the batches. Returns milliseconds; at the
 * first call from features those include making them. */
double train_step_run(struct train_step *step, const struct truth_set *truths, int images);

#endif
