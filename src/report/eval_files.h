/* The folder of an evaluation. */
#ifndef REPORT_EVAL_FILES_H
#define REPORT_EVAL_FILES_H

#include "eval/evaluation.h"

/* Into an existing folder: metrics.json and classes.csv (what is printed), pr.csv, confidence.csv,
 * calibration.csv, confusion.csv, a picture of each (.png), and worst/ with worst.csv and the
 * worst_limit worst pictures. ERR_IO, ERR_MEMORY. */
NODISCARD enum result eval_write_files(struct evaluation *evaluation, const char *folder,
                                       size_t worst_limit, struct error *err);

#endif
