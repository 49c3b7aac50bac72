#include "run/suppress.h"

#include <stdbool.h>

#include "base/memory.h"

enum { ARRAYS = 5, BLOCK = 64 };

struct kept {
    float *left, *right, *top, *bottom, *area;
    size_t count;
};

enum result suppress_reserve(struct suppress_work *work, size_t count, struct error *err)
{
    if (count > work->capacity) {
        suppress_free(work);
        work->floats = mem_alloc_raw(count, ARRAYS * sizeof(float));
        if (!work->floats) {
            return mem_error(err, "suppressing boxes");
        }
        work->capacity = count;
    }
    return OK;
}

void suppress_free(struct suppress_work *work)
{
    mem_free(work->floats);
    *work = (struct suppress_work){0};
}

static struct kept empty(const struct suppress_work *work)
{
    float *next = work->floats;
    size_t n = work->capacity;
    return (struct kept){next, next + n, next + 2 * n, next + 3 * n, next + 4 * n, 0};
}

static void set(const struct kept *kept, size_t at, const struct box_cxcywh_norm *box)
{
    kept->left[at] = box->cx - box->w / 2;
    kept->right[at] = box->cx + box->w / 2;
    kept->top[at] = box->cy - box->h / 2;
    kept->bottom[at] = box->cy + box->h / 2;
    kept->area[at] = box->w * box->h;
}

static inline float less(float a, float b)
{
    return a < b ? a : b;
}

static inline float more(float a, float b)
{
    return a > b ? a : b;
}

/* Does box `at` overlap one of [first, end) more than the threshold? box_iou's arithmetic without its branches, so that the compiler
 * makes vectors of it. Two boxes that overlap have areas. */
static bool overlaps(const struct kept *kept, size_t at, size_t first, size_t end, float threshold)
{
    const float *restrict lefts = kept->left, *restrict rights = kept->right;
    const float *restrict tops = kept->top, *restrict bottoms = kept->bottom;
    const float *restrict areas = kept->area;
    float left = lefts[at], right = rights[at], top = tops[at], bottom = bottoms[at];
    float area = areas[at];
    int hits = 0;
    for (size_t k = first; k < end; k++) {
        float w = less(rights[k], right) - more(lefts[k], left);
        float h = less(bottoms[k], bottom) - more(tops[k], top);
        float common = w * h;
        float all = areas[k] + area - common;
        hits |= (w > 0.0f) & (h > 0.0f) & (common / all > threshold);
    }
    return hits;
}

/* Every penalty for distance is >= 0: without enough plain overlap its power need not be taken. */
static bool goes(const struct suppress_rule *rule, const struct kept *kept,
                 const struct detection *items, size_t i)
{
    for (size_t first = 0; first < kept->count; first += BLOCK) {
        size_t end = first + BLOCK < kept->count ? first + BLOCK : kept->count;
        if (!overlaps(kept, kept->count, first, end, rule->iou_threshold)) {
            continue;
        }
        bool is_gone = rule->exponent < 0.0f;
        for (size_t k = first; k < end && !is_gone; k++) {
            is_gone = overlaps(kept, kept->count, k, k + 1, rule->iou_threshold) &&
                      box_diou(&items[k].box, &items[i].box, rule->exponent) > rule->iou_threshold;
        }
        if (is_gone) {
            return true;
        }
    }
    return false;
}

size_t suppress_run(const struct suppress_rule *rule, struct detection *items, size_t count,
                    struct suppress_work *work)
{
    struct kept kept = empty(work);
    for (size_t i = 0; i < count && kept.count < rule->most; i++) {
        set(&kept, kept.count, &items[i].box);
        if (!goes(rule, &kept, items, i)) {
            items[kept.count++] = items[i];
        }
    }
    return kept.count;
}
