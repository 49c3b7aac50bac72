/* What a network was worth on labelled pictures, by class, as `yolo train` leaves it in a run's folder: the JSON that
 * `yolo eval --format json` prints. */
#ifndef RUN_CLASS_SCORES_H
#define RUN_CLASS_SCORES_H

#include <stddef.h>

#include "base/error.h"

/* The name of the file in a run's folder. */
extern const char class_scores_name[];

/* Numbers without a meaning for want of objects are negative. */
struct class_score {
    char *name;     /* owned; NULL: of all classes */
    double objects; /* a whole number */
    double ap, ap50;
    double threshold, precision, recall, f1; /* at IoU .5, where F1 is best */
};

struct class_scores {
    struct class_score all;
    struct class_score *items; /* [count] */
    size_t count;
};

/* ERR_FORMAT names what is missing, ERR_IO. *scores must be zeroed; free also after an error. */
NODISCARD enum result class_scores_read(const char *path, struct class_scores *scores,
                                        struct error *err);
void class_scores_free(struct class_scores *scores);

/* The class's own threshold; where its F1 is 0 everywhere (no objects, nothing found) that of all classes together; where
 * that is so, too, .25. */
double class_scores_threshold(const struct class_scores *scores, size_t class_id);

/* The class of a name; SIZE_MAX if there is none. */
size_t class_scores_find(const struct class_scores *scores, const char *name);

#endif
