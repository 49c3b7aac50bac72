/* The state of [yolo] and [Gaussian_yolo]: the keys they have in common, and how the two differ. */
#ifndef LAYERS_YOLO_HEAD_H
#define LAYERS_YOLO_HEAD_H

#include "layers/box_loss.h"
#include "layers/head.h"

/* One predictor against one truth, in the head's own coordinates: x, y within the cell, w, h as the
 * network gives them. */
struct coordinates {
    const float *values;       /* the predictor's outputs */
    double target[BOX_VALUES]; /* where the outputs should be */
    double scale;              /* 2 - area of the truth: small objects count more */
};

/* Gradients with respect to the raw inputs of a predictor. */
struct coordinate_gradient {
    double box[BOX_VALUES], sigma[BOX_VALUES];
};

struct yolo_head {
    struct head_info info;
    int anchor_count; /* num: of all heads together */
    float *anchors;   /* [anchor_count][2], pixels of the network input */
    int *mask;        /* [info.slots], the numbers of this head's anchors */
    float scale_x_y;
    bool new_coords; /* the convolution above is already logistic; size = (2 v)^2 anchor */

    /* What the loss and the training loop read; decoding does not. */
    enum box_loss iou_loss, iou_thresh_kind;
    float iou_normalizer, obj_normalizer, cls_normalizer, delta_normalizer;
    float ignore_thresh, truth_thresh, iou_thresh;
    float max_delta; /* FLT_MAX: no limit */
    float label_smooth_eps;
    bool objectness_smooth, focal_loss;
    float jitter, resize, random;
    int *class_counters; /* [classes] or NULL */

    /* The kind's. */
    int box[BOX_VALUES]; /* channels of x, y, w, h */
    int sigma;           /* 1: an uncertainty follows each of them; 0: none */
    double side;         /* centre = predicted point + side * size */
    float uc_normalizer;
    /* The loss of the coordinates as they are (iou_loss=mse, and uncertainties with every iou_loss):
     * its value; gradients are added. */
    double (*coordinate_loss)(const struct yolo_head *head, const struct coordinates *c,
                              struct coordinate_gradient *gradient);
};

/* The common keys, checked, nms_kind=cornersnms only for a head that knows it; ERR_CFG with path:line. */
NODISCARD enum result yolo_head_parse(struct layer *l, bool knows_corners, struct error *err);

/* Has it iou_thresh, so that a truth may train several anchors? */
bool yolo_head_can_assign(const struct layer *l);
/* In place of the cfg's iou_thresh: a truth also trains every anchor whose shape overlaps it more than that; 1: only the
 * nearest anchor. False for a layer that is no such head. */
bool yolo_head_assign(struct layer *l, float overlap);

/* iou_normalizer where an overlap loss trains the boxes; 0 with iou_loss=mse, and for a layer that is no such head. */
float yolo_head_overlap_weight(const struct layer *l);

/* The rest of the two kinds' layer_ops. */
void yolo_head_destroy(struct layer *l);
size_t yolo_head_scratch_bytes(const struct layer *l); /* of its forward pass */
void yolo_head_forward(const struct layer *l, const struct exec *e);
float yolo_head_decode(const struct layer *l, const struct tensor *out, int cell, int k,
                       const float *values, struct box_cxcywh_norm *box);

#endif
