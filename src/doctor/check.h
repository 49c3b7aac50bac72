/* `yolo check`: everything that is wrong with a data set, on stdout, and what is written of it. */
#ifndef DOCTOR_CHECK_H
#define DOCTOR_CHECK_H

#include "doctor/doctor.h"

struct check_options {
    struct doctor_source source;
    const char *cfg;  /* the network to be trained; NULL: none */
    int w, h;         /* its input in place of the cfg's; 0: the cfg's */
    bool no_images;   /* pictures are not opened */
    bool prints_json; /* not text */
    const char *fix;  /* the new folder of a cleaned copy; NULL: none */
    const char *draw; /* the folder for pictures of what looks wrong; NULL: none */
    int draw_max;     /* at most so many */
};

/* *is_clean: neither errors nor warnings were found. ERR_* if the set or the cfg cannot be read at all, or a file cannot
 * be written. */
NODISCARD enum result check_run(const struct check_options *options, bool *is_clean,
                                struct error *err);

#endif
