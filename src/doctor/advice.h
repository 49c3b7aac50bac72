/* New anchors for a data set, and whether to take them. */
#ifndef DOCTOR_ADVICE_H
#define DOCTOR_ADVICE_H

#include "data/dataset.h"
#include "doctor/heads.h"

struct anchor_advice {
    size_t boxes;
    struct anchor old[ANCHORS_MAX], found[ANCHORS_MAX];
    int old_count, count;
    struct anchor_fit old_fit, fit;
    bool keep;      /* the old ones do */
    char text[256]; /* why: "keep the old: ...", "take the new: ..." */
};

/* Sizes of the set's boxes, without crowds, on the network's input. With a letterbox pictures are
 * opened for their size; those that cannot be are warned about and left out. ERR_FORMAT at `path`
 * if there is no box. */
NODISCARD enum result advice_sizes(const struct anchor_heads *heads, const struct dataset *set,
                                   const char *path, struct size_list *sizes, struct error *err);

/* Search, round to what a cfg can say, compare with the anchors the heads use (none if heads->count
 * is 0). The old are kept unless the new gain 3 points of the boxes above an IoU of 0.5; and always if there are fewer than 10 boxes an anchor. */
NODISCARD enum result advice_find(const struct anchor_heads *heads, const struct size_list *sizes,
                                  const struct anchor_search *search, struct anchor_advice *advice,
                                  struct error *err);

#endif
