/* What `yolo eval` prints. */
#ifndef REPORT_EVAL_REPORT_H
#define REPORT_EVAL_REPORT_H

#include <stdio.h>

#include "eval/evaluation.h"

/* The table: COCO's twelve numbers, mAP by other rules if asked for, a line a class that has truths
 * or detections. */
void eval_print_text(const struct evaluation *evaluation, FILE *out);

/* A row for all and one a class. */
void eval_print_csv(const struct evaluation *evaluation, FILE *out);

/* One object, indented, and a newline; the numbers are not rounded. ERR_MEMORY. */
NODISCARD enum result eval_print_json(const struct evaluation *evaluation, FILE *out,
                                      struct error *err);

/* "mAP50", by the IoU of the options. */
const char *eval_map_name(const struct evaluation *evaluation, char *text, size_t size);

#endif
