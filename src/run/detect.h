/* From a network's raw detections to boxes on the picture: mapping back, suppression, filters. */
#ifndef RUN_DETECT_H
#define RUN_DETECT_H

#include <stdbool.h>

#include "base/error.h"
#include "data/image.h"
#include "layers/layer.h"
#include "net/plan.h"

struct detect_options {
    float threshold;         /* objectness and confidence must exceed it */
    const float *thresholds; /* [class count] in place of it, which is their least; NULL: none */
    float iou_threshold;     /* overlap above which the weaker box goes; >= 1 keeps all */
    bool agnostic;           /* suppress across classes */
    int max_detections;      /* per picture, best first; 0 = all */
    const bool *classes;     /* [class count] wanted; NULL = all */
    enum nms_kind nms_kind;
    float beta_nms;
};

/* Network-input fractions to fractions of the picture, undoing letterbox (darknet-spec 4.3). Unclipped. */
void detect_to_image(struct detection_list *list, const struct image_fit *fit);

/* Suppress, filter and sort in place: confidence descending; ties by class, then candidate number.
 * Darknet's order: class by class, stable by descending confidence, overlap by nms_kind (nms_exponent) on
 * picture fractions (as `detector test` with relative coordinates). */
NODISCARD enum result detect_suppress(struct detection_list *list,
                                      const struct detect_options *options, struct error *err);

/* What the plan's last forward pass found in image n of its batch: all heads' detections above the
 * threshold, mapped to the picture by fit, suppressed. The list is emptied first. */
NODISCARD enum result detect_find(const struct plan *plan, int n,
                                  const struct detect_options *options, const struct image_fit *fit,
                                  struct detection_list *list, struct error *err);

/* Picture fractions to clipped pixel corners. */
struct box_xyxy_px detect_box_px(const struct box_cxcywh_norm *box, int image_w, int image_h);

#endif
