#include "eval/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static const char *box_fault(const struct eval_box *box)
{
    if (!isfinite(box->x) || !isfinite(box->y) || !isfinite(box->w) || !isfinite(box->h)) {
        return "a coordinate is not a finite number";
    }
    if (!(box->w >= 0 && box->h >= 0)) {
        return "width or height is negative";
    }
    return NULL;
}

static enum result object_fault(const struct eval_image *image, const char *kind, size_t index,
                                const char *fault, struct error *err)
{
    return error_set(err, ERR_FORMAT, "image %" PRId64 ", %s %zu: %s", image->id, kind, index,
                     fault);
}

enum result eval_image_check(const struct eval_image *image, size_t class_count, struct error *err)
{
    for (size_t i = 0; i < image->truth_count; i++) {
        const struct eval_truth *t = &image->truths[i];
        const char *fault = box_fault(&t->box);
        if (!fault && !isfinite(t->area)) {
            fault = "the area is not a finite number";
        }
        if (!fault && (t->class_id < 0 || (size_t)t->class_id >= class_count)) {
            fault = "there is no such class";
        }
        if (fault) {
            return object_fault(image, "truth", i, fault, err);
        }
    }
    for (size_t i = 0; i < image->detection_count; i++) {
        const struct eval_detection *d = &image->detections[i];
        const char *fault = box_fault(&d->box);
        if (!fault && !isfinite(d->score)) {
            fault = "the score is not a finite number";
        }
        if (!fault && (d->class_id < 0 || (size_t)d->class_id >= class_count)) {
            fault = "there is no such class";
        }
        if (fault) {
            return object_fault(image, "detection", i, fault, err);
        }
    }
    return OK;
}

/* The order of operations is that of the reference (pycocotools): thresholds are met or missed
 * by one rounding. */
static double intersection(const struct eval_box *a, const struct eval_box *b)
{
    double w = fmin(a->w + a->x, b->w + b->x) - fmax(a->x, b->x);
    double h = fmin(a->h + a->y, b->h + b->y) - fmax(a->y, b->y);
    return w > 0 && h > 0 ? w * h : 0;
}

static double part_of(double shared, double area)
{
    return shared > 0 && area > 0 ? shared / area : 0;
}

double eval_iou(const struct eval_box *a, const struct eval_box *b)
{
    double shared = intersection(a, b);
    return part_of(shared, a->w * a->h + b->w * b->h - shared);
}

double eval_covered(const struct eval_box *part, const struct eval_box *whole)
{
    return part_of(intersection(part, whole), part->w * part->h);
}

int eval_compare_descending(double a, double b)
{
    return (a < b) - (a > b);
}

static int compare_keys(const void *left, const void *right)
{
    const struct eval_key *a = left;
    const struct eval_key *b = right;
    if (a->class_id != b->class_id) {
        return a->class_id < b->class_id ? -1 : 1;
    }
    int by_score = eval_compare_descending(a->score, b->score);
    if (by_score) {
        return by_score;
    }
    return (a->index > b->index) - (a->index < b->index);
}

enum result eval_image_keys(const struct eval_image *image, struct eval_key **detections,
                            struct eval_key **truths, struct error *err)
{
    struct eval_key *found = mem_alloc(image->detection_count, sizeof *found);
    struct eval_key *wanted = mem_alloc(image->truth_count, sizeof *wanted);
    *detections = NULL;
    *truths = NULL;
    if (!found || !wanted) {
        mem_free(found);
        mem_free(wanted);
        return mem_error(err, "metrics");
    }
    for (size_t i = 0; i < image->detection_count; i++) {
        const struct eval_detection *d = &image->detections[i];
        found[i] = (struct eval_key){.score = d->score, .index = i, .class_id = d->class_id};
    }
    for (size_t i = 0; i < image->truth_count; i++) {
        wanted[i] = (struct eval_key){.index = i, .class_id = image->truths[i].class_id};
    }
    qsort(found, image->detection_count, sizeof *found, compare_keys);
    qsort(wanted, image->truth_count, sizeof *wanted, compare_keys);
    *detections = found;
    *truths = wanted;
    return OK;
}

size_t eval_run(const struct eval_key *keys, size_t count, int class_id)
{
    size_t n = 0;
    while (n < count && keys[n].class_id == class_id) {
        n++;
    }
    return n;
}

double eval_ratio(size_t hits, size_t misses)
{
    return hits ? (double)hits / (double)(hits + misses) : 0;
}

double eval_f1(double precision, double recall)
{
    double sum = precision + recall;
    return sum > 0 ? 2 * precision * recall / sum : 0;
}
