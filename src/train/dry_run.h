/* `yolo train --dry-run`: what a training would cost, measured on a few of its own steps. */
#ifndef TRAIN_DRY_RUN_H
#define TRAIN_DRY_RUN_H

#include "train/batch_source.h"
#include "train/setup.h"

/* Print a line a stage: the time of an update and of the stage, and the memory; where layers are frozen, what that
 * saves. */
NODISCARD enum result dry_run_estimate(struct training *t, struct error *err);

/* The batches of a stage as a trial: pictures at the cfg's size, no features. Close with batch_source_close. */
NODISCARD enum result dry_run_batches(const struct training *t, const struct train_stage *stage,
                                      struct batch_source **batches, struct error *err);

#endif
