/* What `yolo check` prints. */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include "doctor/stats.h"

struct check_report {
    const struct doctor *doctor;
    struct set_stats sets[SETS_MAX];
    const struct anchor_heads *heads; /* NULL without a cfg */
    struct network_stats network;
    double seconds;
};

/* Every finding as "path:line: severity: text [kind]", then figures and a summary, to stdout. */
void check_print_text(const struct check_report *report);

/* The same as one JSON object. */
NODISCARD enum result check_print_json(const struct check_report *report, struct error *err);

#endif
