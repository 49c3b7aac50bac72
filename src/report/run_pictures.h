/* The pictures that a training leaves in its folder, for people to look at: a contact sheet each. */
#ifndef REPORT_RUN_PICTURES_H
#define REPORT_RUN_PICTURES_H

#include "eval/evaluation.h"
#include "train/setup.h"

/* train_pictures.jpg: the first pictures as the first stage trains on them, with their boxes. */
NODISCARD enum result run_pictures_train(const struct training *t, const char *folder,
                                         struct error *err);

/* val_pictures.jpg: some validation pictures, spread over the list, each with its truth and with what was found there
 * from each class's threshold of best F1 on. A picture that cannot be read is passed over. */
NODISCARD enum result run_pictures_val(const struct evaluation *evaluation, uint64_t iteration,
                                       const char *folder, struct error *err);

#endif
