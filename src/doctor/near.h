/* Boxes of a picture that lie nearly on another one. */
#ifndef DOCTOR_NEAR_H
#define DOCTOR_NEAR_H

#include "data/dataset.h"

struct near {
    int same;  /* the first earlier box of its class with an IoU of .9 or more; -1: none */
    int other; /* the first earlier box of another class with an IoU of .95 or more; -1: none */
};

/* *near [truth_count] (mem_free) for the sample's truths; NULL for a sample without any. The time
 * grows with their number, not with its square. */
NODISCARD enum result near_find(const struct sample *sample, struct near **near, struct error *err);

#endif
