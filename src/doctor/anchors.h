/* Anchors: how well a set of box sizes is covered, and the search for better ones. Sizes are pixels
 * of the network's input. The IoU of a box and an anchor is that of two rectangles with one centre. */
#ifndef DOCTOR_ANCHORS_H
#define DOCTOR_ANCHORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { ANCHORS_MAX = 256 };
enum { ANCHOR_RESTARTS = 8, ANCHOR_GENERATIONS = 1000 }; /* of a search, unless told otherwise */

/* Growing list of sizes; zeroed = empty; free with size_list_free. */
struct size_list {
    float *w, *h;
    size_t count, w_capacity, h_capacity;
};

NODISCARD enum result size_list_add(struct size_list *list, float w, float h, struct error *err);
void size_list_free(struct size_list *list);

struct anchor {
    float w, h;
};

float anchor_iou(const struct anchor *anchor, float w, float h);

/* Number of the anchor with the largest IoU, the first of equals (as in training). */
int anchor_best(const struct anchor *anchors, int count, float w, float h);

struct anchor_fit {
    double mean_iou;       /* of each box with its best anchor */
    double recall50;       /* share of boxes whose best anchor has an IoU above 0.5 */
    double recall_factor4; /* best possible recall: share of boxes with an anchor that is at most 4
                              times wider, narrower, higher and lower */
};

/* NaN in all fields if there are no sizes. */
struct anchor_fit anchors_measure(const struct anchor *anchors, int count,
                                  const struct size_list *sizes);

struct anchor_search {
    int count;       /* anchors wanted, 1 to ANCHORS_MAX */
    uint64_t seed;   /* same seed, same sizes: same anchors */
    int restarts;    /* of k-means; the best is kept */
    int generations; /* of genetic refinement; 0 = none */
};

/* k-means with 1 - IoU as the distance, seeded as k-means++ (Arthur & Vassilvitskii 2007), then
 * mutations that are kept when the mean IoU rises. Sorted by area. ERR_FORMAT if there are fewer
 * different sizes than anchors. From a large list a sample is searched. */
NODISCARD enum result anchors_find(const struct anchor_search *search,
                                   const struct size_list *sizes, struct anchor *anchors,
                                   struct error *err);

#endif
