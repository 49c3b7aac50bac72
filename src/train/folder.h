/* The run's folder, before the training begins. */
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include "train/setup.h"

/* Make the run's folder: args->out, or the next free one in runs/train. Locks it, and writes args.json, cfg and names
 * into it. */
NODISCARD enum result training_make_folder(const struct train_args *args, struct training *t,
                                           char *folder, size_t size, struct error *err);

#endif
