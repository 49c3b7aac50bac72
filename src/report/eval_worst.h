/* The pictures in which most went wrong. */
#ifndef REPORT_EVAL_WORST_H
#define REPORT_EVAL_WORST_H

#include "eval/evaluation.h"

/* What became of one picture's objects at a confidence threshold, by the confusion matrix's joining
 * at IoU .5 (confusion.h). */
struct eval_outcome {
    size_t picture;
    size_t right, missed, false_alarms;
    size_t mistaken; /* found, but as another class: neither missed nor a false alarm */
};

/* The `limit` worst pictures (most mistakes of all kinds, at least one; of equals the earlier) as
 * JPEGs 01_NAME.jpg... in the existing folder, drawn with truths and detections, and worst.csv with
 * every picture that has a mistake. Pictures of those names that a former run left beside its
 * worst.csv are removed. A picture that cannot be read is passed over. *drawn counts files.
 * ERR_MEMORY, ERR_IO. */
NODISCARD enum result eval_write_worst(const struct evaluation *evaluation, const char *folder,
                                       size_t limit, size_t *drawn, struct error *err);

#endif
