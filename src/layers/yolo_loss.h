/* The training loss of [yolo] and [Gaussian_yolo]; the formulas are in yolo_loss.c and gaussian_loss.c. */
#ifndef LAYERS_YOLO_LOSS_H
#define LAYERS_YOLO_LOSS_H

#include "layers/head_loss.h"
#include "layers/yolo_head.h"

/* ops->plan and ops->loss. */
void yolo_loss_plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p);
void yolo_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
               struct loss_parts *parts);

/* d(x output) / d(raw input) of a box's x or y. */
double yolo_xy_slope(const struct yolo_head *head, double output);

/* yolo_head.coordinate_loss of the two kinds. */
double yolo_square_loss(const struct yolo_head *head, const struct coordinates *c,
                        struct coordinate_gradient *gradient);
double gaussian_loss(const struct yolo_head *head, const struct coordinates *c,
                     struct coordinate_gradient *gradient);

#endif
