#include "eval/coco.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct {
    double low, high;
} area_ranges[COCO_AREA_COUNT] = {
    [COCO_AREA_ALL] = {0, 1e10},
    [COCO_AREA_SMALL] = {0, 1024},
    [COCO_AREA_MEDIUM] = {1024, 9216},
    [COCO_AREA_LARGE] = {9216, 1e10},
};

/* One class in one picture. */
struct block {
    const struct eval_image *image;
    const struct eval_key *detections; /* best first */
    size_t detection_count;
    const struct eval_key *truths;
    size_t truth_count;
    double *overlap; /* [detection_count][truth_count] */
    size_t *order;   /* truths, those that count first */
    bool *ignored;   /* [truth_count] in the current area range */
    bool *taken;     /* [truth_count] at the current threshold */
};

enum { NO_TRUTH = -1 };

const char *coco_number_name(enum coco_number number)
{
    static const char *const names[COCO_NUMBER_COUNT] = {
        "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
    };
    return names[number];
}

/* As numpy.linspace(.5, .95, 10) rounds. */
double coco_iou(size_t t)
{
    double step = (.95 - .5) / (COCO_IOUS - 1);
    return t == COCO_IOUS - 1 ? .95 : (double)t * step + .5;
}

/* As numpy.linspace(0, 1, 101) rounds. */
static double recall_point(size_t i)
{
    return i == COCO_RECALLS - 1 ? 1 : (double)i * .01;
}

enum result coco_metrics_init(struct coco_metrics *metrics, size_t class_count, struct error *err)
{
    memset(metrics, 0, sizeof *metrics);
    metrics->classes = mem_alloc(class_count, sizeof *metrics->classes);
    if (!metrics->classes) {
        return mem_error(err, "metrics");
    }
    metrics->class_count = class_count;
    return OK;
}

void coco_metrics_free(struct coco_metrics *metrics)
{
    for (size_t i = 0; i < metrics->class_count; i++) {
        mem_free(metrics->classes[i].matches);
    }
    mem_free(metrics->classes);
    memset(metrics, 0, sizeof *metrics);
}

static const struct eval_truth *truth_of(const struct block *b, size_t g)
{
    return &b->image->truths[b->truths[g].index];
}

static const struct eval_detection *detection_of(const struct block *b, size_t d)
{
    return &b->image->detections[b->detections[d].index];
}

static bool outside(double area, size_t range)
{
    return !(area >= area_ranges[range].low && area <= area_ranges[range].high);
}

static void measure_overlap(struct block *b)
{
    for (size_t d = 0; d < b->detection_count; d++) {
        const struct eval_box *box = &detection_of(b, d)->box;
        for (size_t g = 0; g < b->truth_count; g++) {
            const struct eval_truth *truth = truth_of(b, g);
            b->overlap[d * b->truth_count + g] =
                truth->ignore ? eval_covered(box, &truth->box) : eval_iou(box, &truth->box);
        }
    }
}

/* Fills ignored and order; returns how many truths count. */
static size_t order_truths(struct block *b, size_t range)
{
    size_t counted = 0;
    for (size_t g = 0; g < b->truth_count; g++) {
        const struct eval_truth *truth = truth_of(b, g);
        b->ignored[g] = truth->ignore || outside(truth->area, range);
        if (!b->ignored[g]) {
            b->order[counted++] = g;
        }
    }
    size_t last = counted;
    for (size_t g = 0; g < b->truth_count; g++) {
        if (b->ignored[g]) {
            b->order[last++] = g;
        }
    }
    return counted;
}

static ptrdiff_t best_truth(const struct block *b, size_t d, double limit)
{
    const double *overlap = b->overlap + d * b->truth_count;
    ptrdiff_t best = NO_TRUTH;
    for (size_t i = 0; i < b->truth_count; i++) {
        size_t g = b->order[i];
        if (b->taken[g] && !truth_of(b, g)->ignore) {
            continue;
        }
        if (best != NO_TRUTH && !b->ignored[best] && b->ignored[g]) {
            break;
        }
        if (overlap[g] >= limit) {
            limit = overlap[g];
            best = (ptrdiff_t)g;
        }
    }
    return best;
}

static void match_range(struct block *b, size_t range, struct coco_match *matches)
{
    for (size_t t = 0; t < COCO_IOUS; t++) {
        double limit = coco_iou(t);
        memset(b->taken, 0, b->truth_count * sizeof *b->taken);
        for (size_t d = 0; d < b->detection_count; d++) {
            uint16_t bit = (uint16_t)(1u << t);
            ptrdiff_t g = best_truth(b, d, limit);
            if (g != NO_TRUTH) {
                b->taken[g] = true;
                if (!b->ignored[g]) {
                    matches[d].hit[range] |= bit;
                }
                continue;
            }
            const struct eval_box *box = &detection_of(b, d)->box;
            if (!outside(box->w * box->h, range)) {
                matches[d].miss[range] |= bit;
            }
        }
    }
}

static enum result reserve(struct coco_class *class, size_t more, struct error *err)
{
    if (more > class->capacity - class->count) {
        size_t capacity = class->capacity + (more > class->capacity ? more : class->capacity);
        void *grown = mem_resize(class->matches, capacity, sizeof *class->matches);
        if (!grown) {
            return mem_error(err, "metrics");
        }
        class->matches = grown;
        class->capacity = capacity;
    }
    return OK;
}

static enum result match_block(struct block *b, struct coco_class *class, struct error *err)
{
    TRY(reserve(class, b->detection_count, err));
    struct coco_match *matches = class->matches ? class->matches + class->count : NULL;
    for (size_t d = 0; d < b->detection_count; d++) {
        matches[d] = (struct coco_match){
            .score = b->detections[d].score, .image = b->image->id, .rank = (uint16_t)d};
    }
    measure_overlap(b);
    for (size_t range = 0; range < COCO_AREA_COUNT; range++) {
        class->truth_count[range] += order_truths(b, range);
        match_range(b, range, matches);
    }
    class->count += b->detection_count;
    class->sorted = false;
    return OK;
}

/* Room for a class that has all of the picture's truths and as many detections as count. */
static enum result block_alloc(struct block *b, struct error *err)
{
    const struct eval_image *image = b->image;
    size_t rows =
        image->detection_count < COCO_MAX_DETECTIONS ? image->detection_count : COCO_MAX_DETECTIONS;
    size_t cells;
    if (!size_mul(rows, image->truth_count, &cells)) {
        return mem_error(err, "metrics");
    }
    b->overlap = mem_alloc(cells, sizeof *b->overlap);
    b->order = mem_alloc(image->truth_count, sizeof *b->order);
    b->ignored = mem_alloc(image->truth_count, sizeof *b->ignored);
    b->taken = mem_alloc(image->truth_count, sizeof *b->taken);
    return b->overlap && b->order && b->ignored && b->taken ? OK : mem_error(err, "metrics");
}

static enum result match_image(struct coco_metrics *metrics, struct block *b,
                               const struct eval_key *detections, const struct eval_key *truths,
                               struct error *err)
{
    size_t detections_left = b->image->detection_count;
    size_t truths_left = b->image->truth_count;
    while (detections_left || truths_left) {
        int class_id = detections_left ? detections->class_id : truths->class_id;
        if (truths_left && truths->class_id < class_id) {
            class_id = truths->class_id;
        }
        size_t found = eval_run(detections, detections_left, class_id);
        b->detections = detections;
        b->detection_count = found < COCO_MAX_DETECTIONS ? found : COCO_MAX_DETECTIONS;
        b->truths = truths;
        b->truth_count = eval_run(truths, truths_left, class_id);
        TRY(match_block(b, &metrics->classes[class_id], err));
        detections += found;
        detections_left -= found;
        truths += b->truth_count;
        truths_left -= b->truth_count;
    }
    return OK;
}

enum result coco_metrics_add(struct coco_metrics *metrics, const struct eval_image *image,
                             struct error *err)
{
    struct eval_key *detections;
    struct eval_key *truths;
    TRY(eval_image_check(image, metrics->class_count, err));
    TRY(eval_image_keys(image, &detections, &truths, err));
    struct block block = {.image = image};
    enum result result = block_alloc(&block, err);
    if (result == OK) {
        result = match_image(metrics, &block, detections, truths, err);
    }
    metrics->image_count += result == OK;
    mem_free(block.overlap);
    mem_free(block.order);
    mem_free(block.ignored);
    mem_free(block.taken);
    mem_free(detections);
    mem_free(truths);
    return result;
}

static int compare_matches(const void *left, const void *right)
{
    const struct coco_match *a = left;
    const struct coco_match *b = right;
    int by_score = eval_compare_descending(a->score, b->score);
    if (by_score) {
        return by_score;
    }
    if (a->image != b->image) {
        return a->image < b->image ? -1 : 1;
    }
    return (a->rank > b->rank) - (a->rank < b->rank);
}

void coco_metrics_sort(struct coco_class *class)
{
    if (!class->sorted && class->count) {
        qsort(class->matches, class->count, sizeof *class->matches, compare_matches);
    }
    class->sorted = true;
}

struct walk {
    enum coco_area area;
    size_t t;
    size_t max_detections;
    double truths;
    const uint32_t *weights; /* how often each match counts; NULL: once */
};

/* precision[i] = highest precision at any rank whose recall reaches the i-th point: each rank's
 * precision goes to the last point it reaches, then every point takes the best from itself on. */
static double walk(const struct coco_class *class, const struct walk *how,
                   double precision[COCO_RECALLS])
{
    double recall = 0;
    size_t hits = 0;
    size_t misses = 0;
    size_t point = 0;
    memset(precision, 0, COCO_RECALLS * sizeof *precision);
    for (size_t i = 0; i < class->count; i++) {
        const struct coco_match *m = &class->matches[i];
        size_t weight = how->weights ? how->weights[i] : 1;
        if (m->rank >= how->max_detections || weight == 0) {
            continue;
        }
        hits += weight * (m->hit[how->area] >> how->t & 1);
        misses += weight * (m->miss[how->area] >> how->t & 1);
        recall = (double)hits / how->truths;
        while (point + 1 < COCO_RECALLS && recall_point(point + 1) <= recall) {
            point++;
        }
        double now = eval_ratio(hits, misses);
        if (now > precision[point]) {
            precision[point] = now;
        }
    }
    for (size_t i = COCO_RECALLS - 1; i > 0; i--) {
        if (precision[i] > precision[i - 1]) {
            precision[i - 1] = precision[i];
        }
    }
    return recall;
}

void coco_metrics_curve(struct coco_metrics *metrics, size_t class_id, enum coco_area area,
                        size_t max_detections, struct coco_curve *curve)
{
    struct coco_class *class = &metrics->classes[class_id];
    coco_metrics_sort(class);
    for (size_t t = 0; t < COCO_IOUS; t++) {
        if (class->truth_count[area]) {
            const struct walk how = {.area = area,
                                     .t = t,
                                     .max_detections = max_detections,
                                     .truths = (double)class->truth_count[area]};
            curve->recall[t] = walk(class, &how, curve->precision[t]);
            continue;
        }
        curve->recall[t] = -1;
        for (size_t i = 0; i < COCO_RECALLS; i++) {
            curve->precision[t][i] = -1;
        }
    }
}

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

void coco_class_weighted(const struct coco_class *class, const uint32_t *weights, double truths,
                         double *ap50, double *ap)
{
    double precision[COCO_IOUS][COCO_RECALLS];
    struct walk how = {.area = COCO_AREA_ALL,
                       .max_detections = COCO_MAX_DETECTIONS,
                       .truths = truths,
                       .weights = weights};
    for (how.t = 0; how.t < COCO_IOUS; how.t++) {
        walk(class, &how, precision[how.t]);
    }
    *ap50 = mean(precision[0], COCO_RECALLS);
    *ap = mean(&precision[0][0], COCO_IOUS * COCO_RECALLS);
}

void coco_metrics_class(struct coco_metrics *metrics, size_t class_id,
                        double numbers[COCO_NUMBER_COUNT])
{
    static const enum coco_number ap[] = {COCO_AP, COCO_AP_SMALL, COCO_AP_MEDIUM, COCO_AP_LARGE};
    static const enum coco_number ar[] = {COCO_AR100, COCO_AR_SMALL, COCO_AR_MEDIUM, COCO_AR_LARGE};
    struct coco_curve curve;
    for (size_t area = 0; area < COCO_AREA_COUNT; area++) {
        coco_metrics_curve(metrics, class_id, (enum coco_area)area, COCO_MAX_DETECTIONS, &curve);
        numbers[ap[area]] = mean(&curve.precision[0][0], COCO_IOUS * COCO_RECALLS);
        numbers[ar[area]] = mean(curve.recall, COCO_IOUS);
        if (area == COCO_AREA_ALL) {
            numbers[COCO_AP50] = mean(curve.precision[0], COCO_RECALLS);
            numbers[COCO_AP75] = mean(curve.precision[5], COCO_RECALLS);
        }
    }
    coco_metrics_curve(metrics, class_id, COCO_AREA_ALL, 1, &curve);
    numbers[COCO_AR1] = mean(curve.recall, COCO_IOUS);
    coco_metrics_curve(metrics, class_id, COCO_AREA_ALL, 10, &curve);
    numbers[COCO_AR10] = mean(curve.recall, COCO_IOUS);
}

void coco_metrics_overall(struct coco_metrics *metrics, double numbers[COCO_NUMBER_COUNT])
{
    size_t valued[COCO_NUMBER_COUNT] = {0};
    for (size_t n = 0; n < COCO_NUMBER_COUNT; n++) {
        numbers[n] = 0;
    }
    for (size_t i = 0; i < metrics->class_count; i++) {
        double own[COCO_NUMBER_COUNT];
        coco_metrics_class(metrics, i, own);
        for (size_t n = 0; n < COCO_NUMBER_COUNT; n++) {
            if (own[n] >= 0) {
                numbers[n] += own[n];
                valued[n]++;
            }
        }
    }
    for (size_t n = 0; n < COCO_NUMBER_COUNT; n++) {
        numbers[n] = valued[n] ? numbers[n] / (double)valued[n] : -1;
    }
}
