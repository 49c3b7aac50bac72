/* mAP at one IoU threshold with fixed matching: a detection belongs to the truth of its class it
 * overlaps most, taken or not, so a second detection of the same truth is always an error.
 *
 * Darknet (`detector map`):
 *   - Match: the counted truth of highest IoU > limit. Without one, a detection whose IoU with
 *     an ignored (difficult) truth is > limit is dropped. Scores <= 0 are dropped.
 *   - The mean is over all classes; one without truths counts 0.
 *   - At a confidence threshold: a hit is matched and the first of its truth's detections in
 *     array order, of any score.
 * VOC (PASCAL VOC 2010 and later; Cartucho/mAP):
 *   - Match: the truth of highest IoU of all, if >= limit; dropped if that one is ignored.
 *   - The mean is over classes with truths.
 *   - At a confidence threshold: first means of highest score.
 * Both:
 *   - Area (points 0): sum over a class's ranks r of (recall[r] - recall[r - 1]) * (highest
 *     precision at any rank >= r). Darknet takes rank r - 1 in as well; that changes nothing,
 *     since a rank that raises recall raises precision too.
 *   - Points 11 and 101: mean over t = 0, 1 / (points - 1) .. 1 of the highest precision at
 *     recall >= t. (VOC 2007 is VOC with 11 points.)
 *   - Ranks are by score descending, then picture id, then array order; Darknet leaves the
 *     order of equal scores to chance. */
#ifndef EVAL_MEAN_AP_H
#define EVAL_MEAN_AP_H

#include "eval/metrics.h"

enum map_rules { MAP_DARKNET, MAP_VOC };

enum map_points { MAP_AREA = 0, MAP_11 = 11, MAP_101 = 101 };

struct map_match {
    double score;
    double iou; /* with its truth; 0 without */
    int64_t image;
    size_t index; /* in the picture's detections */
    size_t truth; /* number among the class's counted truths; SIZE_MAX: none */
};

struct map_class {
    struct map_match *matches;
    size_t count, capacity;
    size_t truth_count; /* without the ignored */
    bool sorted;
};

/* Grows by one struct map_match per detection. */
struct map_metrics {
    struct map_class *classes; /* [class_count] */
    size_t class_count;
    enum map_rules rules;
    double iou;
};

/* iou in (0, 1). *metrics need not be initialised; map_metrics_free also after an error, and on
 * a zeroed struct. */
NODISCARD enum result map_metrics_init(struct map_metrics *metrics, size_t class_count,
                                       enum map_rules rules, double iou, struct error *err);
void map_metrics_free(struct map_metrics *metrics);

/* Match one picture's detections; each id once. ERR_FORMAT as eval_image_check, then nothing is
 * changed. */
NODISCARD enum result map_metrics_add(struct map_metrics *metrics, const struct eval_image *image,
                                      struct error *err);

/* Average precision of one class in [0, 1]; 0 without truths. */
NODISCARD enum result map_metrics_class(struct map_metrics *metrics, size_t class_id,
                                        enum map_points points, double *ap, struct error *err);

/* The mean over all classes (absent_is_zero, Darknet) or over those with truths; -1 if there are
 * none. */
NODISCARD enum result map_metrics_mean(struct map_metrics *metrics, enum map_points points,
                                       bool absent_is_zero, double *mean, struct error *err);

/* At a confidence threshold (score > threshold). Ratios without a denominator are 0 (Darknet
 * prints nan). */
struct map_counts {
    size_t hits, misses; /* true and false positives */
    size_t lost;         /* truths not found */
    double precision, recall, f1;
    double average_iou; /* sum of the hits' IoU / (hits + misses) */
    double iou_sum;
};

NODISCARD enum result map_metrics_counts(struct map_metrics *metrics, size_t class_id,
                                         double threshold, struct map_counts *counts,
                                         struct error *err);

/* All classes together (Darknet's last lines). */
NODISCARD enum result map_metrics_total(struct map_metrics *metrics, double threshold,
                                        struct map_counts *counts, struct error *err);

#endif
