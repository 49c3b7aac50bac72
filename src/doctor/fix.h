/* A cleaned copy of a data set's lists and labels. */
#ifndef DOCTOR_FIX_H
#define DOCTOR_FIX_H

#include "doctor/doctor.h"

struct fix_counts {
    size_t pictures, dropped_pictures, labels_changed;
};

/* Write into the folder `out`, which must be new or empty (else ERR_ARG): images/<set>/ with links
 * to the pictures' absolute paths, labels/<set>/, <set>.txt, set.names and set.data. Left out are
 * pictures that are missing, unreadable or repeated, pictures of train that valid has, too, lines
 * that were skipped, and boxes that nearly repeat another; boxes are clipped. Label files without
 * faults are copied byte for byte; a picture without one gets an empty one. The user's own files
 * stay as they are. */
NODISCARD enum result fix_write(const struct doctor *doctor, const char *out,
                                struct fix_counts *counts, struct error *err);

#endif
