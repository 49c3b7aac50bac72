/* What the files of [region] share. */
#ifndef LAYERS_REGION_PRIVATE_H
#define LAYERS_REGION_PRIVATE_H

#include "layers/head_loss.h"

enum { REGION_X, REGION_Y, REGION_W, REGION_H, REGION_OBJECTNESS, REGION_CLASSES };

struct region_state {
    struct head_info info;
    int slots;
    float *anchors; /* [slots][2], grid cells */
    bool has_softmax;

    /* The loss's. */
    int max_truths;
    float ignore_thresh; /* thresh */
    bool rescore, bias_match, focal_loss;
    float coord_scale, object_scale, noobject_scale, class_scale;
};

void region_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts);
size_t region_loss_scratch(const struct layer *l, int batch);

#endif
