/* The names by which folders and lists say which part of a data set they hold. */
#ifndef DATA_PART_NAMES_H
#define DATA_PART_NAMES_H

#include <stddef.h>

enum set_part { PART_TRAIN, PART_VALID, PART_TEST, PART_UNKNOWN, PART_NONE };

/* What a file or folder of this name holds: train, Train, train2017, obj_train_data, training_set;
 * val, valid, validation; test, testing. PART_UNKNOWN: a word for a share of pictures whose use it
 * does not tell (fold1, holdout). `length` bytes of the name count. */
enum set_part set_part_of(const char *name, size_t length);

/* The same for a word that must be the name of a part and nothing else, whatever its case. */
enum set_part part_of_word(const char *word);

/* The plain names of a part in the order in which they are looked for, from 0: "val", "valid", "validation"; NULL behind the
 * last. */
const char *part_name(enum set_part part, size_t which);

#endif
