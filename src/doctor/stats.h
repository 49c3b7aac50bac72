/* Figures of a data set: classes, box sizes, and how they suit a network. */
#ifndef DOCTOR_STATS_H
#define DOCTOR_STATS_H

#include "doctor/doctor.h"

enum { QUANTILES = 5 }; /* 5 %, 25 %, 50 %, 75 %, 95 % */
extern const double quantile_shares[QUANTILES];

struct set_stats {
    size_t pictures, backgrounds, boxes, most_boxes; /* most_boxes: of one picture */
    size_t left_out; /* of the pictures: with a label line that cannot be used */
    size_t *class_boxes, *class_pictures; /* [class_count]; of samples with a class the second */
    double width[QUANTILES], height[QUANTILES]; /* of boxes, percent of the picture; NaN: none */
    size_t small, medium, large; /* boxes under 32^2, 96^2 pixels, above; where sizes are known */
    int widest, highest;         /* picture sizes; 0 = not known */
    int narrowest, lowest;
};

struct network_stats {
    struct size_list sizes;      /* of train's boxes, pixels of the network's input */
    double side[QUANTILES];      /* of sqrt(width * height) */
    size_t under4, under_stride; /* boxes with a side under 4 pixels, under the smallest stride */
    size_t *by_head;             /* [heads->count], how many boxes each head learns */
    size_t by_none;
    struct anchor_fit fit;
};

/* Free with set_stats_free, also after an error. */
NODISCARD enum result set_stats_measure(const struct doctor *doctor, int set,
                                        struct set_stats *stats, struct error *err);
void set_stats_free(struct set_stats *stats);

/* Free with network_stats_free, also after an error. Adds a finding if many boxes are too small. */
NODISCARD enum result network_stats_measure(struct doctor *doctor, const struct anchor_heads *heads,
                                            struct network_stats *stats, struct error *err);
void network_stats_free(struct network_stats *stats);

#endif
