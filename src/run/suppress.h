/* Non-maximum suppression of one run of boxes. */
#ifndef RUN_SUPPRESS_H
#define RUN_SUPPRESS_H

#include <stddef.h>

#include "base/error.h"
#include "layers/box.h"

struct suppress_rule {
    float iou_threshold; /* a box goes that overlaps a better one more than this */
    float
        exponent; /* of the centres' distance, which counts for it (box_diou); negative: it does not count */
    size_t most; /* boxes to keep */
};

/* Edges and areas of the boxes that are kept, an array each, so that a weaker box is held against many at a time. */
struct suppress_work {
    float *floats; /* one block of five arrays */
    size_t capacity;
};

/* Room for so many boxes. ERR_MEMORY. */
NODISCARD enum result suppress_reserve(struct suppress_work *work, size_t count, struct error *err);
void suppress_free(struct suppress_work *work);

/* Greedy over items[count], best first: those that stay move to the front, in order. Returns their number. */
size_t suppress_run(const struct suppress_rule *rule, struct detection *items, size_t count,
                    struct suppress_work *work);

#endif
