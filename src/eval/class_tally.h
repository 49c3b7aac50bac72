/* How good a classifier is: which class was taken for which, and how often the right one was among the best k.
 *
 * Of equal scores the lower class number counts as the better one; a score that is not a number is the worst. A picture that could
 * not be read counts as one whose class was not found. */
#ifndef EVAL_CLASS_TALLY_H
#define EVAL_CLASS_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { CLASS_TALLY_TOP = 5 };

struct class_tally {
    size_t class_count;
    size_t top;     /* k of top-k: CLASS_TALLY_TOP, or all classes if there are fewer */
    size_t *counts; /* [class_count][class_count]: truth, best class */
    size_t *in_top; /* [class_count], by truth */
    size_t *unread; /* [class_count], by truth */
};

/* *tally need not be initialised; free also after an error, and on a zeroed struct. ERR_MEMORY only. */
NODISCARD enum result class_tally_init(struct class_tally *tally, size_t class_count,
                                       struct error *err);
void class_tally_free(struct class_tally *tally);

/* One picture of class `truth`, scores[class_count]. */
void class_tally_add(struct class_tally *tally, size_t truth, const float *scores);
void class_tally_add_unread(struct class_tally *tally, size_t truth);

size_t class_tally_count(const struct class_tally *tally, size_t truth, size_t found);

/* Numbers of one class, or of all pictures together; -1 where there is nothing to measure. */
struct class_numbers {
    size_t images;    /* of the class */
    size_t found;     /* pictures taken for it */
    double precision; /* right ones among `found` */
    double recall;    /* right ones among `images`; of all together: top-1 */
    double f1;
    double top; /* share of `images` with the class among the best k */
};
struct class_numbers class_tally_class(const struct class_tally *tally, size_t class_id);

/* recall is top-1; precision and f1 are means over classes that have pictures (a class never found has precision 0). */
struct class_numbers class_tally_all(const struct class_tally *tally);

/* The mean recall of the classes that have pictures; -1 without any. */
double class_tally_balanced(const struct class_tally *tally);

/* The best `count` of scores[class_count], the best first: their numbers into best[count]; returns how many there are.
 * wanted[class_count]: only these; NULL: all. */
size_t class_best(const float *scores, size_t class_count, const bool *wanted, size_t *best,
                  size_t count);

#endif
