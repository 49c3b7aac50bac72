/* A network over the pictures of an evaluation. */
#ifndef RUN_EVAL_RUN_H
#define RUN_EVAL_RUN_H

#include "run/infer.h"
#include "eval/eval_set.h"

/* Borrows everything. */
struct eval_job {
    const struct infer *infer;
    struct eval_set *set;
    const int *class_of; /* the set's class by the network's; -1: left out */
};

struct eval_totals {
    size_t failures; /* pictures that could not be read; each has been logged */
    double load_ms, infer_ms, post_ms, wall_ms; /* sums over pictures; wall: of the whole run */
};

/* Detections of every picture into the set, in order, whatever the number of threads. OK also if
 * some pictures failed. ERR_INTERRUPTED (the caller has called interrupt_catch), ERR_MEMORY. */
NODISCARD enum result eval_detect(const struct eval_job *job, struct eval_totals *totals,
                                  struct error *err);

#endif
