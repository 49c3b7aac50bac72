/* Confusion matrix: which class was taken for which.
 *
 * Per picture, classes mixed: of all pairs of a counted truth and a detection above the confidence
 * threshold with IoU >= limit, the pair of highest IoU is joined, then the next whose two are
 * both free, and so on; of equal IoU the higher score goes first, then array order (detections,
 * then truths). A detection that stays alone counts as (background, its class), unless an
 * ignored truth of its class covers it by >= limit of its own area; a truth that stays alone as
 * (its class, background). */
#ifndef EVAL_CONFUSION_H
#define EVAL_CONFUSION_H

#include "eval/metrics.h"

#define CONFUSION_IOU .45 /* the customary limit */

struct confusion {
    size_t *counts; /* [class_count + 1][class_count + 1]: truth, detection; last: background */
    size_t class_count;
    double iou;
    double threshold;
};

/* What a detection was joined with: the number of a truth, or one of these. */
enum { CONFUSION_ALONE = -1, CONFUSION_LEFT_OUT = -2 /* too weak, or on an ignored truth */ };

/* Join one picture's detections of score > threshold with its truths: partners[detection_count].
 * ERR_FORMAT as eval_image_check with class_count, ERR_MEMORY. */
NODISCARD enum result confusion_join(const struct eval_image *image, size_t class_count, double iou,
                                     double threshold, ptrdiff_t *partners, struct error *err);

/* iou in (0, 1]; detections count if score > threshold. *matrix need not be initialised;
 * confusion_free also after an error, and on a zeroed struct. */
NODISCARD enum result confusion_init(struct confusion *matrix, size_t class_count, double iou,
                                     double threshold, struct error *err);
void confusion_free(struct confusion *matrix);

/* ERR_FORMAT as eval_image_check; nothing is changed after an error. */
NODISCARD enum result confusion_add(struct confusion *matrix, const struct eval_image *image,
                                    struct error *err);

/* truth, detection in [0, class_count]; class_count = background. */
size_t confusion_count(const struct confusion *matrix, size_t truth, size_t detection);

#endif
