#include "layers/box.h"

#include <math.h>

#include "base/memory.h"

void detection_list_free(struct detection_list *list)
{
    mem_free(list->items);
    *list = (struct detection_list){0};
}

enum result detection_list_add(struct detection_list *list, const struct detection *item,
                               struct error *err)
{
    void *items = list->items;
    TRY(mem_grow(&items, list->count, &list->capacity, sizeof *list->items, err));
    list->items = items;
    list->items[list->count++] = *item;
    return OK;
}

/* fminf and fmaxf are calls: they tell numbers from what is none. */
static float less(float a, float b)
{
    return a < b ? a : b;
}

static float more(float a, float b)
{
    return a > b ? a : b;
}

/* Length of the common part of two intervals given by centre and length; negative if they are
 * apart. */
static float overlap(float centre_a, float length_a, float centre_b, float length_b)
{
    float low = more(centre_a - length_a / 2, centre_b - length_b / 2);
    float high = less(centre_a + length_a / 2, centre_b + length_b / 2);
    return high - low;
}

static float enclosing(float centre_a, float length_a, float centre_b, float length_b)
{
    float low = less(centre_a - length_a / 2, centre_b - length_b / 2);
    float high = more(centre_a + length_a / 2, centre_b + length_b / 2);
    return high - low;
}

float box_iou(const struct box_cxcywh_norm *a, const struct box_cxcywh_norm *b)
{
    float w = overlap(a->cx, a->w, b->cx, b->w);
    float h = overlap(a->cy, a->h, b->cy, b->h);
    if (!(w > 0.0f) || !(h > 0.0f) || !(a->w * a->h > 0.0f) || !(b->w * b->h > 0.0f)) {
        return 0.0f;
    }
    float common = w * h;
    float all = a->w * a->h + b->w * b->h - common;
    return common > 0.0f && all > 0.0f ? common / all : 0.0f;
}

float box_diou(const struct box_cxcywh_norm *a, const struct box_cxcywh_norm *b, float exponent)
{
    float iou = box_iou(a, b);
    float w = enclosing(a->cx, a->w, b->cx, b->w);
    float h = enclosing(a->cy, a->h, b->cy, b->h);
    float diagonal = w * w + h * h;
    if (!(diagonal > 0.0f)) {
        return iou;
    }
    float dx = a->cx - b->cx, dy = a->cy - b->cy;
    return iou - powf((dx * dx + dy * dy) / diagonal, exponent);
}
