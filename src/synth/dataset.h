/* A whole data set of synthetic pictures in a folder. */
#ifndef SYNTH_DATASET_H
#define SYNTH_DATASET_H

#include <stddef.h>

#include "base/error.h"
#include "synth/models.h"

struct synth_dataset {
    const char *folder; /* made if missing; files of the same names are replaced */
    const char *name;   /* of the .data and .names files, without a / */
    int train, val;     /* pictures */
    int set;            /* enum synth_set */
    int backgrounds;    /* enum synth_backgrounds */
    int seed;
    int w, h; /* SYNTH_SIZE_MIN .. SYNTH_SIZE_MAX */
};

/* Writes images/{train,val}/NNNNNN.jpg and labels/{train,val}/NNNNNN.txt on all threads, then train.txt, val.txt,
 * NAME.names and NAME.data: a set that was interrupted has none of these. objects[class]: how many are labelled.
 * ERR_INTERRUPTED, ERR_IO, ERR_MEMORY. */
NODISCARD enum result synth_dataset_write(const struct synth_dataset *dataset,
                                          size_t objects[SYNTH_CLASSES], struct error *err);

#endif
