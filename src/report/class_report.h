/* What `yolo eval` prints and draws of a classifier. */
#ifndef REPORT_CLASS_REPORT_H
#define REPORT_CLASS_REPORT_H

#include <stdio.h>

#include "eval/class_tally.h"

/* Borrows everything. */
struct class_report {
    const struct class_tally *tally;
    char *const *names; /* [class_count] */
    double loss;        /* mean of a picture; NaN: not measured */
    size_t failures;    /* pictures that could not be read */
};

void class_report_text(const struct class_report *report, FILE *out);
void class_report_csv(const struct class_report *report, FILE *out);
/* ERR_MEMORY only; errors of the stream are the caller's to look for. */
NODISCARD enum result class_report_json(const struct class_report *report, FILE *out,
                                        struct error *err);

/* Into the folder: metrics.json, classes.csv, confusion.csv, confusion.png. */
NODISCARD enum result class_report_files(const struct class_report *report, const char *folder,
                                         struct error *err);

#endif
