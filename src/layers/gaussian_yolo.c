/* [Gaussian_yolo] (Choi et al. 2019, arXiv:1904.04620): as [yolo], with an uncertainty next to each
 * of the four box values. Per cell and slot:
 *
 *   x sigma_x y sigma_y w sigma_w h sigma_h objectness class_0 ... class_(classes-1)
 *
 * Logistic on everything but w and h; confidence = objectness * class * (1 - mean of the sigmas).
 * The predicted point is the box's centre, or with yolo_point one of its corners. */
#include <math.h>
#include <stdio.h>

#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"
#include "layers/yolo_private.h"
#include "cfg/cfg.h"

static int entries(const struct gaussian_state *s)
{
    return GAUSSIAN_CLASSES + s->options.info.classes;
}

static enum result parse_point(struct layer *l, struct gaussian_state *s, struct error *err)
{
    static const struct cfg_word words[] = {{"center", POINT_CENTER},
                                            {"left_top", POINT_LEFT_TOP},
                                            {"right_bottom", POINT_RIGHT_BOTTOM}};
    int word;
    TRY(cfg_choice(l->section, "yolo_point", words, 3, POINT_CENTER, &word, err));
    s->point = (enum predicted_point)word;
    return OK;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct gaussian_state *s = l->state;
    TRY(parse_point(l, s, err));
    TRY(cfg_float(l->section, "uc_normalizer", 1.0f, 0.0f, 1e6f, &s->uc_normalizer, err));
    return yolo_options_parse(l, true, &s->options, err);
}

static void destroy(struct layer *l)
{
    yolo_options_free(&((struct gaussian_state *)l->state)->options);
}

static enum result shape(struct layer *l, struct error *err)
{
    struct gaussian_state *s = l->state;
    char formula[96];
    snprintf(formula, sizeof formula, "%d anchors x (%d classes + 9)", s->options.slots,
             s->options.info.classes);
    TRY(head_check_channels(l, s->options.slots, entries(s), formula, err));
    s->options.info.entries = entries(s);
    s->options.info.objectness = GAUSSIAN_OBJECTNESS;
    l->out = l->input_shapes[0];
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    p->place = PLACE_IN_PLACE;
    if (mode_rules[limits->mode].keeps_backward) {
        p->scratch_bytes = gaussian_loss_scratch(l, limits->batch);
    }
}

static void scale_xy(const struct exec *e, int channel, float scale)
{
    float shift = -0.5f * (scale - 1.0f);
    struct tensor part = tensor_channels(&e->out, channel, 1);
    op_scale_shift(e->kernels, &scale, &shift, &part, &part);
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct gaussian_state *s = l->state;
    const int squashed[][2] = {
        {GAUSSIAN_X, 4}, {GAUSSIAN_SIGMA_W, 1}, {GAUSSIAN_SIGMA_H, 2 + s->options.info.classes}};
    if (e->inputs[0].data != e->out.data) {
        op_copy(e->kernels, &e->inputs[0], &e->out);
    }
    for (int slot = 0; slot < s->options.slots; slot++) {
        int base = slot * entries(s);
        for (int i = 0; i < 3; i++) {
            struct tensor part = tensor_channels(&e->out, base + squashed[i][0], squashed[i][1]);
            op_activate(e->kernels, ACT_LOGISTIC, &part, &part);
        }
        if (s->options.scale_x_y != 1.0f) {
            scale_xy(e, base + GAUSSIAN_X, s->options.scale_x_y);
            scale_xy(e, base + GAUSSIAN_Y, s->options.scale_x_y);
        }
    }
}

static struct box_cxcywh_norm decode(const struct layer *l, const struct tensor *out, int x, int y,
                                     const float *slot, const float *anchor)
{
    const struct gaussian_state *s = l->state;
    struct box_cxcywh_norm box = {
        .cx = ((float)x + slot[GAUSSIAN_X]) / (float)out->w,
        .cy = ((float)y + slot[GAUSSIAN_Y]) / (float)out->h,
        .w = (float)(exp((double)slot[GAUSSIAN_W]) * (double)anchor[0] / l->net->w),
        .h = (float)(exp((double)slot[GAUSSIAN_H]) * (double)anchor[1] / l->net->h),
    };
    float side = s->point == POINT_LEFT_TOP ? 0.5f : s->point == POINT_RIGHT_BOTTOM ? -0.5f : 0.0f;
    if (side != 0.0f) {
        box.cx += side * box.w;
        box.cy += side * box.h;
    }
    return box;
}

static enum result add_classes(const struct gaussian_state *s, const float *slot, float threshold,
                               struct detection *d, struct detection_list *list, struct error *err)
{
    float sigma = (slot[GAUSSIAN_SIGMA_X] + slot[GAUSSIAN_SIGMA_Y] + slot[GAUSSIAN_SIGMA_W] +
                   slot[GAUSSIAN_SIGMA_H]) /
                  4.0f;
    for (int c = 0; c < s->options.info.classes; c++) {
        d->confidence = d->objectness * slot[GAUSSIAN_CLASSES + c] * (1.0f - sigma);
        if (d->confidence > threshold) {
            d->class_id = c;
            TRY(detection_list_add(list, d, err));
        }
    }
    return OK;
}

static enum result detect(const struct layer *l, const struct tensor *out, int image,
                          float threshold, struct detection_list *list, struct error *err)
{
    const struct gaussian_state *s = l->state;
    int candidate = head_first_candidate(list);
    for (int cell = 0; cell < out->h * out->w; cell++) {
        int x = cell % out->w, y = cell / out->w;
        const float *slot = tensor_at(out, image, y, x);
        for (int k = 0; k < s->options.slots; k++, slot += entries(s), candidate++) {
            if (!(slot[GAUSSIAN_OBJECTNESS] > threshold)) {
                continue;
            }
            const float *anchor = &s->options.anchors[2 * s->options.mask[k]];
            struct detection d = {
                .box = decode(l, out, x, y, slot, anchor),
                .objectness = slot[GAUSSIAN_OBJECTNESS],
                .candidate = candidate,
            };
            if (head_box_is_finite(&d.box)) {
                TRY(add_classes(s, slot, threshold, &d, list, err));
            }
        }
    }
    return OK;
}

const struct layer_ops gaussian_yolo_ops = {
    .name = "Gaussian_yolo",
    .state_bytes = sizeof(struct gaussian_state),
    .parse = parse,
    .destroy = destroy,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .describe = head_describe,
    .detect = detect,
    .head = head_info_of,
    .loss = gaussian_loss,
};
