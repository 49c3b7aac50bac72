/* `yolo init --data-dir`: the parts of a data set by the names of its folders and lists. */
#ifndef DOCTOR_INIT_SPLITS_H
#define DOCTOR_INIT_SPLITS_H

#include <stddef.h>

#include "base/error.h"

/* Look for parts in a folder: lists (train.txt, val.txt), folders below images, folders, each maybe
 * with a folder images; where there is a single folder with pictures, in that. `train` and `valid`
 * get paths of at most `size` bytes, "" where there is none; a test part validates where nothing
 * else does. What is there and not used is said. ERR_ARG: two candidates for a part, or one to
 * validate on and none to train on. */
NODISCARD enum result init_splits_find(const char *folder, char *train, char *valid, size_t size,
                                       struct error *err);

#endif
