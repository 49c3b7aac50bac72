/* Boxes and detections. Units stand in the type names. */
#ifndef LAYERS_BOX_H
#define LAYERS_BOX_H

#include <stddef.h>

#include "base/error.h"

/* Centre and size as fractions of an image (of the network input until detect/ maps it back). */
struct box_cxcywh_norm {
    float cx, cy, w, h;
};

struct box_xyxy_px {
    float x1, y1, x2, y2;
};

/* One (box, class) pair. Darknet keeps one record per box with all class scores; only scores above the
 * threshold matter, and a box may be reported for several classes, so pairs carry the same facts. */
struct detection {
    struct box_cxcywh_norm box;
    int class_id;
    float confidence; /* objectness * class score */
    float objectness;
    int candidate; /* number of the predictor box within the image, in Darknet's order */
};

/* A labelled object: the box as fractions of the network input. */
struct truth {
    struct box_cxcywh_norm box;
    int class_id;
};

/* What one image should give; both belong to the loader. Detection heads learn the objects; [softmax] and [cost] the values,
 * one for every value of the last layer's output, in the order y, x, channel: numbers of a table, or a class as a vector
 * (1 for it, 0 for the others; softer where labels are smoothed or pictures mixed). Without values (NULL) [cost] takes the
 * network's input, where that has its output's shape; else there is no loss. */
struct truth_set {
    const struct truth *items;
    size_t count;
    const float *values;
    size_t value_count;
    float weight; /* the loss against values is multiplied by it; 0: by 1 */
};

/* Growing list; owns items. */
struct detection_list {
    struct detection *items;
    size_t count, capacity;
};

void detection_list_free(struct detection_list *list);
NODISCARD enum result detection_list_add(struct detection_list *list, const struct detection *item,
                                         struct error *err);

/* Intersection over union in [0, 1]; 0 if either area or the intersection is not positive. */
float box_iou(const struct box_cxcywh_norm *a, const struct box_cxcywh_norm *b);

/* IoU - (squared centre distance / squared diagonal of the enclosing box) ^ exponent; the overlap of
 * Zheng et al. 2020 (arXiv:1911.08287) for exponent 1. A zero diagonal gives plain IoU. */
float box_diou(const struct box_cxcywh_norm *a, const struct box_cxcywh_norm *b, float exponent);

#endif
