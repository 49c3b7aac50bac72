#include "doctor/near.h"

#include <math.h>

#include "base/memory.h"

static const float same_iou = 0.9f, other_iou = 0.95f;

/* An IoU of .9 leaves each side within a factor of 1 / .9, and each centre within (1 / .9 - 1) of
 * the side; a little more for rounding. */
static const double side_factor = 1.112, centre_share = 0.112;

/* Boxes are kept by a cell of their sides (logarithmic) and of their centre, in quarters of the
 * cell's side: what may lie on a box is in a few cells. Cells share lists by a hash; a list is in
 * the order of the boxes. */
static const double level_step = 1.25, cell_share = 0.25;

struct index {
    const struct truth *truths;
    size_t mask;       /* number of lists - 1 */
    int *first, *last; /* [mask + 1], -1: empty */
    int *next;         /* [count] */
};

struct cell {
    int level_w, level_h;
    int64_t x, y;
};

static int level_of(double side)
{
    const double lowest = -100; /* 2e-10: places stay whole numbers of few digits */
    return (int)fmax(floor(log(side) / log(level_step)), lowest);
}

static int64_t place_of(double centre, int level)
{
    return (int64_t)floor(centre / (cell_share * pow(level_step, level)));
}

static size_t list_of(const struct index *index, const struct cell *cell)
{
    uint64_t hash = (uint64_t)cell->level_w;
    hash = hash * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)cell->level_h;
    hash = hash * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)cell->x;
    hash = hash * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)cell->y;
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(hash ^ hash >> 32) & index->mask;
}

static void insert(struct index *index, int box)
{
    const struct box_cxcywh_norm *b = &index->truths[box].box;
    struct cell cell = {.level_w = level_of((double)b->w), .level_h = level_of((double)b->h)};
    cell.x = place_of((double)b->cx, cell.level_w);
    cell.y = place_of((double)b->cy, cell.level_h);
    size_t list = list_of(index, &cell);
    *(index->first[list] < 0 ? &index->first[list] : &index->next[index->last[list]]) = box;
    index->last[list] = box;
    index->next[box] = -1;
}

static bool lies_on(const struct truth *a, const struct truth *b, bool is_same_class)
{
    return (a->class_id == b->class_id) == is_same_class &&
           box_iou(&a->box, &b->box) >= (is_same_class ? same_iou : other_iou);
}

static void search_list(const struct index *index, size_t list, int box, bool is_same_class,
                        int *found)
{
    for (int i = index->first[list]; i >= 0 && (*found < 0 || i < *found); i = index->next[i]) {
        if (lies_on(&index->truths[i], &index->truths[box], is_same_class)) {
            *found = i;
        }
    }
}

static void search_levels(const struct index *index, int level_w, int level_h, int box,
                          struct near *near)
{
    const struct box_cxcywh_norm *b = &index->truths[box].box;
    double dx = centre_share * (double)b->w, dy = centre_share * (double)b->h;
    int64_t x_end = place_of((double)b->cx + dx, level_w);
    int64_t y_end = place_of((double)b->cy + dy, level_h);
    for (int64_t x = place_of((double)b->cx - dx, level_w); x <= x_end; x++) {
        for (int64_t y = place_of((double)b->cy - dy, level_h); y <= y_end; y++) {
            const struct cell cell = {level_w, level_h, x, y};
            size_t list = list_of(index, &cell);
            search_list(index, list, box, true, &near->same);
            search_list(index, list, box, false, &near->other);
        }
    }
}

static void search(const struct index *index, int box, struct near *near)
{
    const struct box_cxcywh_norm *b = &index->truths[box].box;
    int w_end = level_of((double)b->w * side_factor), h_end = level_of((double)b->h * side_factor);
    *near = (struct near){-1, -1};
    for (int level_w = level_of((double)b->w / side_factor); level_w <= w_end; level_w++) {
        for (int level_h = level_of((double)b->h / side_factor); level_h <= h_end; level_h++) {
            search_levels(index, level_w, level_h, box, near);
        }
    }
}

enum result near_find(const struct sample *sample, struct near **near, struct error *err)
{
    size_t count = sample->truth_count, lists = 1;
    *near = NULL;
    if (count == 0) {
        return OK;
    }
    while (lists < count) {
        lists *= 2;
    }
    int *block = mem_alloc(2 * lists + count, sizeof *block);
    *near = mem_alloc(count, sizeof **near);
    if (!block || !*near) {
        mem_free(block);
        mem_free(*near);
        *near = NULL;
        return mem_error(err, "boxes");
    }
    struct index index = {sample->truths, lists - 1, block, block + lists, block + 2 * lists};
    for (size_t i = 0; i < lists; i++) {
        index.first[i] = -1;
    }
    for (size_t i = 0; i < count; i++) {
        search(&index, (int)i, &(*near)[i]);
        insert(&index, (int)i);
    }
    mem_free(block);
    return OK;
}
