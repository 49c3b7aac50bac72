/* What the updates of a stage cost, measured on a few of them: for the dry run, and to fit a run into --time. */
#ifndef TRAIN_STAGE_COST_H
#define TRAIN_STAGE_COST_H

#include "train/batch_source.h"
#include "train/training.h"

struct stage_cost {
    double ms;    /* of a mini-batch, reading included */
    size_t bytes; /* of a training process: parameters, too */
};

/* from_features: an update behind those that keep features (stage_filling). The rate is 0, but statistics of the
 * network that follow the batches do so: who trains afterwards loads it again. */
NODISCARD enum result stage_cost_measure(struct training *t, const struct train_stage *stage,
                                         bool from_features, struct stage_cost *cost,
                                         struct error *err);

/* How many updates of the stage train from pictures; those behind train from features. */
uint64_t stage_filling(const struct training *t, const struct train_stage *stage);

/* The batches of a stage as a trial: pictures at the cfg's size, no features. Close with batch_source_close. */
NODISCARD enum result stage_trial_batches(const struct training *t, const struct train_stage *stage,
                                          struct batch_source **batches, struct error *err);

#endif
