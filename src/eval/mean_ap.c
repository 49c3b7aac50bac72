#include "eval/mean_ap.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum result map_metrics_init(struct map_metrics *metrics, size_t class_count, enum map_rules rules,
                             double iou, struct error *err)
{
    memset(metrics, 0, sizeof *metrics);
    metrics->classes = mem_alloc(class_count, sizeof *metrics->classes);
    if (!metrics->classes) {
        return mem_error(err, "metrics");
    }
    metrics->class_count = class_count;
    metrics->rules = rules;
    metrics->iou = iou;
    return OK;
}

void map_metrics_free(struct map_metrics *metrics)
{
    for (size_t i = 0; i < metrics->class_count; i++) {
        mem_free(metrics->classes[i].matches);
    }
    mem_free(metrics->classes);
    memset(metrics, 0, sizeof *metrics);
}

/* The truths of one class in a picture; numbers are those of the class's counted truths. */
struct truth_run {
    const struct eval_image *image;
    const struct eval_key *keys;
    size_t count;
    size_t first_number;
};

struct best {
    double iou;
    size_t number; /* SIZE_MAX: an ignored one, or none */
};

static struct best best_of(const struct truth_run *run, const struct eval_box *box, bool counted,
                           bool ignored)
{
    struct best best = {0, SIZE_MAX};
    size_t number = run->first_number;
    for (size_t i = 0; i < run->count; i++) {
        const struct eval_truth *truth = &run->image->truths[run->keys[i].index];
        size_t own = truth->ignore ? SIZE_MAX : number++;
        if (truth->ignore ? !ignored : !counted) {
            continue;
        }
        double iou = eval_iou(box, &truth->box);
        if (iou > best.iou) {
            best = (struct best){iou, own};
        }
    }
    return best;
}

/* False: the detection is dropped. */
static bool match(const struct map_metrics *metrics, const struct truth_run *run,
                  const struct eval_detection *detection, struct map_match *m)
{
    struct best best;
    bool near;
    if (metrics->rules == MAP_VOC) {
        best = best_of(run, &detection->box, true, true);
        near = best.iou >= metrics->iou;
        if (near && best.number == SIZE_MAX) {
            return false;
        }
    } else {
        if (!(detection->score > 0)) {
            return false;
        }
        best = best_of(run, &detection->box, true, false);
        near = best.iou > metrics->iou;
        if (!near && best_of(run, &detection->box, false, true).iou > metrics->iou) {
            return false;
        }
    }
    m->truth = near ? best.number : SIZE_MAX;
    m->iou = near ? best.iou : 0;
    return true;
}

static enum result match_run(struct map_metrics *metrics, const struct truth_run *run,
                             const struct eval_key *detections, size_t count, struct error *err)
{
    struct map_class *class = &metrics->classes[detections->class_id];
    for (size_t i = 0; i < count; i++) {
        const struct eval_detection *detection = &run->image->detections[detections[i].index];
        struct map_match m = {
            .score = detection->score, .image = run->image->id, .index = detections[i].index};
        if (!match(metrics, run, detection, &m)) {
            continue;
        }
        TRY(mem_grow((void **)&class->matches, class->count, &class->capacity, sizeof m, err));
        class->matches[class->count++] = m;
        class->sorted = false;
    }
    return OK;
}

static enum result match_image(struct map_metrics *metrics, const struct eval_image *image,
                               const struct eval_key *detections, const struct eval_key *truths,
                               struct error *err)
{
    size_t detections_left = image->detection_count;
    size_t truths_left = image->truth_count;
    while (detections_left || truths_left) {
        int class_id = detections_left ? detections->class_id : truths->class_id;
        if (truths_left && truths->class_id < class_id) {
            class_id = truths->class_id;
        }
        struct map_class *class = &metrics->classes[class_id];
        size_t found = eval_run(detections, detections_left, class_id);
        struct truth_run run = {image, truths, eval_run(truths, truths_left, class_id),
                                class->truth_count};
        for (size_t i = 0; i < run.count; i++) {
            class->truth_count += !image->truths[truths[i].index].ignore;
        }
        if (found) {
            TRY(match_run(metrics, &run, detections, found, err));
        }
        detections += found;
        detections_left -= found;
        truths += run.count;
        truths_left -= run.count;
    }
    return OK;
}

enum result map_metrics_add(struct map_metrics *metrics, const struct eval_image *image,
                            struct error *err)
{
    struct eval_key *detections;
    struct eval_key *truths;
    TRY(eval_image_check(image, metrics->class_count, err));
    TRY(eval_image_keys(image, &detections, &truths, err));
    enum result result = match_image(metrics, image, detections, truths, err);
    mem_free(detections);
    mem_free(truths);
    return result;
}

static int compare_matches(const void *left, const void *right)
{
    const struct map_match *a = left;
    const struct map_match *b = right;
    int by_score = eval_compare_descending(a->score, b->score);
    if (by_score) {
        return by_score;
    }
    if (a->image != b->image) {
        return a->image < b->image ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static void sort_class(struct map_class *class)
{
    if (!class->sorted && class->count) {
        qsort(class->matches, class->count, sizeof *class->matches, compare_matches);
    }
    class->sorted = true;
}

/* Precision and recall after each rank. */
static void walk(const struct map_class *class, bool *used, double *precision, double *recall)
{
    size_t hits = 0;
    for (size_t i = 0; i < class->count; i++) {
        size_t truth = class->matches[i].truth;
        if (truth != SIZE_MAX && !used[truth]) {
            used[truth] = true;
            hits++;
        }
        precision[i] = eval_ratio(hits, i + 1 - hits);
        recall[i] = eval_ratio(hits, class->truth_count - hits);
    }
}

/* precision becomes its envelope: the highest at any rank from here on. */
static double average(const struct map_class *class, enum map_points points, double *precision,
                      const double *recall)
{
    for (size_t i = class->count - 1; i > 0; i--) {
        if (precision[i] > precision[i - 1]) {
            precision[i - 1] = precision[i];
        }
    }
    double sum = 0;
    if (points == MAP_AREA) {
        sum = recall[0] * precision[0];
        for (size_t i = 1; i < class->count; i++) {
            sum += (recall[i] - recall[i - 1]) * precision[i];
        }
        return sum;
    }
    size_t rank = 0;
    for (int p = 0; p < (int)points; p++) {
        double wanted = (double)p / (double)((int)points - 1);
        while (rank < class->count && recall[rank] < wanted) {
            rank++;
        }
        sum += rank < class->count ? precision[rank] : 0;
    }
    return sum / (double)points;
}

enum result map_metrics_class(struct map_metrics *metrics, size_t class_id, enum map_points points,
                              double *ap, struct error *err)
{
    struct map_class *class = &metrics->classes[class_id];
    *ap = 0;
    if (!class->count || !class->truth_count) {
        return OK;
    }
    sort_class(class);
    bool *used = mem_alloc(class->truth_count, sizeof *used);
    double *precision = mem_alloc(class->count, sizeof *precision);
    double *recall = mem_alloc(class->count, sizeof *recall);
    enum result result = OK;
    if (used && precision && recall) {
        walk(class, used, precision, recall);
        *ap = average(class, points, precision, recall);
    } else {
        result = mem_error(err, "metrics");
    }
    mem_free(used);
    mem_free(precision);
    mem_free(recall);
    return result;
}

enum result map_metrics_mean(struct map_metrics *metrics, enum map_points points,
                             bool absent_is_zero, double *mean, struct error *err)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < metrics->class_count; i++) {
        double ap;
        TRY(map_metrics_class(metrics, i, points, &ap, err));
        sum += ap;
        count += absent_is_zero || metrics->classes[i].truth_count > 0;
    }
    *mean = count ? sum / (double)count : -1;
    return OK;
}

static void finish_counts(struct map_counts *c)
{
    size_t kept = c->hits + c->misses;
    c->precision = eval_ratio(c->hits, c->misses);
    c->recall = eval_ratio(c->hits, c->lost);
    c->f1 = eval_f1(c->precision, c->recall);
    c->average_iou = kept ? c->iou_sum / (double)kept : 0;
}

/* first[truth] = rank of the match that has the truth. A truth lies in one picture, so array
 * order within a class's matches of that truth is the order of index. */
static void find_first(const struct map_class *class, enum map_rules rules, size_t *first)
{
    for (size_t i = 0; i < class->truth_count; i++) {
        first[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < class->count; i++) {
        const struct map_match *m = &class->matches[i];
        if (m->truth == SIZE_MAX) {
            continue;
        }
        size_t now = first[m->truth];
        if (now == SIZE_MAX || (rules == MAP_DARKNET && m->index < class->matches[now].index)) {
            first[m->truth] = i;
        }
    }
}

enum result map_metrics_counts(struct map_metrics *metrics, size_t class_id, double threshold,
                               struct map_counts *counts, struct error *err)
{
    struct map_class *class = &metrics->classes[class_id];
    size_t *first = mem_alloc(class->truth_count, sizeof *first);
    if (!first) {
        return mem_error(err, "metrics");
    }
    memset(counts, 0, sizeof *counts);
    sort_class(class);
    find_first(class, metrics->rules, first);
    for (size_t i = 0; i < class->count; i++) {
        const struct map_match *m = &class->matches[i];
        if (!(m->score > threshold)) {
            break;
        }
        if (m->truth != SIZE_MAX && first[m->truth] == i) {
            counts->hits++;
            counts->iou_sum += m->iou;
        } else {
            counts->misses++;
        }
    }
    mem_free(first);
    counts->lost = class->truth_count - counts->hits;
    finish_counts(counts);
    return OK;
}

enum result map_metrics_total(struct map_metrics *metrics, double threshold,
                              struct map_counts *counts, struct error *err)
{
    memset(counts, 0, sizeof *counts);
    for (size_t i = 0; i < metrics->class_count; i++) {
        struct map_counts own;
        TRY(map_metrics_counts(metrics, i, threshold, &own, err));
        counts->hits += own.hits;
        counts->misses += own.misses;
        counts->lost += own.lost;
        counts->iou_sum += own.iou_sum;
    }
    finish_counts(counts);
    return OK;
}
