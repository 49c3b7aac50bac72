/* `yolo train --dry-run`: what a training would cost, measured on a few of its own steps. */
#ifndef TRAIN_DRY_RUN_H
#define TRAIN_DRY_RUN_H

#include "train/setup.h"

/* Print a line a stage: the time of an update and of the stage, and the memory; where layers are frozen, what that
 * saves. */
NODISCARD enum result dry_run_estimate(struct training *t, struct error *err);

#endif
