/* [region]: YOLOv2's head. Per cell and anchor: x y w h objectness class_0 ... ; anchors are in
 * grid cells.
 *
 * forward: logistic on x, y and objectness; softmax over the classes if softmax=1, else they stay
 * raw. centre = ((i + x) / W, (j + y) / H), size = e^v anchor / (W, H). A detection is a class with
 * objectness * class > threshold; its objectness is reported as 1, as Darknet does. */
#include <math.h>

#include "base/log.h"
#include "base/memory.h"
#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "kernels/softmax.h"
#include "layers/kinds.h"
#include "layers/region_loss.h"
#include "cfg/cfg.h"

static enum result parse_loss(struct layer *l, struct region_state *s, struct error *err)
{
    static const char *const others[] = {"jitter", "resize", "random"}; /* the training loop's */
    struct cfg_section *section = l->section;
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
    TRY(head_parse(l, err));
    TRY(cfg_int(l->section, "num", 1, 1, HEAD_MAX_ANCHORS, &s->info.slots, err));
    TRY(cfg_bool(l->section, "softmax", false, &s->has_softmax, err));
    TRY(head_parse_anchors(l, s->info.slots, &s->anchors, err));
    s->info.objectness = REGION_OBJECTNESS;
    s->info.has_raw_classes = !s->has_softmax;
    s->info.hides_objectness = true;
    s->info.nms_kind = NMS_DEFAULT;
    s->info.beta_nms = 0.6f;
    TRY(parse_loss(l, s, err));
    return layer_read_previous(l, err);
}

static void destroy(struct layer *l)
{
    struct region_state *s = l->state;
    mem_free(s->anchors);
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct region_state *s = l->state;
    static const int squashed[][2] = {{REGION_X, 2}, {REGION_OBJECTNESS, 1}};
    if (e->inputs[0].data != e->out.data) {
        op_copy(e->kernels, &e->inputs[0], &e->out);
    }
    for (int slot = 0; slot < s->info.slots; slot++) {
        int base = slot * s->info.entries;
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

static float decode(const struct layer *l, const struct tensor *out, int cell, int k,
                    const float *values, struct box_cxcywh_norm *box)
{
    const struct region_state *s = l->state;
    const float *anchor = &s->anchors[2 * k];
    *box = (struct box_cxcywh_norm){
        .cx = ((float)(cell % out->w) + values[REGION_X]) / (float)out->w,
        .cy = ((float)(cell / out->w) + values[REGION_Y]) / (float)out->h,
        .w = (float)(exp((double)values[REGION_W]) * (double)anchor[0] / out->w),
        .h = (float)(exp((double)values[REGION_H]) * (double)anchor[1] / out->h)};
    return 1.0f;
}

const struct layer_ops region_ops = {
    .name = "region",
    .state_bytes = sizeof(struct region_state),
    .parse = parse,
    .destroy = destroy,
    .shape = head_shape,
    .plan = region_loss_plan,
    .forward = forward,
    .describe = head_describe,
    .decode = decode,
    .head = head_info_of,
    .loss = region_loss,
};
