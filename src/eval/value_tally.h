/* How far a network's values are from the truth: mean absolute error, root of the mean square, and how much of the truth's
 * variance is explained, of each value and of all. */
#ifndef EVAL_VALUE_TALLY_H
#define EVAL_VALUE_TALLY_H

#include <stddef.h>

#include "base/error.h"

struct value_tally {
    size_t count; /* values of a sample */
    struct value_sums {
        double samples, absolute, square; /* of the errors: sums */
        double mean, spread;              /* of the truths; the sum of squares around the mean */
    } * sums;                             /* [count] */
};

/* *tally need not be initialised; free also after an error, and on a zeroed struct. ERR_MEMORY only. */
NODISCARD enum result value_tally_init(struct value_tally *tally, size_t count, struct error *err);
void value_tally_free(struct value_tally *tally);

/* Values [first, first + count) of one sample. */
void value_tally_add(struct value_tally *tally, size_t first, size_t count, const float *truth,
                     const float *found);

struct value_numbers {
    double mae, rmse; /* NaN without samples */
    double
        r2; /* 1 - squared errors / the truth's around its mean; NaN where that is always the same */
};
struct value_numbers value_tally_value(const struct value_tally *tally, size_t k);
/* Errors over all values; r2 is the mean of those that have one. */
struct value_numbers value_tally_all(const struct value_tally *tally);

#endif
