/* Are the results files of an evaluation those of one run, and all of them? */
#ifndef RESULTS_RESULTS_WHOLE_H
#define RESULTS_RESULTS_WHOLE_H

#include <stdbool.h>

#include "eval/eval_set.h"
#include "results/share_file.h"

struct results_source {
    const char *const *paths; /* [count], in any order: together they tell of all pictures */
    size_t count;
    const struct share_head *head; /* of the first one, as share_head_read gives it */
};

/* The truth is that of the shares: as many pictures, the same classes. ERR_FORMAT. */
NODISCARD enum result results_check_truth(const struct results_source *source,
                                          const struct eval_set *set, struct error *err);

/* Once all are read. tellers: [share count] the file that has each share, 0: none. has_plain: there were results by id. ERR_FORMAT
 * for a share that is missing, and for pictures that none of several files has a record of. */
NODISCARD enum result results_check_whole(const struct results_source *source,
                                          const struct eval_set *set, const size_t *tellers,
                                          bool has_plain, struct error *err);

#endif
