/* A cleaned copy of a data set's lists and labels. */
#ifndef DOCTOR_FIX_H
#define DOCTOR_FIX_H

#include "doctor/doctor.h"

struct fix_counts {
    size_t pictures, dropped_pictures, unusable_pictures, labels_changed;
};

/* Write into the folder `out`, which must be new or empty (else ERR_ARG):
 *
 *   images/<set>/   links to the pictures' absolute paths
 *   labels/<set>/   label files
 *   <set>.txt, set.names, set.data
 *
 * Pictures are left out that are missing, unreadable or repeated, that valid has as well as train, or that have a
 * label line which cannot be used (they would look like backgrounds). So are lines that mark no part of their
 * picture and boxes that nearly repeat another. Boxes are clipped; confidences are dropped, polygons become boxes.
 * A label file without faults is copied byte for byte; a picture without one gets an empty one. The user's own
 * files stay as they are. */
NODISCARD enum result fix_write(const struct doctor *doctor, const char *out,
                                struct fix_counts *counts, struct error *err);

#endif
