/* The layer that feeds a detection head, row by row: each filter of it is one output of one predictor box, so what a class
 * has learnt there can be told from the rest and taken to a network of other classes. Row r of slot r / entries is the
 * box (and its uncertainty) and the objectness first, then a score a class (struct head_info). */
#ifndef NET_CLASS_ROWS_H
#define NET_CLASS_ROWS_H

#include "net/network.h"

/* The classes of a network among those of an older one. */
struct class_match {
    int *old_of; /* [count]: its number there, or -1 */
    size_t count, old_count, matched;
    bool is_same; /* the same names in the same order */
};

/* Names match byte by byte. One that the old list has twice matches nothing. Free with class_match_free, also after an
 * error. */
NODISCARD enum result class_match_make(char *const *names, size_t count, char *const *old,
                                       size_t old_count, struct class_match *match,
                                       struct error *err);
void class_match_free(struct class_match *match); /* a zeroed one is fine */

/* The old name that is this one but for capitals; NULL: none. */
const char *class_match_other_case(const char *name, char *const *old, size_t old_count);

/* The head that the layer feeds, or NULL. */
const struct layer *class_rows_head(const struct network *net, int layer);

/* The next values of p, a parameter of the layer that is no statistic, which an optimiser may move, from *end on:
 * [*first, *end). False: there are no more. Rows of classes that the head above is not for (class_range=) keep still. */
bool class_rows_next(const struct network *net, int layer, const struct param *p, size_t *first,
                     size_t *end);
/* How many there are. */
size_t class_rows_moving(const struct network *net, int layer, const struct param *p);

/* Fill the parameter p of layer l, which feeds `head`, from that of the old network: box and objectness rows, and those
 * of classes that it has. Other rows stay. Returns how many values were taken. */
size_t class_rows_take(const struct layer *l, const struct head_info *head, const struct param *p,
                       const float *old, const struct class_match *match);

#endif
