/* `yolo eval --compare`: runs of `yolo train` side by side, on the same pictures. */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <cjson/cJSON.h>

#include "eval/bootstrap.h"
#include "run/evaluate.h"

enum { COMPARE_DRAWS = 1000, COMPARE_SEED = 0 };

struct compared_run {
    const char *folder; /* borrowed */
    struct evaluate_options options;
    struct model_args model;
    struct evaluated found;
    cJSON *args;             /* args.json */
    double updates, seconds; /* of the training; NaN: results.csv does not say */
};

struct comparison {
    struct compared_run *runs; /* [count]; the first is what the others are compared with */
    size_t count;
    struct bootstrap_interval (*intervals)[BOOTSTRAP_NUMBERS]; /* [count] */
    size_t failures;
};

/* Measure the runs, one after the other, with the same options, on the set of the options or else of the first run.
 * ERR_ARG if there are fewer than two, or if their class names differ; nothing has been measured then. *comparison must
 * be zeroed; free also after an error. options, but for their run, and folders outlive it. */
NODISCARD enum result compare_runs(const struct evaluate_options *options,
                                   const char *const *folders, size_t count,
                                   struct comparison *comparison, struct error *err);
void comparison_free(struct comparison *comparison);

#endif
