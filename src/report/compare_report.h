/* What `yolo eval --compare` prints. */
#ifndef REPORT_COMPARE_REPORT_H
#define REPORT_COMPARE_REPORT_H

#include <stdio.h>

#include "report/compare.h"

/* Tables: a line a run, AP@.5 by class, and the arguments that differ. */
void compare_print_text(const struct comparison *c, FILE *out);
/* A row a run. */
void compare_print_csv(const struct comparison *c, FILE *out);
/* One object, indented, and a newline; the numbers are not rounded. ERR_MEMORY. */
NODISCARD enum result compare_print_json(const struct comparison *c, FILE *out, struct error *err);

#endif
