/* Regions that do not live at the same time share memory: greedy by size (Pisarchyk & Lee 2020,
 * arXiv:2001.03288). */
#include "net/plan_internal.h"

#include <stdlib.h>

#include "base/memory.h"

static bool live_together(const struct region *a, const struct region *b)
{
    return a->birth <= b->death && b->birth <= a->death;
}

/* Largest first; equal sizes in order of birth, so that the plan does not depend on the sort. */
static int compare_regions(const void *left, const void *right)
{
    const struct region *a = *(struct region *const *)left;
    const struct region *b = *(struct region *const *)right;
    if (a->floats != b->floats) {
        return a->floats > b->floats ? -1 : 1;
    }
    return (a->birth > b->birth) - (a->birth < b->birth);
}

/* Lowest offset at which `region` collides with none of the `count` in `placed`, which is kept sorted by
 * offset. */
static void place_region(struct region *region, struct region **placed, size_t count)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        if (!live_together(region, placed[i])) {
            continue;
        }
        if (offset + region->floats <= placed[i]->offset) {
            break;
        }
        size_t end = placed[i]->offset + placed[i]->floats;
        if (end > offset) {
            offset = end;
        }
    }
    region->offset = offset;
    size_t at = count;
    while (at > 0 && placed[at - 1]->offset > offset) {
        placed[at] = placed[at - 1];
        at--;
    }
    placed[at] = region;
}

static size_t collect(struct plan *p, struct region **list)
{
    size_t count = 0;
    for (int s = 0; s <= p->net->layer_count; s++) {
        list[count++] = &p->slots[s].data;
        list[count++] = &p->slots[s].grad;
    }
    for (int i = 0; i < p->net->layer_count; i++) {
        list[count++] = &p->saved[i];
        list[count++] = &p->remade[i];
    }
    for (int s = 0; p->bytes && s <= p->net->layer_count; s++) {
        list[count++] = &p->bytes->slots[s].region;
    }
    for (int i = 0; p->rounding && i < p->net->layer_count; i++) {
        list[count++] = &p->rounding->layers[i].copy;
        list[count++] = &p->rounding->layers[i].ranges;
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i]->floats > 0) {
            list[i]->floats = tensor_align(list[i]->floats);
            list[used++] = list[i];
        }
    }
    return used;
}

enum result plan_share(struct plan *p, struct error *err)
{
    size_t most = 7 * ((size_t)p->net->layer_count + 1);
    struct region **list = mem_alloc(most, sizeof *list);
    struct region **placed = mem_alloc(most, sizeof *placed);
    if (!list || !placed) {
        mem_free(list);
        mem_free(placed);
        return mem_error(err, "planning activations");
    }
    size_t count = collect(p, list);
    qsort(list, count, sizeof *list, compare_regions);
    size_t top = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        place_region(list[i], placed, i);
        size_t end = list[i]->offset + list[i]->floats;
        top = end > top ? end : top;
        total += list[i]->floats;
    }
    p->memory.activation_bytes = top * sizeof(float);
    p->memory.unshared_bytes = total * sizeof(float);
    mem_free(list);
    mem_free(placed);
    return OK;
}
