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
#include <math.h>
#include <stdio.h>

#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"
#include "layers/yolo_private.h"
#include "cfg/cfg.h"

static int entries(const struct yolo_options *o)
{
    return YOLO_CLASSES + o->info.classes;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct yolo_options *o = l->state;
    TRY(cfg_bool(l->section, "new_coords", false, &o->new_coords, err));
    return yolo_options_parse(l, false, o, err);
}

static void destroy(struct layer *l)
{
    yolo_options_free(l->state);
}

static enum result shape(struct layer *l, struct error *err)
{
    struct yolo_options *o = l->state;
    char formula[96];
    snprintf(formula, sizeof formula, "%d anchors x (%d classes + 5)", o->slots, o->info.classes);
    TRY(head_check_channels(l, o->slots, entries(o), formula, err));
    o->info.entries = entries(o);
    o->info.objectness = YOLO_OBJECTNESS;
    l->out = l->input_shapes[0];
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    p->place = PLACE_IN_PLACE;
    if (mode_rules[limits->mode].keeps_backward) {
        p->scratch_bytes = yolo_loss_scratch(l, limits->batch);
    }
}

static void activate(const struct exec *e, int channel, int count)
{
    struct tensor in = tensor_channels(&e->inputs[0], channel, count);
    struct tensor out = tensor_channels(&e->out, channel, count);
    op_activate(e->kernels, ACT_LOGISTIC, &in, &out);
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct yolo_options *o = l->state;
    bool is_over_input = e->inputs[0].data == e->out.data;
    if (o->new_coords && !is_over_input) {
        op_copy(e->kernels, &e->inputs[0], &e->out);
    }
    for (int slot = 0; slot < o->slots; slot++) {
        int base = slot * entries(o);
        if (!o->new_coords) {
            activate(e, base + YOLO_X, 2);
            activate(e, base + YOLO_OBJECTNESS, 1 + o->info.classes);
            struct tensor in = tensor_channels(&e->inputs[0], base + YOLO_W, 2);
            struct tensor out = tensor_channels(&e->out, base + YOLO_W, 2);
            if (!is_over_input) {
                op_copy(e->kernels, &in, &out);
            }
        }
        if (o->scale_x_y != 1.0f) {
            float shift = -0.5f * (o->scale_x_y - 1.0f);
            const float scales[2] = {o->scale_x_y, o->scale_x_y};
            const float shifts[2] = {shift, shift};
            struct tensor xy = tensor_channels(&e->out, base + YOLO_X, 2);
            op_scale_shift(e->kernels, scales, shifts, &xy, &xy);
        }
    }
}

static float decoded_size(const struct yolo_options *o, float v, float anchor, int net_size)
{
    double raw = (double)v;
    double factor = o->new_coords ? 4.0 * raw * raw : exp(raw);
    return (float)(factor * (double)anchor / net_size);
}

static enum result add_classes(const struct yolo_options *o, const float *slot, float threshold,
                               struct detection *d, struct detection_list *list, struct error *err)
{
    for (int c = 0; c < o->info.classes; c++) {
        d->confidence = d->objectness * slot[YOLO_CLASSES + c];
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
    const struct yolo_options *o = l->state;
    int candidate = head_first_candidate(list);
    for (int cell = 0; cell < out->h * out->w; cell++) {
        int x = cell % out->w, y = cell / out->w;
        const float *slot = tensor_at(out, image, y, x);
        for (int k = 0; k < o->slots; k++, slot += entries(o), candidate++) {
            if (!(slot[YOLO_OBJECTNESS] > threshold)) {
                continue;
            }
            const float *anchor = &o->anchors[2 * o->mask[k]];
            struct detection d = {
                .box = {.cx = ((float)x + slot[0]) / (float)out->w,
                        .cy = ((float)y + slot[1]) / (float)out->h,
                        .w = decoded_size(o, slot[YOLO_W], anchor[0], l->net->w),
                        .h = decoded_size(o, slot[YOLO_H], anchor[1], l->net->h)},
                .objectness = slot[YOLO_OBJECTNESS],
                .candidate = candidate,
            };
            if (head_box_is_finite(&d.box)) {
                TRY(add_classes(o, slot, threshold, &d, list, err));
            }
        }
    }
    return OK;
}

const struct layer_ops yolo_ops = {
    .name = "yolo",
    .state_bytes = sizeof(struct yolo_options),
    .parse = parse,
    .destroy = destroy,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .describe = head_describe,
    .detect = detect,
    .head = head_info_of,
    .loss = yolo_loss,
};
