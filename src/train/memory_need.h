/* What a training takes of the machine's memory, before anything is allocated, and whether it fits. */
#ifndef TRAIN_MEMORY_NEED_H
#define TRAIN_MEMORY_NEED_H

#include "train/training.h"

struct memory_need {
    double parameters; /* bytes; each of these at its largest over the stages */
    double step;       /* activations, gradients, scratch, packed weights, the optimiser's state */
    double validation; /* its plan stands beside the step's */
    double pictures;   /* batches read ahead, and decoded pictures that are kept */
    double total;      /* of the stage that takes most */
};

/* Of the stages that are left. */
NODISCARD enum result memory_need_measure(const struct training *t, struct memory_need *need,
                                          struct error *err);

/* ERR_ARG if that is more than is free now: with the --subdivisions that would fit. */
NODISCARD enum result memory_need_check(const struct training *t, struct error *err);

#endif
