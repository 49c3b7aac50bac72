/* `yolo init --data-dir`: the parts of a data set by the names of its folders and lists. */
#ifndef DOCTOR_INIT_SPLITS_H
#define DOCTOR_INIT_SPLITS_H

#include <stddef.h>

#include "base/error.h"

enum set_part { PART_TRAIN, PART_VALID, PART_TEST, PART_UNKNOWN, PART_NONE };

/* What a file or folder of this name holds: train, Train, train2017, obj_train_data, training_set;
 * val, valid, validation; test, testing. PART_UNKNOWN: a word for a share of pictures whose use it
 * does not tell (fold1, holdout). `length` bytes of the name count. */
enum set_part set_part_of(const char *name, size_t length);

/* Look for parts in a folder: lists (train.txt, val.txt), folders below images, folders, each maybe
 * with a folder images; where there is a single folder with pictures, in that. `train` and `valid`
 * get paths of at most `size` bytes, "" where there is none; a test part validates where nothing
 * else does. What is there and not used is said. ERR_ARG: two candidates for a part, or one to
 * validate on and none to train on. */
NODISCARD enum result init_splits_find(const char *folder, char *train, char *valid, size_t size,
                                       struct error *err);

#endif
