#include "data/truth_hash.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

enum { LEAST_SLOTS = 64 };

/* Boxes have a size, so no number of theirs is a zero of two signs. */
static size_t hash_of(const struct truth *truth)
{
    const float numbers[] = {truth->box.cx, truth->box.cy, truth->box.w, truth->box.h};
    uint64_t hash = (uint64_t)truth->class_id;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        hash = (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (size_t)hash;
}

static bool is_same(const struct truth *a, const struct truth *b)
{
    return a->class_id == b->class_id && a->box.cx == b->box.cx && a->box.cy == b->box.cy &&
           a->box.w == b->box.w && a->box.h == b->box.h;
}

/* The slot of an equal truth, else the free one for it. */
static size_t *find_slot(const struct truth_hash *set, const struct truth *truths,
                         const struct truth *truth)
{
    size_t at = hash_of(truth) & (set->size - 1);
    while (set->slots[at] && !is_same(&truths[set->slots[at] - 1], truth)) {
        at = (at + 1) & (set->size - 1);
    }
    return &set->slots[at];
}

static enum result make_room(struct truth_hash *set, const struct truth *truths, size_t count,
                             struct error *err)
{
    if (set->size / 2 > count) {
        return OK;
    }
    struct truth_hash larger = {.size = set->size ? 2 * set->size : LEAST_SLOTS};
    larger.slots = mem_alloc(larger.size, sizeof *larger.slots);
    if (!larger.slots) {
        return mem_error(err, "labels");
    }
    for (size_t i = 0; i < count; i++) {
        *find_slot(&larger, truths, &truths[i]) = i + 1;
    }
    truth_hash_free(set);
    *set = larger;
    return OK;
}

enum result truth_hash_add(struct truth_hash *set, const struct truth *truths, size_t count,
                           bool *is_there, struct error *err)
{
    TRY(make_room(set, truths, count, err));
    size_t *slot = find_slot(set, truths, &truths[count]);
    *is_there = *slot != 0;
    *slot = *is_there ? *slot : count + 1;
    return OK;
}

void truth_hash_free(struct truth_hash *set)
{
    mem_free(set->slots);
    *set = (struct truth_hash){0};
}
