/* The training loop: batches through a plan, losses, updates, checkpoints, validation, stages. What it knows of
 * the outside (detection metrics, charts, signals) comes through callbacks. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "train/options.h"

struct train_outcome {
    uint64_t iterations;
    double best_map; /* by measure; of a loss its negative. NaN: never validated */
    enum train_measure measure;
    bool was_interrupted;
    bool diverged; /* the loss left all bounds three times: rolled back and saved */
};

/* A measure's name and score as people want them: "mAP@.5 0.5000", "top-1 0.9800", "validation loss 0.0120". */
const char *train_score_text(enum train_measure measure, double score, char *text, size_t size);

/* Train until all stages are done, the time is over or should_stop says so; everything is then saved. A resumed run
 * continues with the bits of the uninterrupted one. ERR_* on failures that no later update could mend; what was
 * saved last then stands. */
NODISCARD enum result trainer_run(const struct train_options *options,
                                  struct train_outcome *outcome, struct error *err);

#endif
