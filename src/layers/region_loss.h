/* The state of [region] and its training loss; the formulas are in region_loss.c. */
#ifndef LAYERS_REGION_LOSS_H
#define LAYERS_REGION_LOSS_H

#include "layers/head_loss.h"

enum { REGION_X, REGION_Y, REGION_W, REGION_H, REGION_OBJECTNESS, REGION_CLASSES };

struct region_state {
    struct head_info info;
    float *anchors; /* [slots][2], grid cells */
    bool has_softmax;

    /* The loss's. */
    float ignore_thresh; /* thresh */
    bool rescore, bias_match, focal_loss;
    float coord_scale, object_scale, noobject_scale, class_scale;
};

/* ops->plan and ops->loss. */
void region_loss_plan(const struct layer *l, const struct plan_limits *limits,
                      struct layer_plan *p);
void region_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts);

#endif
