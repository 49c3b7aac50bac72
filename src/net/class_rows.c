#include "net/class_rows.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"

/* Its number in the list; -1: not in it, or twice. */
static int find_once(const char *name, char *const *names, size_t count)
{
    int found = -1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) != 0) {
            continue;
        }
        if (found >= 0) {
            return -1;
        }
        found = (int)i;
    }
    return found;
}

enum result class_match_make(char *const *names, size_t count, char *const *old, size_t old_count,
                             struct class_match *match, struct error *err)
{
    *match =
        (struct class_match){.count = count, .old_count = old_count, .is_same = count == old_count};
    match->old_of = mem_alloc(count, sizeof *match->old_of);
    if (!match->old_of) {
        return mem_error(err, "class names");
    }
    for (size_t i = 0; i < count; i++) {
        match->old_of[i] = find_once(names[i], old, old_count);
        match->matched += match->old_of[i] >= 0;
        match->is_same = match->is_same && match->old_of[i] == (int)i;
    }
    return OK;
}

void class_match_free(struct class_match *match)
{
    mem_free(match->old_of);
    *match = (struct class_match){0};
}

const char *class_match_other_case(const char *name, char *const *old, size_t old_count)
{
    for (size_t i = 0; i < old_count; i++) {
        if (strcasecmp(name, old[i]) == 0 && strcmp(name, old[i]) != 0) {
            return old[i];
        }
    }
    return NULL;
}

const struct layer *class_rows_head(const struct network *net, int layer)
{
    for (int i = layer + 1; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->ops->head && l->inputs[0] == layer) {
            return l;
        }
    }
    return NULL;
}

static bool row_keeps(const struct head_info *head, size_t row)
{
    int c = (int)(row % (size_t)head->entries) - head->objectness - 1;
    return c >= 0 && (c < head->first_class || c >= head->class_end);
}

bool class_rows_next(const struct network *net, int layer, const struct param *p, size_t *first,
                     size_t *end)
{
    const struct layer *l = &net->layers[layer], *above = class_rows_head(net, layer);
    const struct head_info *head = above ? above->ops->head(above) : NULL;
    if (!head || head->class_end - head->first_class == head->classes) {
        *first = *end;
        *end = p->count;
        return *first < *end;
    }
    size_t rows = (size_t)l->out.c, row = p->count / rows, from = *end / row, to;
    while (from < rows && row_keeps(head, from)) {
        from++;
    }
    for (to = from; to < rows && !row_keeps(head, to);) {
        to++;
    }
    *first = from * row;
    *end = to * row;
    return from < to;
}

size_t class_rows_moving(const struct network *net, int layer, const struct param *p)
{
    size_t first, end = 0, count = 0;
    while (class_rows_next(net, layer, p, &first, &end)) {
        count += end - first;
    }
    return count;
}

size_t class_rows_take(const struct layer *l, const struct head_info *head, const struct param *p,
                       const float *old, const struct class_match *match)
{
    size_t row = p->count / (size_t)l->out.c, taken = 0;
    int around = head->objectness + 1, old_entries = around + (int)match->old_count;
    for (int slot = 0; slot < head->slots; slot++) {
        for (int e = 0; e < head->entries; e++) {
            int from = e < around ? e : match->old_of[e - around];
            if (from < 0) {
                continue;
            }
            from += e < around ? 0 : around;
            memcpy(p->data + (size_t)(slot * head->entries + e) * row,
                   old + (size_t)(slot * old_entries + from) * row, row * sizeof *old);
            taken += row;
        }
    }
    return taken;
}
