/* What `yolo eval` prints of a network that gives values: loss, and their errors. */
#ifndef REPORT_VALUE_REPORT_H
#define REPORT_VALUE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/value_tally.h"

/* Borrows everything. */
struct value_report {
    const struct value_tally *tally;
    double loss;      /* mean of a sample */
    size_t samples;   /* rows, or pictures */
    size_t failures;  /* that could not be read */
    bool is_table;    /* rows */
    bool is_one_kind; /* the values are pixels: they are told of together only */
};

void value_report_text(const struct value_report *report, FILE *out);
void value_report_csv(const struct value_report *report, FILE *out);
/* ERR_MEMORY only; errors of the stream are the caller's to look for. */
NODISCARD enum result value_report_json(const struct value_report *report, FILE *out,
                                        struct error *err);
/* metrics.json into the folder. */
NODISCARD enum result value_report_files(const struct value_report *report, const char *folder,
                                         struct error *err);

#endif
