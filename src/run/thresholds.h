/* --conf: from which confidence boxes count.
 *
 *   .4                        one threshold for all classes
 *   dog=.4,cat=.3,.25         some classes' own (names, letter case apart, or numbers), and what holds for the rest
 *   best, best,dog=.4         each class's threshold of best F1, as a training found it (run/class_scores.h)
 *
 * Boxes below go before suppression, as by Darknet's -thresh. */
#ifndef RUN_THRESHOLDS_H
#define RUN_THRESHOLDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct thresholds {
    float rest;      /* of classes without one of their own */
    float least;     /* the smallest of all */
    float *of_class; /* [class_count], owned; NULL: rest holds for all */
};

/* What can be told without a network: ERR_ARG for what is no threshold, for best without a run, or if the run's folder
 * has no thresholds. text NULL: fine. run: its folder or NULL. */
NODISCARD enum result thresholds_check(const char *text, const char *run, struct error *err);

struct thresholds_source {
    const char *text; /* NULL: rest for all */
    float rest;       /* where text says nothing of it */
    const char *run;
    char *const *names; /* [count], of the network's classes */
    size_t count;
};

/* ERR_ARG as above, and for a class that the network does not know, with the nearest. Says on stderr what came of best.
 * *thresholds must be zeroed; free also after an error. */
NODISCARD enum result thresholds_open(const struct thresholds_source *source,
                                      struct thresholds *thresholds, struct error *err);
void thresholds_free(struct thresholds *thresholds);

#endif
