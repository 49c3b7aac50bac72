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
    double best_map; /* NaN: never validated */
    bool was_interrupted;
    bool diverged; /* the loss left all bounds three times: rolled back and saved */
};

/* Columns of results.csv. */
extern const char *const train_columns[];
enum { TRAIN_COLUMNS = 17 };

/* Train until all stages are done, the time is over or should_stop says so; everything is then saved. A resumed run
 * continues with the bits of the uninterrupted one. ERR_* on failures that no later update could mend; what was
 * saved last then stands. */
NODISCARD enum result trainer_run(const struct train_options *options,
                                  struct train_outcome *outcome, struct error *err);

#endif
