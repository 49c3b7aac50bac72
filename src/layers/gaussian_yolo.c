/* [Gaussian_yolo] (Choi et al. 2019, arXiv:1904.04620): as [yolo], with an uncertainty next to each
 * of the four box values. Per cell and slot:
 *
 *   x sigma_x y sigma_y w sigma_w h sigma_h objectness class_0 ... class_(classes-1)
 *
 * Logistic on everything but w and h; confidence = objectness * class * (1 - mean of the sigmas).
 * The predicted point is the box's centre, or with yolo_point one of its corners. */
#include "layers/kinds.h"
#include "layers/yolo_loss.h"
#include "cfg/cfg.h"

enum { X, SIGMA_X, Y, SIGMA_Y, W, SIGMA_W, H, SIGMA_H, OBJECTNESS };

enum predicted_point { POINT_CENTER, POINT_LEFT_TOP, POINT_RIGHT_BOTTOM };

static enum result parse(struct layer *l, struct error *err)
{
    static const struct cfg_word points[] = {{"center", POINT_CENTER},
                                             {"left_top", POINT_LEFT_TOP},
                                             {"right_bottom", POINT_RIGHT_BOTTOM}};
    static const double sides[] = {[POINT_LEFT_TOP] = 0.5, [POINT_RIGHT_BOTTOM] = -0.5};
    struct yolo_head *o = l->state;
    int point;
    TRY(cfg_choice(l->section, "yolo_point", points, 3, POINT_CENTER, &point, err));
    *o = (struct yolo_head){
        .info = {.objectness = OBJECTNESS},
        .box = {X, Y, W, H},
        .sigma = SIGMA_X - X,
        .side = sides[point],
        .coordinate_loss = gaussian_loss,
    };
    TRY(cfg_float(l->section, "uc_normalizer", 1.0f, 0.0f, 1e6f, &o->uc_normalizer, err));
    return yolo_head_parse(l, true, err);
}

const struct layer_ops gaussian_yolo_ops = {
    .name = "Gaussian_yolo",
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
