/* `yolo init`: which pictures train, and which validate. */
#ifndef DOCTOR_INIT_DATA_H
#define DOCTOR_INIT_DATA_H

#include "data/dataset.h"

struct init_data_args {
    const char *folder;        /* --data-dir */
    const char *train, *valid; /* --train, --valid: a list, a folder or a COCO .json */
    const char *images;        /* --images: of a COCO .json */
    float split;               /* share that validates where nothing is set aside */
};

enum { INIT_PATH = 4096 };

/* Paths are absolute, so that the .data file works from anywhere; "" = not there. */
struct init_data {
    char train[INIT_PATH], valid[INIT_PATH];
    bool is_whole;  /* no parts were found in the folder */
    bool is_split;  /* `set` is to be divided: is_valid[i] says where picture i goes */
    bool *is_valid; /* [set.sample_count], NULL unless is_split */
    size_t train_count, valid_count; /* pictures; valid_count only if is_split */
    size_t objects;                  /* in the training pictures */
    struct dataset set;              /* what `train` names, opened; empty if nothing is named */
};

/* Find the sets in a folder (init_splits.h; else all its pictures, ERR_ARG if some of them lie in a
 * folder that is named like a part), open the training set for `classes`, and divide it where no
 * validation set is there: by a hash of the file names, so that a picture stays on its side when
 * others join. *data must be zeroed; free with init_data_free, also after an error. */
NODISCARD enum result init_data_find(const struct init_data_args *args, size_t classes,
                                     struct init_data *data, struct error *err);
void init_data_free(struct init_data *data);

#endif
