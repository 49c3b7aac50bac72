/* [region]: YOLOv2's head. Per cell and anchor: x y w h objectness class_0 ... ; anchors are in
 * grid cells.
 *
 * forward: logistic on x, y and objectness; softmax over the classes if softmax=1, else they stay
 * raw. centre = ((i + x) / W, (j + y) / H), size = e^v anchor / (W, H). A detection is a class with
 * objectness * class > threshold; its objectness is reported as 1, as Darknet does. */
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "kernels/softmax.h"
#include "layers/kinds.h"
#include "layers/region_private.h"
#include "layers/yolo_options.h"
#include "cfg/cfg.h"

static enum result refuse_hierarchies(struct layer *l, struct error *err)
{
    static const char *const keys[] = {"tree", "map"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct cfg_option *option = cfg_find(l->section, keys[i]);
        if (option) {
            return error_at(
                err, ERR_UNSUPPORTED, l->section->path, option->line,
                "[%s] layer %d: %s= (hierarchical or remapped classes) is not supported",
                l->section->name, l->index, keys[i]);
        }
    }
    return OK;
}

static enum result parse_loss(struct layer *l, struct region_state *s, struct error *err)
{
    static const char *const others[] = {"jitter", "resize", "random"}; /* the training loop's */
    struct cfg_section *section = l->section;
    TRY(cfg_int(section, "max", 200, 1, 1 << 20, &s->max_truths, err));
    TRY(cfg_float(section, "thresh", 0.5f, 0.0f, 1e6f, &s->ignore_thresh, err));
    TRY(cfg_bool(section, "rescore", false, &s->rescore, err));
    TRY(cfg_bool(section, "bias_match", false, &s->bias_match, err));
    TRY(cfg_bool(section, "focal_loss", false, &s->focal_loss, err));
    TRY(cfg_float(section, "coord_scale", 1.0f, 0.0f, 1e6f, &s->coord_scale, err));
    TRY(cfg_float(section, "object_scale", 1.0f, 0.0f, 1e6f, &s->object_scale, err));
    TRY(cfg_float(section, "noobject_scale", 1.0f, 0.0f, 1e6f, &s->noobject_scale, err));
    TRY(cfg_float(section, "class_scale", 1.0f, 0.0f, 1e6f, &s->class_scale, err));
    if (s->focal_loss && !s->has_softmax) {
        log_warn("%s:%d: [%s] focal_loss=1 has no effect without softmax=1", section->path,
                 cfg_find(section, "focal_loss")->line, section->name);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cfg_find(section, others[i]);
    }
    return OK;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct region_state *s = l->state;
    int coords;
    TRY(cfg_int(l->section, "coords", 4, 1, 1 << 10, &coords, err));
    if (coords != 4) {
        return error_at(err, ERR_UNSUPPORTED, l->section->path,
                        cfg_find(l->section, "coords")->line,
                        "[%s] layer %d: coords=%d is not supported (only 4)", l->section->name,
                        l->index, coords);
    }
    TRY(refuse_hierarchies(l, err));
    TRY(cfg_int(l->section, "classes", 20, 1, 1 << 20, &s->info.classes, err));
    TRY(cfg_int(l->section, "num", 1, 1, HEAD_MAX_ANCHORS, &s->slots, err));
    TRY(cfg_bool(l->section, "softmax", false, &s->has_softmax, err));
    TRY(head_parse_anchors(l, s->slots, &s->anchors, err));
    s->info.slots = s->slots;
    s->info.nms_kind = NMS_DEFAULT;
    s->info.beta_nms = 0.6f;
    TRY(parse_loss(l, s, err));
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

static void destroy(struct layer *l)
{
    struct region_state *s = l->state;
    mem_free(s->anchors);
}

static int entries(const struct region_state *s)
{
    return REGION_CLASSES + s->info.classes;
}

static enum result shape(struct layer *l, struct error *err)
{
    struct region_state *s = l->state;
    char formula[96];
    snprintf(formula, sizeof formula, "%d anchors x (%d classes + 5)", s->slots, s->info.classes);
    TRY(head_check_channels(l, s->slots, entries(s), formula, err));
    s->info.entries = entries(s);
    s->info.objectness = REGION_OBJECTNESS;
    l->out = l->input_shapes[0];
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    p->place = PLACE_IN_PLACE;
    if (mode_rules[limits->mode].keeps_backward) {
        p->scratch_bytes = region_loss_scratch(l, limits->batch);
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct region_state *s = l->state;
    static const int squashed[][2] = {{REGION_X, 2}, {REGION_OBJECTNESS, 1}};
    if (e->inputs[0].data != e->out.data) {
        op_copy(e->kernels, &e->inputs[0], &e->out);
    }
    for (int slot = 0; slot < s->slots; slot++) {
        int base = slot * entries(s);
        for (int i = 0; i < 2; i++) {
            struct tensor part = tensor_channels(&e->out, base + squashed[i][0], squashed[i][1]);
            op_activate(e->kernels, ACT_LOGISTIC, &part, &part);
        }
        if (s->has_softmax) {
            struct tensor classes =
                tensor_channels(&e->out, base + REGION_CLASSES, s->info.classes);
            op_softmax(e->kernels, s->info.classes, 1.0f, &classes, &classes);
        }
    }
}

static enum result add_classes(const struct region_state *s, const float *slot, float threshold,
                               struct detection *d, struct detection_list *list, struct error *err)
{
    for (int c = 0; c < s->info.classes; c++) {
        d->confidence = slot[REGION_OBJECTNESS] * slot[REGION_CLASSES + c];
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
    const struct region_state *s = l->state;
    int candidate = head_first_candidate(list);
    for (int cell = 0; cell < out->h * out->w; cell++) {
        int x = cell % out->w, y = cell / out->w;
        const float *slot = tensor_at(out, image, y, x);
        for (int k = 0; k < s->slots; k++, slot += entries(s), candidate++) {
            /* Probabilities are at most 1; raw class values may lift any objectness. */
            if (s->has_softmax && !(slot[REGION_OBJECTNESS] > threshold)) {
                continue;
            }
            const float *anchor = &s->anchors[2 * k];
            struct detection d = {
                .box = {.cx = ((float)x + slot[0]) / (float)out->w,
                        .cy = ((float)y + slot[1]) / (float)out->h,
                        .w = (float)(exp((double)slot[REGION_W]) * (double)anchor[0] / out->w),
                        .h = (float)(exp((double)slot[REGION_H]) * (double)anchor[1] / out->h)},
                .objectness = 1.0f,
                .candidate = candidate,
            };
            if (head_box_is_finite(&d.box)) {
                TRY(add_classes(s, slot, threshold, &d, list, err));
            }
        }
    }
    return OK;
}

const struct layer_ops region_ops = {
    .name = "region",
    .state_bytes = sizeof(struct region_state),
    .parse = parse,
    .destroy = destroy,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .describe = head_describe,
    .detect = detect,
    .head = head_info_of,
    .loss = region_loss,
};
