/* Pictures of an evaluation: how precise at which recall, what the confidence threshold does,
 * whether the confidence can be believed, how good each class is, what was taken for what. */
#ifndef REPORT_EVAL_CHARTS_H
#define REPORT_EVAL_CHARTS_H

#include "eval/confusion.h"
#include "eval/evaluation.h"

/* Classes that have objects, by AP50: the best first. */
struct eval_ranking {
    size_t *classes; /* [count] */
    size_t count;
};
NODISCARD enum result eval_rank(const struct evaluation *evaluation, struct eval_ranking *ranking,
                                struct error *err);

/* Each one PNG. Lines and bars of many classes: the best and the worst have names, the rest are
 * thin and grey; a set without any object to find gets a chart that says so. ERR_MEMORY, ERR_IO.
 * The evaluation's matches may be sorted. */
NODISCARD enum result eval_draw_pr(struct evaluation *evaluation,
                                   const struct eval_ranking *ranking, const char *path,
                                   struct error *err);
NODISCARD enum result eval_draw_confidence(struct evaluation *evaluation,
                                           const struct eval_ranking *ranking, const char *path,
                                           struct error *err);
NODISCARD enum result eval_draw_calibration(const struct evaluation *evaluation, const char *path,
                                            struct error *err);
NODISCARD enum result eval_draw_classes(const struct evaluation *evaluation,
                                        const struct eval_ranking *ranking, const char *path,
                                        struct error *err);

/* The confusion matrix: a row a true class, a column a class as detected, the last of each the
 * background. */
NODISCARD enum result eval_draw_confusion(const struct evaluation *evaluation,
                                          const struct confusion *matrix, const char *path,
                                          struct error *err);

/* Precision, recall and F1 with the detections of confidence above i / 100. */
enum { EVAL_CONFIDENCES = 101 };
struct eval_confidences {
    struct pr_point points[EVAL_CONFIDENCES];
};
NODISCARD enum result eval_confidences(struct evaluation *evaluation, int class_id,
                                       struct eval_confidences *out, struct error *err);

#endif
