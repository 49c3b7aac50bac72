/* The COCO detection metrics, number for number as pycocotools' COCOeval gives them for "bbox".
 *
 * Rules (cocodataset.org/#detection-eval and the behaviour of pycocotools 2.0):
 *   - Per picture, class and area range, the 100 best detections (score descending, stable) each
 *     take the free truth of highest IoU >= t, the later one of equals; t = .50, .55 .. .95.
 *   - Ignored truths (crowds; area outside the range, borders included in it) come last: a
 *     detection takes one only if no other is free for it, and then counts neither as hit nor as
 *     miss. A crowd can be taken any number of times, and overlap with it is intersection / area
 *     of the detection.
 *   - A detection that took nothing and whose own w * h is outside the area range does not count
 *     either.
 *   - Detections of a class are ranked by score over all pictures (stable, pictures by id).
 *     Precision at recall r of 0, .01 .. 1 is the highest precision at any recall >= r, 0 beyond
 *     the highest recall.
 *   - AP is the mean over the 101 recalls (and ten t); AR the mean over ten t of the highest
 *     recall. A class without counted truths has no value (-1) and does not enter means over
 *     classes. */
#ifndef EVAL_COCO_H
#define EVAL_COCO_H

#include "eval/metrics.h"

enum { COCO_IOUS = 10, COCO_RECALLS = 101, COCO_MAX_DETECTIONS = 100 };

enum coco_area {
    COCO_AREA_ALL,    /* 0 to 1e5^2 */
    COCO_AREA_SMALL,  /* 0 to 32^2 */
    COCO_AREA_MEDIUM, /* 32^2 to 96^2 */
    COCO_AREA_LARGE,  /* 96^2 to 1e5^2 */
    COCO_AREA_COUNT
};

enum coco_number {
    COCO_AP, /* mean over the ten IoU thresholds, 100 detections a picture */
    COCO_AP50,
    COCO_AP75,
    COCO_AP_SMALL,
    COCO_AP_MEDIUM,
    COCO_AP_LARGE,
    COCO_AR1, /* with the best 1, 10, 100 detections of each picture and class */
    COCO_AR10,
    COCO_AR100,
    COCO_AR_SMALL, /* 100 detections */
    COCO_AR_MEDIUM,
    COCO_AR_LARGE,
    COCO_NUMBER_COUNT
};

/* "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl". */
const char *coco_number_name(enum coco_number number);

/* The t-th IoU threshold, 0 <= t < COCO_IOUS. */
double coco_iou(size_t t);

/* What became of one detection; bit t of hit and miss stands for coco_iou(t). Neither: it does
 * not count. */
struct coco_match {
    double score;
    int64_t image;
    uint16_t rank; /* within its picture and class, from 0 */
    uint16_t hit[COCO_AREA_COUNT];
    uint16_t miss[COCO_AREA_COUNT];
};

struct coco_class {
    struct coco_match *matches;
    size_t count, capacity;
    size_t truth_count[COCO_AREA_COUNT]; /* that are not ignored */
    bool sorted;
};

/* Grows by one struct coco_match per detection, at most 100 per picture and class. */
struct coco_metrics {
    struct coco_class *classes; /* [class_count] */
    size_t class_count;
    size_t image_count;
};

/* *metrics need not be initialised; coco_metrics_free also after an error, and on a zeroed
 * struct. */
NODISCARD enum result coco_metrics_init(struct coco_metrics *metrics, size_t class_count,
                                        struct error *err);
void coco_metrics_free(struct coco_metrics *metrics);

/* Match one picture's detections; each id once (pictures without anything in them may be left out).
 * ERR_FORMAT as eval_image_check, then nothing is changed; after ERR_MEMORY only freeing makes
 * sense. */
NODISCARD enum result coco_metrics_add(struct coco_metrics *metrics, const struct eval_image *image,
                                       struct error *err);

/* Precision over recall of one class; all values are -1 if it has no counted truth. */
struct coco_curve {
    double precision[COCO_IOUS][COCO_RECALLS]; /* at recall .00, .01 .. 1.00 */
    double recall[COCO_IOUS];                  /* the highest */
};

/* From the best max_detections of each picture. (Sorts the class's matches the first time; so do
 * the functions below.) */
void coco_metrics_curve(struct coco_metrics *metrics, size_t class_id, enum coco_area area,
                        size_t max_detections, struct coco_curve *curve);

/* The twelve numbers of one class; -1 where there is nothing to measure. */
void coco_metrics_class(struct coco_metrics *metrics, size_t class_id,
                        double numbers[COCO_NUMBER_COUNT]);

/* The twelve numbers: the mean over the classes that have a value; -1 if none has. */
void coco_metrics_overall(struct coco_metrics *metrics, double numbers[COCO_NUMBER_COUNT]);

/* AP50 and AP of one class as if the picture of match i were there weights[i] times (what is not drawn: 0). matches are
 * sorted (coco_metrics_sort); truths > 0: as often. */
void coco_class_weighted(const struct coco_class *class, const uint32_t *weights, double truths,
                         double *ap50, double *ap);

/* Sort a class's matches: score descending, then picture, then rank. */
void coco_metrics_sort(struct coco_class *class);

#endif
