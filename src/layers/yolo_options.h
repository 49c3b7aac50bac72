/* The keys that [yolo] and [Gaussian_yolo] have in common, for decoding and for the loss. */
#ifndef LAYERS_YOLO_OPTIONS_H
#define LAYERS_YOLO_OPTIONS_H

#include "layers/box_loss.h"
#include "layers/layer.h"

struct yolo_options {
    struct head_info info;
    int anchor_count; /* num: of all heads together */
    float *anchors;   /* [anchor_count][2], pixels of the network input */
    int slots;        /* anchors of this head */
    int *mask;        /* [slots], their numbers */
    float scale_x_y;
    bool new_coords; /* the convolution above is already logistic; size = (2 v)^2 anchor */

    /* What the loss and the training loop read; decoding does not. */
    int max_truths;
    enum box_loss iou_loss, iou_thresh_kind;
    float iou_normalizer, obj_normalizer, cls_normalizer, delta_normalizer;
    float ignore_thresh, truth_thresh, iou_thresh;
    float max_delta; /* FLT_MAX: no limit */
    float label_smooth_eps;
    bool objectness_smooth, focal_loss;
    float jitter, resize, random;
    int *class_counters; /* [classes] or NULL */
};

/* All keys, checked, nms_kind=cornersnms only for a head that knows it; ERR_CFG with path:line. Free with yolo_options_free, also after an error. */
NODISCARD enum result yolo_options_parse(struct layer *l, bool knows_corners,
                                         struct yolo_options *o, struct error *err);
void yolo_options_free(struct yolo_options *o);

enum { HEAD_MAX_ANCHORS = 4096 };

/* The key anchors: `pairs` widths and heights, all positive; more are cut with a warning. *anchors
 * is the caller's to free, also after an error. */
NODISCARD enum result head_parse_anchors(struct layer *l, int pairs, float **anchors,
                                         struct error *err);

/* ERR_CFG unless the input has slots * entries channels: names both numbers and, if the layer above
 * is a convolution, the line of its filters=. */
NODISCARD enum result head_check_channels(const struct layer *l, int slots, int entries,
                                          const char *formula, struct error *err);

/* Detection.candidate of the first predictor box of a head that is about to append to the list. */
int head_first_candidate(const struct detection_list *list);

/* ops->head and ops->describe: the state of every head begins with its head_info. */
const struct head_info *head_info_of(const struct layer *l);
void head_describe(const struct layer *l, char *text, size_t size);

/* True if all four are finite: anything else cannot be shown and would poison the suppression. */
bool head_box_is_finite(const struct box_cxcywh_norm *box);

#endif
