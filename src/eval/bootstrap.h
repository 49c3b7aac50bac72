/* How sure the difference between two networks is that were measured on the same pictures.
 *
 * The pictures are a sample; another would have given other numbers. The bootstrap (Efron & Tibshirani 1993, chapters 6
 * and 13) draws as many pictures from them, with replacement, again and again, and measures all networks on each such
 * draw. It is paired: a draw has the same pictures for all, so what is hard in them falls out of the differences. The
 * interval holds the middle 95 % of the differences. It says nothing of another seed of the training. */
#ifndef EVAL_BOOTSTRAP_H
#define EVAL_BOOTSTRAP_H

#include "eval/evaluation.h"

enum bootstrap_number { BOOTSTRAP_AP50, BOOTSTRAP_AP, BOOTSTRAP_NUMBERS };

struct bootstrap_interval {
    double low, high; /* NaN if no draw had an object */
    double
        better; /* share of the draws in which the difference is above 0; those of exactly 0 count half */
};

struct bootstrap_options {
    struct evaluation *const *runs; /* [count], of sets with the same pictures and truths */
    size_t count;
    size_t draws;
    uint64_t seed;
};

/* Of each run's number less that of the first: intervals[count][BOOTSTRAP_NUMBERS], those of the first are 0. The same
 * on any number of threads. ERR_MEMORY; ERR_FORMAT if the sets are not the same. */
NODISCARD enum result
bootstrap_differences(const struct bootstrap_options *options,
                      struct bootstrap_interval (*intervals)[BOOTSTRAP_NUMBERS], struct error *err);

#endif
