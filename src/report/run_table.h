/* results.csv of a training run, read back. */
#ifndef REPORT_RUN_TABLE_H
#define REPORT_RUN_TABLE_H

#include <stddef.h>

#include "base/error.h"

enum run_column {
    RUN_ITERATION,
    RUN_STAGE,
    RUN_RATE,
    RUN_LOSS,
    RUN_BOX,
    RUN_OBJECTNESS,
    RUN_CLASSES,
    RUN_VALIDATION_LOSS,
    RUN_MAP50,
    RUN_MAP, /* mAP@.5:.95; all NaN in the file of an older program, which has no such column */
    RUN_TOP1,
    RUN_TOP5,
    RUN_SECONDS,
    RUN_COLUMNS
};

struct run_table {
    double *
        rows; /* [count][RUN_COLUMNS], NaN: empty, or not of the run's task; RUN_ITERATION never is */
    size_t count, capacity;
};

/* Read folder/results.csv. ERR_FORMAT if it is not a training's. *table must be zeroed; free also after an error. */
NODISCARD enum result run_table_read(const char *folder, struct run_table *table,
                                     struct error *err);
void run_table_free(struct run_table *table);

double *run_table_row(const struct run_table *table, size_t row);

/* The last value of a column that is not empty; NaN if there is none. */
double run_table_latest(const struct run_table *table, enum run_column column);

#endif
