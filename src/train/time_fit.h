/* --time without a length: as many updates as fit are planned before the run, so that the schedule, the stages and all
 * that counts in shares of the run end when the time does. */
#ifndef TRAIN_TIME_FIT_H
#define TRAIN_TIME_FIT_H

#include "train/training.h"

/* How far beyond --time the clock ends such a run, as a factor. */
extern const double TIME_FIT_SLACK;

/* "45 seconds", "90 minutes", "2 hours". */
void hours_describe(double hours, char *text, size_t size);

/* t is settled with the stages as they are without a limit of time (those of one plan: of any length), and its network
 * has its values, whose statistics are lost. Measures updates of each stage and a validation, and writes the lengths that
 * fit into args->stages and what was found into t->time_fit. Stages of --stage only become shorter. ERR_ARG if not one
 * update fits. */
NODISCARD enum result time_fit_stages(struct train_args *args, struct training *t,
                                      struct error *err);

#endif
