/* What the files of [yolo] and [Gaussian_yolo] share. */
#ifndef LAYERS_YOLO_PRIVATE_H
#define LAYERS_YOLO_PRIVATE_H

#include "layers/box_loss.h"
#include "layers/head_loss.h"
#include "layers/yolo_options.h"

/* Channels of one slot. */
enum { YOLO_X, YOLO_Y, YOLO_W, YOLO_H, YOLO_OBJECTNESS, YOLO_CLASSES };
enum {
    GAUSSIAN_X,
    GAUSSIAN_SIGMA_X,
    GAUSSIAN_Y,
    GAUSSIAN_SIGMA_Y,
    GAUSSIAN_W,
    GAUSSIAN_SIGMA_W,
    GAUSSIAN_H,
    GAUSSIAN_SIGMA_H,
    GAUSSIAN_OBJECTNESS,
    GAUSSIAN_CLASSES
};

enum predicted_point { POINT_CENTER, POINT_LEFT_TOP, POINT_RIGHT_BOTTOM };

struct gaussian_state {
    struct yolo_options options;
    enum predicted_point point;
    float uc_normalizer; /* the loss's */
};

/* One predictor against one truth, in the head's own coordinates: x, y within the cell, w, h as the
 * network gives them. */
struct coordinates {
    const struct yolo_options *options;
    const float *slot;         /* the slot's outputs */
    double target[BOX_VALUES]; /* where the outputs should be */
    double scale;              /* 2 - area of the truth: small objects count more */
};

/* Gradients with respect to the raw inputs of a slot. */
struct coordinate_gradient {
    double box[BOX_VALUES], sigma[BOX_VALUES];
};

/* How the two kinds differ for the loss. */
struct yolo_head {
    const struct yolo_options *options;
    int entries;         /* channels of one slot */
    int box[BOX_VALUES]; /* channels of x, y, w, h */
    int sigma;           /* 1: an uncertainty follows each of them; 0: none */
    int objectness, classes;
    double side; /* centre = predicted point + side * size */
    double uc_normalizer;
    /* The loss of the coordinates as they are (iou_loss=mse, and uncertainties with every iou_loss):
     * its value; gradients are added. */
    double (*coordinate_loss)(const struct yolo_head *head, const struct coordinates *c,
                              struct coordinate_gradient *gradient);
};

/* Bytes of exec.scratch that yolo_head_loss needs for plans of this batch. */
size_t yolo_head_scratch(const struct yolo_head *head, const struct layer *l, int batch);

void yolo_head_loss(const struct yolo_head *head, const struct layer *l, const struct exec *e,
                    const struct truth_set *truths, struct loss_parts *parts);

/* d(x output) / d(raw input) of a box's x or y. */
double yolo_xy_slope(const struct yolo_options *o, double output);

/* ops->loss of the two kinds, and what they ask of the plan. */
void yolo_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
               struct loss_parts *parts);
size_t yolo_loss_scratch(const struct layer *l, int batch);
void gaussian_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                   struct loss_parts *parts);
size_t gaussian_loss_scratch(const struct layer *l, int batch);

#endif
