/* Is a confidence what it says? Of the detections of confidence about .8, 80 % should be right.
 *
 * Detections are put into bins of equal width over [0, 1] by their confidence; right are those that
 * COCO's matching gives a truth at IoU .5 (area "all"; matches to crowds do not count, as in
 * pr_curve.h). The expected calibration error is the mean over detections of how far their bin's
 * precision is from its mean confidence (Guo et al. 2017, arXiv:1706.04599, equation 3; Kueppers et
 * al. 2020, arXiv:2004.13546, for detectors). */
#ifndef EVAL_CALIBRATION_H
#define EVAL_CALIBRATION_H

#include "eval/coco.h"

enum { CALIBRATION_BINS = 10 };

struct calibration_bin {
    size_t count, hits;
    double confidence; /* mean; 0 without detections */
    double precision;  /* hits / count; 0 without detections */
};

struct calibration {
    struct calibration_bin bins[CALIBRATION_BINS]; /* [i / 10, (i + 1) / 10), the last with 1 */
    size_t count;
    double ece; /* expected calibration error; 0 without detections */
    double mce; /* of the worst bin */
};

/* Scores outside [0, 1] go to the first or last bin. */
void calibration_measure(const struct coco_metrics *metrics, struct calibration *calibration);

#endif
