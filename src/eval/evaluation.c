#include "eval/evaluation.h"

#include <string.h>

#include "base/memory.h"

/* Darknet's threshold for counts where none is given, and what is left where F1 is 0 everywhere. */
static const double DARKNET_THRESHOLD = .25;

static enum result match(struct evaluation *e, struct error *err)
{
    const struct eval_set *set = e->set;
    TRY(coco_metrics_init(&e->coco, set->class_count, err));
    if (e->options.has_map) {
        TRY(map_metrics_init(&e->map, set->class_count, e->options.rules, e->options.map_iou, err));
    }
    for (size_t i = 0; i < set->count; i++) {
        struct eval_image image = eval_set_image(set, i);
        TRY(coco_metrics_add(&e->coco, &image, err));
        if (e->options.has_map) {
            TRY(map_metrics_add(&e->map, &image, err));
        }
        for (size_t d = 0; d < image.detection_count; d++) {
            e->rows[image.detections[d].class_id].detections++;
        }
        e->failures += set->pictures[i].has_failed;
    }
    e->images = set->count;
    return OK;
}

/* Of all classes together: the least, above which there is nothing that has not passed its own. */
static double passed_threshold(const struct evaluation *e, int class_id)
{
    const float *thresholds = e->options.thresholds;
    float least = thresholds[0];
    for (size_t k = 1; k < e->set->class_count; k++) {
        least = thresholds[k] < least ? thresholds[k] : least;
    }
    return (double)(class_id == PR_ALL_CLASSES ? least : thresholds[class_id]);
}

static enum result measure_point(struct evaluation *e, int class_id, struct evaluation_row *row,
                                 struct error *err)
{
    struct pr_curve curve;
    enum result result = pr_curve_build(&e->coco, class_id, 0, &curve, err);
    if (result == OK) {
        struct pr_best best;
        bool is_fixed = e->options.threshold >= 0;
        (void)pr_curve_best(&curve, &best);
        row->truths = curve.truth_count;
        bool is_by_class = !is_fixed && e->options.thresholds;
        row->threshold = is_fixed      ? e->options.threshold
                         : is_by_class ? passed_threshold(e, class_id)
                                       : best.threshold;
        row->at = is_fixed || is_by_class ? pr_curve_at(&curve, row->threshold) : best.point;
    }
    pr_curve_free(&curve);
    return result;
}

static enum result measure_map(struct evaluation *e, struct error *err)
{
    const struct evaluation_options *o = &e->options;
    for (size_t k = 0; k < e->set->class_count; k++) {
        struct evaluation_row *row = &e->rows[k];
        TRY(map_metrics_class(&e->map, k, o->points, &row->map_ap, err));
        TRY(map_metrics_counts(&e->map, k, e->map_threshold, &row->counts, err));
    }
    TRY(map_metrics_mean(&e->map, o->points, o->absent_is_zero, &e->all.map_ap, err));
    return map_metrics_total(&e->map, e->map_threshold, &e->all.counts, err);
}

static enum result measure(struct evaluation *e, struct error *err)
{
    TRY(match(e, err));
    for (size_t k = 0; k < e->set->class_count; k++) {
        coco_metrics_class(&e->coco, k, e->rows[k].numbers);
        TRY(measure_point(e, (int)k, &e->rows[k], err));
        e->all.detections += e->rows[k].detections;
    }
    coco_metrics_overall(&e->coco, e->all.numbers);
    TRY(measure_point(e, PR_ALL_CLASSES, &e->all, err));
    calibration_measure(&e->coco, &e->calibration);
    e->map_threshold = e->options.threshold >= 0 ? e->options.threshold : DARKNET_THRESHOLD;
    return e->options.has_map ? measure_map(e, err) : OK;
}

enum result evaluation_measure(const struct eval_set *set, const struct evaluation_options *options,
                               struct evaluation *evaluation, struct error *err)
{
    memset(evaluation, 0, sizeof *evaluation);
    evaluation->options = *options;
    evaluation->set = set;
    evaluation->rows = mem_alloc(set->class_count, sizeof *evaluation->rows);
    if (!evaluation->rows) {
        return mem_error(err, "evaluation");
    }
    return measure(evaluation, err);
}

void evaluation_free(struct evaluation *evaluation)
{
    coco_metrics_free(&evaluation->coco);
    map_metrics_free(&evaluation->map);
    mem_free(evaluation->rows);
    memset(evaluation, 0, sizeof *evaluation);
}

double evaluation_best_threshold(const struct evaluation *evaluation, size_t class_id)
{
    const struct evaluation_row *own = &evaluation->rows[class_id], *all = &evaluation->all;
    return own->at.f1 > 0 ? own->threshold : all->at.f1 > 0 ? all->threshold : DARKNET_THRESHOLD;
}
