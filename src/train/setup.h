/* From the options of `yolo train` to what the trainer needs: network, data sets, stages. */
#ifndef TRAIN_SETUP_H
#define TRAIN_SETUP_H

#include "train/training.h"

/* Read and check everything; settles args->model.data and .cfg. A resumed run has the cfg and the names of its folder,
 * args->resume. With a last.state there (options.resumes) it reads no weights; without any trace of training it begins
 * anew. ERR_ARG if there are traces but no last.state, or if the run's time is over. *t must be zeroed; free with
 * training_close, also after an error. */
NODISCARD enum result training_open(struct train_args *args, struct training *t, struct error *err);
void training_close(struct training *t);

#endif
