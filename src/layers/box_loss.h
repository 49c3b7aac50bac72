/* How far a predicted box is from a true one, as functions with their exact gradients.
 *
 *   IoU  = I / U                          I, U: areas of the intersection and of the union
 *   GIoU = IoU - (C - U) / C              C: area of the enclosing box     (arXiv:1902.09630)
 *   DIoU = IoU - S / D                    S: squared distance of the centres,
 *                                         D: squared diagonal of the enclosing box
 *                                                                          (arXiv:1911.08287)
 *   CIoU = DIoU - alpha v                 v = 4 / pi^2 (atan(w_t / h_t) - atan(w / h))^2,
 *                                         alpha = v / (1 - IoU + v + 1e-6), a constant for the
 *                                         gradient
 *
 * The loss is 1 minus the overlap. */
#ifndef LAYERS_BOX_LOSS_H
#define LAYERS_BOX_LOSS_H

enum box_loss { LOSS_MSE, LOSS_IOU, LOSS_GIOU, LOSS_DIOU, LOSS_CIOU };

/* Strength of the overlap losses beside iou_normalizer. Darknet leaves factors of the chain rule out,
 * so the normalisers of published cfgs are made for gradients that much larger; the numbers are the
 * mean ratio for yolov4's and yolov4-csp's anchors (docs/darknet-differences.md, Loss). */
#define BOX_LOSS_GAIN 16.0           /* the head's input is a logit */
#define BOX_LOSS_GAIN_NEW_COORDS 4.0 /* new_coords=1: it is a probability */

enum { BOX_CX, BOX_CY, BOX_W, BOX_H, BOX_VALUES };

struct box_loss_result {
    double loss;                 /* 1 - overlap of the kind asked for */
    double iou;                  /* plain IoU, [0, 1] */
    double gradient[BOX_VALUES]; /* dloss / d(cx, cy, w, h of the prediction) */
};

struct box_cxcywh_norm;
void box_values(const struct box_cxcywh_norm *box, double values[BOX_VALUES]);

/* Boxes are centre and size in any common unit. The truth's sizes must be positive; a predicted size
 * below 0 counts as 0. Where two edges coincide, the mean of the one-sided slopes is taken: a perfect
 * prediction has gradient 0. Finite for all finite boxes; LOSS_MSE counts as LOSS_IOU. */
void box_loss_evaluate(enum box_loss kind, const double predicted[BOX_VALUES],
                       const double truth[BOX_VALUES], struct box_loss_result *result);

#endif
