/* [yolo]: the anchor-based head of YOLOv3, v4 and v7.
 *
 * Channels of the input and of the output, per cell:
 *
 *   slot 0: x y w h objectness class_0 ... class_(classes-1) | slot 1: ... | ...
 *
 * forward: logistic on everything but w and h (with new_coords the convolution above has done it),
 * then x and y become scale * v - (scale - 1) / 2. Sizes are decoded in detect, with the network's
 * current size, cell (i, j) of a grid of W x H, and the slot's anchor:
 *
 *   centre = ((i + x) / W, (j + y) / H)
 *   size   = e^v anchor / network size, or with new_coords 4 v^2 anchor / network size. */
#include "layers/kinds.h"
#include "layers/yolo_loss.h"
#include "cfg/cfg.h"

enum { X, Y, W, H, OBJECTNESS };

static enum result parse(struct layer *l, struct error *err)
{
    struct yolo_head *o = l->state;
    *o = (struct yolo_head){
        .info = {.objectness = OBJECTNESS},
        .box = {X, Y, W, H},
        .coordinate_loss = yolo_square_loss,
    };
    TRY(cfg_bool(l->section, "new_coords", false, &o->new_coords, err));
    return yolo_head_parse(l, false, err);
}

const struct layer_ops yolo_ops = {
    .name = "yolo",
    .state_bytes = sizeof(struct yolo_head),
    .parse = parse,
    .destroy = yolo_head_destroy,
    .shape = head_shape,
    .plan = yolo_loss_plan,
    .forward = yolo_head_forward,
    .describe = head_describe,
    .decode = yolo_head_decode,
    .head = head_info_of,
    .loss = yolo_loss,
};
