/* What a run says of itself before it begins. */
#ifndef TRAIN_DESCRIBE_H
#define TRAIN_DESCRIBE_H

#include "train/setup.h"

/* For people: data, start, what moves and what does not, length, rate. On stdout if to_stdout, else
 * log_info. */
void training_describe(const struct training *t, bool to_stdout);

/* Warn of what is likely not meant. */
void training_warn(const struct training *t);

/* Say, as training_describe does, what the features of stages with cache_features will take in `folder`, which need not
 * exist yet; of a resumed run, only of the stages that are left. ERR_ARG if it is more than limit_gb or than the disk
 * has. */
NODISCARD enum result training_check_features(const struct training *t, const char *folder,
                                              float limit_gb, bool to_stdout, struct error *err);

#endif
