/* All figures of one evaluation. */
#ifndef EVAL_EVALUATION_H
#define EVAL_EVALUATION_H

#include "eval/calibration.h"
#include "eval/coco.h"
#include "eval/eval_set.h"
#include "eval/mean_ap.h"
#include "eval/pr_curve.h"

struct evaluation_options {
    double threshold; /* of precision, recall and F1; negative: by class, or where F1 is best */
    const float *thresholds; /* [class_count], by class: those that boxes have passed; NULL: none */
    const char *confidence;  /* for reports: the least that boxes have, in words; NULL: not known */
    const char *share; /* for reports: which part of the pictures this is, in words; NULL: all */
    bool has_map;      /* also mAP with fixed matching (mean_ap.h) */
    enum map_rules rules;
    enum map_points points;
    double map_iou;
    bool absent_is_zero; /* classes without truths count 0 in the mean, else not at all */
};

/* Of one class, or of all. COCO's numbers are -1 where there is nothing to measure. */
struct evaluation_row {
    size_t truths;     /* that count */
    size_t detections; /* of any score */
    double numbers[COCO_NUMBER_COUNT];
    double threshold;         /* of what follows: detections of score above it */
    struct pr_point at;       /* at IoU .5 */
    double map_ap;            /* if has_map */
    struct map_counts counts; /* if has_map, at map_threshold */
};

struct evaluation {
    struct evaluation_options options;
    const struct eval_set *set; /* borrowed */
    struct coco_metrics coco;
    struct map_metrics map;    /* if has_map */
    struct evaluation_row all; /* COCO's numbers: means over classes; the rest: counted together */
    struct evaluation_row *rows; /* [class_count] */
    double map_threshold;        /* options.threshold, or Darknet's .25 */
    struct calibration calibration;
    size_t images, failures;
    const struct evaluation *
        fp32; /* the same measured in fp32 where this is int8, for the reports; borrowed, or NULL */
};

/* Measure what the set holds. *evaluation need not be initialised; free with evaluation_free, also
 * after an error. ERR_FORMAT as eval_image_check, ERR_MEMORY. */
NODISCARD enum result evaluation_measure(const struct eval_set *set,
                                         const struct evaluation_options *options,
                                         struct evaluation *evaluation, struct error *err);
void evaluation_free(struct evaluation *evaluation);

/* From which score on boxes of a class count best: where its F1 is highest; where it is 0 everywhere (no objects, nothing
 * found), where that of all classes together is; else .25. The evaluation has options.threshold < 0. */
double evaluation_best_threshold(const struct evaluation *evaluation, size_t class_id);

#endif
