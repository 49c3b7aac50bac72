/* What all detection metrics share: plain boxes in pixels, one picture at a time.
 *
 *   coco.h       the twelve COCO numbers, for all classes and for one
 *   mean_ap.h    Darknet's mAP and PASCAL VOC's
 *   pr_curve.h   precision, recall and F1 over the confidence threshold
 *   confusion.h  which class was taken for which
 *
 * All arithmetic is in double, as the reference tools compute. Nothing here keeps a pointer into a
 * struct eval_image after the call; what stays is one small record per detection. */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Left, top, width and height in pixels. Tools that count the last pixel in (VOC's x2 - x1 + 1)
 * are met by passing w = x2 - x1 + 1. */
struct eval_box {
    double x, y, w, h;
};

struct eval_truth {
    struct eval_box box;
    double area; /* COCO's "area": of the segment, not of the box; w * h where there is no other */
    int class_id;
    bool ignore; /* COCO "iscrowd", VOC and Darknet "difficult": neither required nor an error */
};

struct eval_detection {
    struct eval_box box;
    double score;
    int class_id;
};

struct eval_image {
    int64_t id; /* any order; equal scores are ranked by id, then by place in the array */
    const struct eval_truth *truths;
    size_t truth_count;
    const struct eval_detection *detections;
    size_t detection_count;
};

/* ERR_FORMAT if a number is not finite, a width or height is negative or a class is not in
 * [0, class_count): "image 7, detection 3: ...", counted from 0. */
NODISCARD enum result eval_image_check(const struct eval_image *image, size_t class_count,
                                       struct error *err);

/* Intersection over union; 0 if the boxes do not overlap by a positive area. */
double eval_iou(const struct eval_box *a, const struct eval_box *b);

/* Intersection over the area of `part`: COCO's overlap of a detection with a crowd. 0 as in
 * eval_iou. */
double eval_covered(const struct eval_box *part, const struct eval_box *whole);

/* One object of a picture in a sorted index. */
struct eval_key {
    double score; /* 0 for truths */
    size_t index; /* in the picture's array */
    int class_id;
};

/* The picture's detections by class, score descending, array order; its truths by class, array
 * order. Both blocks are for the caller to mem_free; both are NULL after an error. */
NODISCARD enum result eval_image_keys(const struct eval_image *image, struct eval_key **detections,
                                      struct eval_key **truths, struct error *err);

/* How many of keys[0..count) from the first on have class_id. */
size_t eval_run(const struct eval_key *keys, size_t count, int class_id);

/* -1, 0 or 1 as qsort wants it, for finite numbers. */
int eval_compare_descending(double a, double b);

/* hits / (hits + misses); 0 if both are 0. */
double eval_ratio(size_t hits, size_t misses);

/* 2 p r / (p + r); 0 if both are 0. */
double eval_f1(double precision, double recall);

#endif
