#include "eval/pr_curve.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct outcome {
    double score;
    bool hit;
};

static int compare_outcomes(const void *left, const void *right)
{
    const struct outcome *a = left;
    const struct outcome *b = right;
    return eval_compare_descending(a->score, b->score);
}

/* The detections of classes[first..last) that count, best first, into room for all. */
static size_t collect(const struct coco_class *classes, size_t class_count, size_t t,
                      struct outcome *outcomes)
{
    size_t count = 0;
    for (size_t i = 0; i < class_count; i++) {
        for (size_t k = 0; k < classes[i].count; k++) {
            const struct coco_match *m = &classes[i].matches[k];
            bool hit = m->hit[COCO_AREA_ALL] >> t & 1;
            if (hit || (m->miss[COCO_AREA_ALL] >> t & 1)) {
                outcomes[count++] = (struct outcome){m->score, hit};
            }
        }
    }
    if (count) {
        qsort(outcomes, count, sizeof *outcomes, compare_outcomes);
    }
    return count;
}

/* A threshold cannot part equal scores: they share a point. */
static void walk(const struct outcome *outcomes, size_t count, struct pr_curve *curve)
{
    size_t hits = 0;
    for (size_t i = 0; i < count; i++) {
        hits += outcomes[i].hit;
        if (i + 1 < count && outcomes[i + 1].score == outcomes[i].score) {
            continue;
        }
        struct pr_point *p = &curve->points[curve->count++];
        p->score = outcomes[i].score;
        p->hits = hits;
        p->misses = i + 1 - hits;
        p->precision = eval_ratio(p->hits, p->misses);
        p->recall = eval_ratio(hits, curve->truth_count - hits);
        p->f1 = eval_f1(p->precision, p->recall);
    }
}

enum result pr_curve_build(struct coco_metrics *metrics, int class_id, size_t t,
                           struct pr_curve *curve, struct error *err)
{
    const struct coco_class *classes = metrics->classes;
    size_t class_count = metrics->class_count;
    memset(curve, 0, sizeof *curve);
    if (class_id != PR_ALL_CLASSES) {
        classes += class_id;
        class_count = 1;
    }
    size_t room = 0;
    for (size_t i = 0; i < class_count; i++) {
        room += classes[i].count;
        curve->truth_count += classes[i].truth_count[COCO_AREA_ALL];
    }
    struct outcome *outcomes = mem_alloc_raw(room, sizeof *outcomes);
    curve->points = mem_alloc_raw(room, sizeof *curve->points);
    if (!outcomes || !curve->points) {
        mem_free(outcomes);
        return mem_error(err, "metrics");
    }
    walk(outcomes, collect(classes, class_count, t, outcomes), curve);
    mem_free(outcomes);
    return OK;
}

void pr_curve_free(struct pr_curve *curve)
{
    mem_free(curve->points);
    memset(curve, 0, sizeof *curve);
}

bool pr_curve_best(const struct pr_curve *curve, struct pr_best *best)
{
    memset(best, 0, sizeof *best);
    for (size_t i = 0; i < curve->count; i++) {
        if (curve->points[i].f1 > best->point.f1) {
            double next = i + 1 < curve->count ? curve->points[i + 1].score : 0;
            best->point = curve->points[i];
            best->threshold = (best->point.score + next) / 2;
        }
    }
    return best->point.f1 > 0;
}

struct pr_point pr_curve_at(const struct pr_curve *curve, double threshold)
{
    size_t low = 0, high = curve->count; /* points[0, low) lie above */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->points[middle].score > threshold) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? curve->points[low - 1] : (struct pr_point){.score = threshold};
}
