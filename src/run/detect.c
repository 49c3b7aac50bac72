#include "run/detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/suppress.h"

void detect_to_image(struct detection_list *list, const struct image_fit *fit)
{
    if (fit->inner_w == fit->net_w && fit->inner_h == fit->net_h) {
        return;
    }
    /* Half the margin exactly, as Darknet maps back, although the picture lies on whole pixels. */
    double left = (fit->net_w - fit->inner_w) / 2.0 / fit->net_w;
    double top = (fit->net_h - fit->inner_h) / 2.0 / fit->net_h;
    double ratio_w = (double)fit->inner_w / fit->net_w;
    double ratio_h = (double)fit->inner_h / fit->net_h;
    for (size_t i = 0; i < list->count; i++) {
        struct box_cxcywh_norm *box = &list->items[i].box;
        box->cx = (float)(((double)box->cx - left) / ratio_w);
        box->cy = (float)(((double)box->cy - top) / ratio_h);
        box->w = (float)((double)box->w / ratio_w);
        box->h = (float)((double)box->h / ratio_h);
    }
}

static int compare_ints(int a, int b)
{
    return (a > b) - (a < b);
}

/* Total orders, so that the result of an unstable sort is unique. */
static int by_confidence(const void *left, const void *right)
{
    const struct detection *a = left, *b = right;
    if (a->confidence != b->confidence) {
        return a->confidence > b->confidence ? -1 : 1;
    }
    int order = compare_ints(a->class_id, b->class_id);
    return order ? order : compare_ints(a->candidate, b->candidate);
}

static int by_class(const void *left, const void *right)
{
    const struct detection *a = left, *b = right;
    int order = compare_ints(a->class_id, b->class_id);
    return order ? order : by_confidence(left, right);
}

static void sort(struct detection *items, size_t count, int (*order)(const void *, const void *))
{
    if (count > 1) {
        qsort(items, count, sizeof *items, order);
    }
}

static size_t suppress_by_class(const struct suppress_rule *rule, struct detection *items,
                                size_t count, struct suppress_work *work)
{
    size_t kept = 0;
    sort(items, count, by_class);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && items[end].class_id == items[first].class_id;) {
            end++;
        }
        size_t survivors = suppress_run(rule, items + first, end - first, work);
        memmove(items + kept, items + first, survivors * sizeof *items);
        kept += survivors;
    }
    return kept;
}

static bool is_wanted(const struct detect_options *o, const struct detection *d)
{
    float threshold = o->thresholds ? o->thresholds[d->class_id] : o->threshold;
    return d->objectness > threshold && d->confidence > threshold &&
           (!o->classes || o->classes[d->class_id]);
}

/* How many of so many boxes of a picture, or of one of its classes, can be told. */
static size_t at_most(const struct detect_options *o, size_t count)
{
    size_t most = (size_t)o->max_detections;
    return most > 0 && most < count ? most : count;
}

static enum result suppress_weaker(const struct detect_options *o, struct detection *items,
                                   size_t *count, struct error *err)
{
    struct suppress_work work = {0};
    const struct suppress_rule rule = {.iou_threshold = o->iou_threshold,
                                       .exponent = nms_exponent(o->nms_kind, o->beta_nms),
                                       .most = at_most(o, *count)};
    TRY(suppress_reserve(&work, *count, err));
    if (o->agnostic) {
        sort(items, *count, by_confidence);
        *count = suppress_run(&rule, items, *count, &work);
    } else {
        *count = suppress_by_class(&rule, items, *count, &work);
    }
    suppress_free(&work);
    return OK;
}

enum result detect_suppress(struct detection_list *list, const struct detect_options *options,
                            struct error *err)
{
    if (!(options->iou_threshold >= 0.0f) || !(options->threshold >= 0.0f)) {
        return error_set(err, ERR_ARG, "threshold %g and overlap %g must not be negative",
                         (double)options->threshold, (double)options->iou_threshold);
    }
    struct detection *items = list->items;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (is_wanted(options, &items[i])) {
            items[count++] = items[i];
        }
    }
    if (options->iou_threshold < 1.0f) {
        TRY(suppress_weaker(options, items, &count, err));
    }
    sort(items, count, by_confidence);
    list->count = at_most(options, count);
    return OK;
}

enum result detect_find(const struct plan *plan, int n, const struct detect_options *options,
                        const struct image_fit *fit, struct detection_list *list, struct error *err)
{
    list->count = 0;
    TRY(plan_detect(plan, n, options->threshold, list, err));
    detect_to_image(list, fit);
    return detect_suppress(list, options, err);
}

static float clip(float v, int size)
{
    return fminf(fmaxf(v, 0.0f), (float)size);
}

struct box_xyxy_px detect_box_px(const struct box_cxcywh_norm *box, int image_w, int image_h)
{
    return (struct box_xyxy_px){
        .x1 = clip((box->cx - box->w / 2) * (float)image_w, image_w),
        .y1 = clip((box->cy - box->h / 2) * (float)image_h, image_h),
        .x2 = clip((box->cx + box->w / 2) * (float)image_w, image_w),
        .y2 = clip((box->cy + box->h / 2) * (float)image_h, image_h),
    };
}
