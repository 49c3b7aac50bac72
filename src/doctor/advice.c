#include "doctor/advice.h"

#include <stdio.h>

#include "base/log.h"
#include "data/image.h"

enum { FEW_PER_ANCHOR = 10 };

/* New anchors must be worth it: they cost a pretrained head what it knows of box sizes, and from random numbers, with
 * several anchors a box, a spread that the set does not need has learnt faster than a close fit (docs/recipe.md). */
static const double worth_recall = 0.03;

enum result advice_sizes(const struct anchor_heads *heads, const struct dataset *set,
                         const char *path, struct size_list *sizes, struct error *err)
{
    struct error why;
    for (size_t i = 0; i < set->sample_count; i++) {
        const struct sample *sample = &set->samples[i];
        int w = sample->image_w;
        int h = sample->image_h;
        if (heads->letterbox && w == 0 && sample->truth_count > 0 &&
            image_read_size(sample->image_path, &w, &h, &why) != OK) {
            if (why.code == ERR_MEMORY) {
                *err = why;
                return ERR_MEMORY;
            }
            log_warn("%s (its boxes are left out)", why.text);
            continue;
        }
        for (size_t k = 0; k < sample->truth_count; k++) {
            if (!sample->is_crowd || !sample->is_crowd[k]) {
                struct anchor size = heads_box_size(heads, &sample->truths[k].box, w, h);
                TRY(size_list_add(sizes, size.w, size.h, err));
            }
        }
    }
    if (sizes->count == 0) {
        return error_at(err, ERR_FORMAT, path, 0, "no boxes (see: yolo check)");
    }
    return OK;
}

static void judge(struct anchor_advice *a)
{
    double iou = a->fit.mean_iou - a->old_fit.mean_iou;
    double recall = a->fit.recall50 - a->old_fit.recall50;
    a->keep = a->old_count > 0 && recall < worth_recall;
    if (a->old_count == 0) {
        snprintf(a->text, sizeof a->text, "no --cfg, nothing to compare with");
    } else if (a->boxes / (size_t)a->count < FEW_PER_ANCHOR) {
        a->keep = true;
        snprintf(a->text, sizeof a->text,
                 "keep the old: %zu boxes are too few to judge %d anchors by", a->boxes, a->count);
    } else if (a->keep) {
        snprintf(a->text, sizeof a->text,
                 "keep the old: %+.1f points of boxes above IoU 0.5 are too few (mean IoU %+.1f)",
                 100 * recall, 100 * iou);
    } else {
        snprintf(a->text, sizeof a->text,
                 "take the new: %+.1f points of boxes above IoU 0.5 (mean IoU %+.1f)", 100 * recall,
                 100 * iou);
    }
}

enum result advice_find(const struct anchor_heads *heads, const struct size_list *sizes,
                        const struct anchor_search *search, struct anchor_advice *advice,
                        struct error *err)
{
    advice->boxes = sizes->count;
    advice->count = search->count;
    log_progress("%zu boxes, %d anchors", sizes->count, search->count);
    enum result result = anchors_find(search, sizes, advice->found, err);
    log_progress("%s", "");
    TRY(result);
    heads_round(heads, advice->found, advice->count);
    advice->fit = anchors_measure(advice->found, advice->count, sizes);
    advice->old_count = heads->count > 0 ? heads_anchors(heads, advice->old, NULL) : 0;
    if (advice->old_count > 0) {
        advice->old_fit = anchors_measure(advice->old, advice->old_count, sizes);
    }
    judge(advice);
    return OK;
}
