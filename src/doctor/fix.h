/* A cleaned copy of a data set's lists and labels. */
#ifndef DOCTOR_FIX_H
#define DOCTOR_FIX_H

#include "doctor/doctor.h"

struct fix_counts {
    size_t pictures, dropped_pictures, unusable_pictures, labels_changed;
};

/* Write into the folder `out`, which must be new or empty (else ERR_ARG): images/<set>/ with links
 * to the pictures' absolute paths, labels/<set>/, <set>.txt, set.names and set.data. Left out are
 * pictures that are missing, unreadable or repeated, pictures of train that valid has, too, pictures
 * with a label line that cannot be used (they would look like backgrounds), lines that mark no part
 * of their picture, and boxes that nearly repeat another; boxes are clipped. Label files without
 * faults are copied byte for byte, confidences and polygons become boxes; a picture without one gets
 * an empty one. The user's own files
 * stay as they are. */
NODISCARD enum result fix_write(const struct doctor *doctor, const char *out,
                                struct fix_counts *counts, struct error *err);

#endif
