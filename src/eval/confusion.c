#include "eval/confusion.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct pair {
    double iou;
    double score;
    size_t detection, truth;
};

struct pair_list {
    struct pair *items;
    size_t count, capacity;
};

enum result confusion_init(struct confusion *matrix, size_t class_count, double iou,
                           double threshold, struct error *err)
{
    size_t cells;
    memset(matrix, 0, sizeof *matrix);
    if (!size_mul(class_count + 1, class_count + 1, &cells)) {
        return mem_error(err, "confusion matrix");
    }
    matrix->counts = mem_alloc(cells, sizeof *matrix->counts);
    if (!matrix->counts) {
        return mem_error(err, "confusion matrix");
    }
    matrix->class_count = class_count;
    matrix->iou = iou;
    matrix->threshold = threshold;
    return OK;
}

void confusion_free(struct confusion *matrix)
{
    mem_free(matrix->counts);
    memset(matrix, 0, sizeof *matrix);
}

size_t confusion_count(const struct confusion *matrix, size_t truth, size_t detection)
{
    return matrix->counts[truth * (matrix->class_count + 1) + detection];
}

static void count(struct confusion *matrix, size_t truth, size_t detection)
{
    matrix->counts[truth * (matrix->class_count + 1) + detection]++;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left;
    const struct pair *b = right;
    int by_iou = eval_compare_descending(a->iou, b->iou);
    if (by_iou) {
        return by_iou;
    }
    int by_score = eval_compare_descending(a->score, b->score);
    if (by_score) {
        return by_score;
    }
    if (a->detection != b->detection) {
        return a->detection < b->detection ? -1 : 1;
    }
    return (a->truth > b->truth) - (a->truth < b->truth);
}

static enum result list_pairs(const struct eval_image *image, double limit, double threshold,
                              struct pair_list *list, struct error *err)
{
    for (size_t d = 0; d < image->detection_count; d++) {
        const struct eval_detection *detection = &image->detections[d];
        if (!(detection->score > threshold)) {
            continue;
        }
        for (size_t g = 0; g < image->truth_count; g++) {
            const struct eval_truth *truth = &image->truths[g];
            double iou = eval_iou(&detection->box, &truth->box);
            if (truth->ignore || !(iou >= limit)) {
                continue;
            }
            TRY(mem_grow((void **)&list->items, list->count, &list->capacity, sizeof *list->items,
                         err));
            list->items[list->count++] = (struct pair){iou, detection->score, d, g};
        }
    }
    if (list->count) {
        qsort(list->items, list->count, sizeof *list->items, compare_pairs);
    }
    return OK;
}

static bool is_covered(const struct eval_image *image, const struct eval_detection *detection,
                       double limit)
{
    for (size_t g = 0; g < image->truth_count; g++) {
        const struct eval_truth *truth = &image->truths[g];
        if (truth->ignore && truth->class_id == detection->class_id &&
            eval_covered(&detection->box, &truth->box) >= limit) {
            return true;
        }
    }
    return false;
}

enum result confusion_join(const struct eval_image *image, size_t class_count, double iou,
                           double threshold, ptrdiff_t *partners, struct error *err)
{
    struct pair_list list = {0};
    TRY(eval_image_check(image, class_count, err));
    bool *taken = mem_alloc(image->truth_count, sizeof *taken);
    enum result result = taken ? OK : mem_error(err, "confusion matrix");
    if (result == OK) {
        result = list_pairs(image, iou, threshold, &list, err);
    }
    for (size_t d = 0; d < image->detection_count; d++) {
        partners[d] = CONFUSION_ALONE;
    }
    for (size_t i = 0; result == OK && i < list.count; i++) {
        const struct pair *p = &list.items[i];
        if (!taken[p->truth] && partners[p->detection] == CONFUSION_ALONE) {
            taken[p->truth] = true;
            partners[p->detection] = (ptrdiff_t)p->truth;
        }
    }
    for (size_t d = 0; d < image->detection_count; d++) {
        const struct eval_detection *detection = &image->detections[d];
        if (partners[d] == CONFUSION_ALONE &&
            (!(detection->score > threshold) || is_covered(image, detection, iou))) {
            partners[d] = CONFUSION_LEFT_OUT;
        }
    }
    mem_free(list.items);
    mem_free(taken);
    return result;
}

static void count_joined(struct confusion *matrix, const struct eval_image *image,
                         const ptrdiff_t *partners, bool *found)
{
    for (size_t d = 0; d < image->detection_count; d++) {
        size_t class_id = (size_t)image->detections[d].class_id;
        if (partners[d] >= 0) {
            found[partners[d]] = true;
            count(matrix, (size_t)image->truths[partners[d]].class_id, class_id);
        } else if (partners[d] == CONFUSION_ALONE) {
            count(matrix, matrix->class_count, class_id);
        }
    }
    for (size_t g = 0; g < image->truth_count; g++) {
        if (!found[g] && !image->truths[g].ignore) {
            count(matrix, (size_t)image->truths[g].class_id, matrix->class_count);
        }
    }
}

enum result confusion_add(struct confusion *matrix, const struct eval_image *image,
                          struct error *err)
{
    ptrdiff_t *partners = mem_alloc(image->detection_count, sizeof *partners);
    bool *found = mem_alloc(image->truth_count, sizeof *found);
    enum result result = OK;
    if (!found || !partners) {
        result = mem_error(err, "confusion matrix");
    }
    if (result == OK) {
        result = confusion_join(image, matrix->class_count, matrix->iou, matrix->threshold,
                                partners, err);
    }
    if (result == OK) {
        count_joined(matrix, image, partners, found);
    }
    mem_free(partners);
    mem_free(found);
    return result;
}
