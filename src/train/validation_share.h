/* A validation that several processes (base/ranks.h) divide: which pictures are whose, and how what they found comes together
 * in process 0, as if it had seen them all. */
#ifndef TRAIN_VALIDATION_SHARE_H
#define TRAIN_VALIDATION_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "eval/class_tally.h"
#include "eval/eval_set.h"

struct validation_work {
    size_t pictures, batch; /* pictures in all, in a batch */
    bool is_shared;
    bool
        is_divided; /* tallies of values depend on the order of all pictures in their last digits: process 0 sees those alone */
};

/* Pictures [first, end), which are the batches from first_batch on of so many. */
struct validation_share {
    size_t batches, first_batch, first, end;
};
struct validation_share validation_share_of(const struct validation_work *work);

struct batch_loss {
    double loss; /* summed over the images */
    size_t images;
};

/* What a process has found in its share. */
struct validation_part {
    struct batch_loss *losses; /* [batches] */
    size_t failures;
    struct eval_set *set;      /* of a detector, else NULL */
    struct class_tally *tally; /* of a classifier, else NULL */
};

/* Everybody gets all losses, failures and tallies, process 0 the detections, too. ERR_MEMORY, and ERR_IO if none of the
 * pictures can be read. */
NODISCARD enum result validation_gather(const struct validation_work *work,
                                        struct validation_part *part, struct error *err);

#endif
