/* Precision, recall and F1 over the confidence threshold, from COCO's matches (coco.h, area
 * "all", at most 100 detections per picture and class; matches to crowds do not count).
 *
 *   precision = hits / (hits + misses)    recall = hits / truths    F1 = 2 p r / (p + r)
 *
 * Raw values, not the envelope that AP integrates. */
#ifndef EVAL_PR_CURVE_H
#define EVAL_PR_CURVE_H

#include "eval/coco.h"

/* With all detections of score >= this one. */
struct pr_point {
    double score;
    size_t hits, misses;
    double precision, recall, f1;
};

struct pr_curve {
    struct pr_point *points; /* one per distinct score, descending */
    size_t count;
    size_t truth_count;
};

enum { PR_ALL_CLASSES = -1 };

/* The curve of one class, or of all classes' detections counted together (PR_ALL_CLASSES), at
 * the IoU coco_iou(t). *curve need not be initialised; pr_curve_free also after an error. */
NODISCARD enum result pr_curve_build(struct coco_metrics *metrics, int class_id, size_t t,
                                     struct pr_curve *curve, struct error *err);
void pr_curve_free(struct pr_curve *curve);

/* With the detections of score > threshold; all 0 but the score, which is the threshold, if there
 * are none. */
struct pr_point pr_curve_at(const struct pr_curve *curve, double threshold);

/* Where F1 is highest; of equals the higher score. */
struct pr_best {
    double threshold; /* halfway to the next lower score, or to 0: the same for > and >= */
    struct pr_point point;
};

/* False if F1 is 0 everywhere; then *best is all 0. */
bool pr_curve_best(const struct pr_curve *curve, struct pr_best *best);

#endif
