#include "layers/yolo_options.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "cfg/cfg.h"

enum { MAX_CLASSES = 1 << 20, MAX_TRUTHS = 1 << 20 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static enum result parse_box_loss(struct layer *l, const char *key, enum box_loss fallback,
                                  enum box_loss *kind, struct error *err)
{
    static const struct cfg_word words[] = {{"mse", LOSS_MSE},
                                            {"iou", LOSS_IOU},
                                            {"giou", LOSS_GIOU},
                                            {"diou", LOSS_DIOU},
                                            {"ciou", LOSS_CIOU}};
    int word;
    TRY(cfg_choice(l->section, key, words, COUNT(words), (int)fallback, &word, err));
    *kind = (enum box_loss)word;
    return OK;
}

static enum result parse_nms(struct layer *l, bool knows_corners, struct head_info *info,
                             struct error *err)
{
    static const struct cfg_word words[] = {{"default", NMS_DEFAULT},
                                            {"greedynms", NMS_GREEDY},
                                            {"diounms", NMS_DIOU},
                                            {"cornersnms", NMS_CORNERS}};
    size_t count = COUNT(words) - !knows_corners;
    int word;
    TRY(cfg_float(l->section, "beta_nms", 0.6f, 0.0f, 1e6f, &info->beta_nms, err));
    TRY(cfg_choice(l->section, "nms_kind", words, count, NMS_DEFAULT, &word, err));
    info->nms_kind = (enum nms_kind)word;
    return OK;
}

static enum result parse_mask(struct layer *l, struct yolo_options *o, struct error *err)
{
    size_t count;
    TRY(cfg_ints(l->section, "mask", &o->mask, &count, err));
    if (count == 0) {
        mem_free(o->mask);
        o->mask = mem_alloc((size_t)o->anchor_count, sizeof *o->mask);
        if (!o->mask) {
            return mem_error(err, "reading the network");
        }
        for (int i = 0; i < o->anchor_count; i++) {
            o->mask[i] = i;
        }
        o->slots = o->anchor_count;
        return OK;
    }
    if (count > HEAD_MAX_ANCHORS) {
        return cfg_error(l->section, cfg_find(l->section, "mask"), err, "more than %d anchors",
                         (int)HEAD_MAX_ANCHORS);
    }
    o->slots = (int)count;
    for (int i = 0; i < o->slots; i++) {
        if (o->mask[i] < 0 || o->mask[i] >= o->anchor_count) {
            return cfg_error(l->section, cfg_find(l->section, "mask"), err,
                             "anchor %d does not exist (num=%d: 0 to %d)", o->mask[i],
                             o->anchor_count, o->anchor_count - 1);
        }
        for (int earlier = 0; earlier < i; earlier++) {
            if (o->mask[earlier] == o->mask[i]) {
                return cfg_error(l->section, cfg_find(l->section, "mask"), err,
                                 "anchor %d is listed twice: an object would train both copies",
                                 o->mask[i]);
            }
        }
    }
    return OK;
}

static enum result parse_counters(struct layer *l, struct yolo_options *o, struct error *err)
{
    size_t count;
    TRY(cfg_ints(l->section, "counters_per_class", &o->class_counters, &count, err));
    if (count == 0) {
        mem_free(o->class_counters);
        o->class_counters = NULL;
        return OK;
    }
    if (count != (size_t)o->info.classes) {
        return cfg_error(l->section, cfg_find(l->section, "counters_per_class"), err,
                         "%zu numbers for classes=%d", count, o->info.classes);
    }
    return OK;
}

static enum result parse_loss(struct layer *l, struct yolo_options *o, struct error *err)
{
    struct cfg_section *s = l->section;
    TRY(cfg_int(s, "max", 200, 1, MAX_TRUTHS, &o->max_truths, err));
    TRY(parse_box_loss(l, "iou_loss", LOSS_MSE, &o->iou_loss, err));
    TRY(parse_box_loss(l, "iou_thresh_kind", LOSS_IOU, &o->iou_thresh_kind, err));
    TRY(cfg_float(s, "iou_normalizer", 0.75f, 0.0f, 1e6f, &o->iou_normalizer, err));
    TRY(cfg_float(s, "obj_normalizer", 1.0f, 0.0f, 1e6f, &o->obj_normalizer, err));
    TRY(cfg_float(s, "cls_normalizer", 1.0f, 0.0f, 1e6f, &o->cls_normalizer, err));
    TRY(cfg_float(s, "delta_normalizer", 1.0f, 0.0f, 1e6f, &o->delta_normalizer, err));
    TRY(cfg_float(s, "ignore_thresh", 0.5f, 0.0f, 1e6f, &o->ignore_thresh, err));
    TRY(cfg_float(s, "truth_thresh", 1.0f, 0.0f, 1e6f, &o->truth_thresh, err));
    TRY(cfg_float(s, "iou_thresh", 1.0f, 0.0f, 1e6f, &o->iou_thresh, err));
    TRY(cfg_float(s, "max_delta", FLT_MAX, 0.0f, FLT_MAX, &o->max_delta, err));
    TRY(cfg_float(s, "label_smooth_eps", 0.0f, 0.0f, 1.0f, &o->label_smooth_eps, err));
    TRY(cfg_bool(s, "objectness_smooth", false, &o->objectness_smooth, err));
    TRY(cfg_bool(s, "focal_loss", false, &o->focal_loss, err));
    TRY(cfg_float(s, "jitter", 0.2f, 0.0f, 1.0f, &o->jitter, err));
    TRY(cfg_float(s, "resize", 1.0f, 0.0f, 1e3f, &o->resize, err));
    TRY(cfg_float(s, "random", 0.0f, 0.0f, 1e3f, &o->random, err));
    return parse_counters(l, o, err);
}

enum result yolo_options_parse(struct layer *l, bool knows_corners, struct yolo_options *o,
                               struct error *err)
{
    TRY(cfg_int(l->section, "classes", 20, 1, MAX_CLASSES, &o->info.classes, err));
    TRY(cfg_int(l->section, "num", 1, 1, HEAD_MAX_ANCHORS, &o->anchor_count, err));
    TRY(head_parse_anchors(l, o->anchor_count, &o->anchors, err));
    TRY(parse_mask(l, o, err));
    o->info.slots = o->slots;
    TRY(cfg_float(l->section, "scale_x_y", 1.0f, 1e-3f, 1e3f, &o->scale_x_y, err));
    TRY(parse_nms(l, knows_corners, &o->info, err));
    TRY(parse_loss(l, o, err));
    const struct cfg_option *map = cfg_find(l->section, "map");
    if (map) {
        return error_at(err, ERR_UNSUPPORTED, l->section->path, map->line,
                        "[%s] layer %d: map= (class remapping) is not supported", l->section->name,
                        l->index);
    }
    return layer_set_inputs(l, NULL, NULL, 0, true, err);
}

void yolo_options_free(struct yolo_options *o)
{
    mem_free(o->anchors);
    mem_free(o->mask);
    mem_free(o->class_counters);
}

enum result head_parse_anchors(struct layer *l, int pairs, float **anchors, struct error *err)
{
    size_t count, wanted = 2 * (size_t)pairs;
    const struct cfg_option *option = cfg_find(l->section, "anchors");
    if (!option) {
        return layer_error(l, ERR_CFG, err, "anchors= is missing; num=%d needs %zu numbers", pairs,
                           wanted);
    }
    TRY(cfg_floats(l->section, "anchors", anchors, &count, err));
    if (count < wanted) {
        return cfg_error(l->section, option, err,
                         "%zu numbers, but num=%d needs %zu (a width and a height each)", count,
                         pairs, wanted);
    }
    if (count > wanted) {
        log_warn("%s:%d: [%s] anchors: %zu numbers, but num=%d uses only the first %zu",
                 l->section->path, option->line, l->section->name, count, pairs, wanted);
    }
    for (size_t i = 0; i < wanted; i++) {
        if (!((*anchors)[i] > 0.0f)) {
            return cfg_error(l->section, option, err, "number %zu is %g; sizes must be positive",
                             i + 1, (double)(*anchors)[i]);
        }
    }
    return OK;
}

enum result head_check_channels(const struct layer *l, int slots, int entries, const char *formula,
                                struct error *err)
{
    long long wanted = (long long)slots * entries;
    int found = l->input_shapes[0].c;
    if (wanted == found) {
        return OK;
    }
    struct cfg_section *above = l->index > 0 ? l->section - 1 : NULL;
    const struct cfg_option *filters = above ? cfg_find(above, "filters") : NULL;
    if (!filters) {
        return layer_error(l, ERR_CFG, err, "needs %lld input channels, %s, but gets %d", wanted,
                           formula, found);
    }
    return error_at(err, ERR_CFG, above->path, filters->line,
                    "[%s] layer %d at line %d needs %lld input channels, %s, but gets %d (set "
                    "filters=%lld here)",
                    l->section->name, l->index, l->section->line, wanted, formula, found, wanted);
}

int head_first_candidate(const struct detection_list *list)
{
    return list->count > 0 ? list->items[list->count - 1].candidate + 1 : 0;
}

const struct head_info *head_info_of(const struct layer *l)
{
    return l->state;
}

void head_describe(const struct layer *l, char *text, size_t size)
{
    const struct head_info *info = head_info_of(l);
    snprintf(text, size, "%d anchors, %d classes", info->slots, info->classes);
}

bool head_box_is_finite(const struct box_cxcywh_norm *box)
{
    return isfinite(box->cx) && isfinite(box->cy) && isfinite(box->w) && isfinite(box->h);
}
