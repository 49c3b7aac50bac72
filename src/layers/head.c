#include "layers/head.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "cfg/cfg.h"

enum { MAX_CLASSES = 1 << 20, MAX_TRUTHS = 1 << 20 };

enum result head_parse(struct layer *l, struct error *err)
{
    struct head_info *info = l->state;
    TRY(cfg_int(l->section, "classes", 20, 1, MAX_CLASSES, &info->classes, err));
    info->first_class = 0;
    info->class_end = info->classes;
    return cfg_int(l->section, "max", 200, 1, MAX_TRUTHS, &info->max_truths, err);
}

enum result head_parse_range(struct layer *l, struct error *err)
{
    struct head_info *info = l->state;
    int *range;
    size_t count;
    TRY(cfg_ints(l->section, "class_range", &range, &count, err));
    bool is_range = count == 2 && range[0] >= 0 && range[0] <= range[1] && range[1] < info->classes;
    if (is_range) {
        info->first_class = range[0];
        info->class_end = range[1] + 1;
    }
    mem_free(range);
    return is_range || count == 0
               ? OK
               : cfg_error(l->section, cfg_find(l->section, "class_range"), err,
                           "the first and the last class are expected, as 0,%d", info->classes - 1);
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

enum result head_shape(struct layer *l, struct error *err)
{
    struct head_info *info = l->state;
    char formula[96];
    int found = l->input_shapes[0].c, around = info->objectness + 1;
    long long wanted = (long long)info->slots * (around + info->classes);
    info->entries = around + info->classes;
    l->out = l->input_shapes[0];
    if (wanted == found) {
        return OK;
    }
    snprintf(formula, sizeof formula, "%d anchors x (%d classes + %d)", info->slots, info->classes,
             around);
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

const struct head_info *head_info_of(const struct layer *l)
{
    return l->state;
}

void head_describe(const struct layer *l, char *text, size_t size)
{
    const struct head_info *info = head_info_of(l);
    snprintf(text, size, "%d anchors, %d classes", info->slots, info->classes);
}

static bool is_finite(const struct box_cxcywh_norm *box)
{
    return isfinite(box->cx) && isfinite(box->cy) && isfinite(box->w) && isfinite(box->h);
}

static enum result add_classes(const struct head_info *info, const float *values, float threshold,
                               float certainty, struct detection *d, struct detection_list *list,
                               struct error *err)
{
    const float *classes = values + info->objectness + 1;
    for (int c = info->first_class; c < info->class_end; c++) {
        d->confidence = values[info->objectness] * classes[c] * certainty;
        if (d->confidence > threshold) {
            d->class_id = c;
            TRY(detection_list_add(list, d, err));
        }
    }
    return OK;
}

enum result head_detect(const struct layer *l, const struct tensor *out, int image, float threshold,
                        struct detection_list *list, struct error *err)
{
    const struct head_info *info = head_info_of(l);
    int candidate = list->count > 0 ? list->items[list->count - 1].candidate + 1 : 0;
    for (int cell = 0; cell < out->h * out->w; cell++) {
        const float *values = tensor_at(out, image, cell / out->w, cell % out->w);
        for (int k = 0; k < info->slots; k++, values += info->entries, candidate++) {
            float objectness = values[info->objectness];
            if (!info->has_raw_classes && !(objectness > threshold)) {
                continue;
            }
            struct detection d = {.objectness = info->hides_objectness ? 1.0f : objectness,
                                  .candidate = candidate};
            float certainty = l->ops->decode(l, out, cell, k, values, &d.box);
            if (is_finite(&d.box)) {
                TRY(add_classes(info, values, threshold, certainty, &d, list, err));
            }
        }
    }
    return OK;
}
