#include "doctor/heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "net/cfg_edit.h"

enum { LIST_BYTES = 12000 };

/* ---- reading ---- */

static enum result read_anchors(struct anchor_head *head, struct error *err)
{
    float *values = NULL;
    size_t count = 0;
    float scale = head->in_cells ? head->stride : 1;
    TRY(cfg_floats(head->section, "anchors", &values, &count, err));
    for (int i = 0; i < head->num; i++) {
        size_t at = 2 * (size_t)i;
        const float fallback = 0.5f; /* Darknet's */
        head->anchors[i] = (struct anchor){(at < count ? values[at] : fallback) * scale,
                                           (at + 1 < count ? values[at + 1] : fallback) * scale};
    }
    mem_free(values);
    return OK;
}

static enum result read_mask(struct anchor_head *head, struct error *err)
{
    int *values = NULL;
    size_t count = 0;
    if (!head->in_cells) {
        TRY(cfg_ints(head->section, "mask", &values, &count, err));
    }
    bool fits = count <= ANCHORS_MAX;
    head->slots = count > 0 ? (int)count : head->num;
    for (int i = 0; i < head->slots && fits; i++) {
        head->mask[i] = count > 0 ? values[i] : i;
    }
    mem_free(values);
    return fits ? OK : cfg_error(head->section, NULL, err, "more than %d anchors", ANCHORS_MAX);
}

static enum result read_head(const struct network *net, const struct layer *l,
                             struct anchor_head *head, struct error *err)
{
    struct shape in = l->input_shapes[0];
    head->layer = l->index;
    head->classes = l->ops->head(l)->classes;
    head->section = l->section;
    head->in_cells = strcmp(l->ops->name, "region") == 0;
    head->stride = (float)net->size.w / (float)in.w;
    if (l->index > 0 && strcmp(net->layers[l->index - 1].ops->name, "convolutional") == 0) {
        head->conv = net->layers[l->index - 1].section;
    }
    TRY(cfg_int(l->section, "num", 1, 1, ANCHORS_MAX, &head->num, err));
    TRY(read_anchors(head, err));
    TRY(read_mask(head, err));
    head->entries = in.c / head->slots;
    return OK;
}

static int by_stride(const void *a, const void *b)
{
    const struct anchor_head *x = a;
    const struct anchor_head *y = b;
    return x->stride != y->stride ? (x->stride > y->stride) - (x->stride < y->stride)
                                  : (x->layer > y->layer) - (x->layer < y->layer);
}

enum result heads_read(struct network *net, struct anchor_heads *heads, struct error *err)
{
    size_t count = (size_t)network_head_count(net);
    heads->heads = mem_alloc(count, sizeof *heads->heads);
    if (!heads->heads) {
        return mem_error(err, "anchors");
    }
    heads->net_w = net->size.w;
    heads->net_h = net->size.h;
    heads->letterbox = net->options.letter_box;
    const struct layer *head;
    while ((head = network_head_layer(net, heads->count)) != NULL) {
        TRY(read_head(net, head, &heads->heads[heads->count++], err));
    }
    if (heads->count == 0) {
        return error_at(err, ERR_UNSUPPORTED, net->cfg.path, 0, "no detection head, no anchors");
    }
    qsort(heads->heads, (size_t)heads->count, sizeof heads->heads[0], by_stride);
    return OK;
}

void heads_free(struct anchor_heads *heads)
{
    mem_free(heads->heads);
    *heads = (struct anchor_heads){0};
}

int heads_anchors(const struct anchor_heads *heads, struct anchor *anchors, int *owner)
{
    int count = 0;
    for (int i = 0; i < heads->count; i++) {
        const struct anchor_head *head = &heads->heads[i];
        for (int k = 0; k < head->slots && count < ANCHORS_MAX; k++) {
            if (owner) {
                owner[count] = i;
            }
            anchors[count++] = head->anchors[head->mask[k]];
        }
    }
    return count;
}

int heads_find(const struct anchor_heads *heads, float w, float h)
{
    for (int i = 0; i < heads->count; i++) {
        const struct anchor_head *head = &heads->heads[i];
        int best = anchor_best(head->anchors, head->num, w, h);
        for (int k = 0; k < head->slots; k++) {
            if (head->mask[k] == best) {
                return i;
            }
        }
    }
    return -1;
}

struct anchor heads_box_size(const struct anchor_heads *heads, const struct box_cxcywh_norm *box,
                             int picture_w, int picture_h)
{
    float w = (float)heads->net_w;
    float h = (float)heads->net_h;
    if (heads->letterbox && picture_w > 0 && picture_h > 0) {
        float scale = fminf(w / (float)picture_w, h / (float)picture_h);
        w = (float)picture_w * scale;
        h = (float)picture_h * scale;
    }
    return (struct anchor){box->w * w, box->h * h};
}

/* ---- writing ---- */

enum result heads_share(const struct anchor_heads *heads, int count, int *slots, struct error *err)
{
    int used = 0;
    for (int i = 0; i < heads->count; i++) {
        used += heads->heads[i].slots;
    }
    if (count < heads->count) {
        return error_set(err, ERR_ARG, "%d anchors are too few for %d detection heads", count,
                         heads->count);
    }
    int left = count % heads->count;
    for (int i = 0; i < heads->count; i++) {
        bool gets_more = i >= heads->count - left;
        slots[i] = count == used ? heads->heads[i].slots : count / heads->count + gets_more;
    }
    return OK;
}

void heads_round(const struct anchor_heads *heads, struct anchor *anchors, int count)
{
    bool in_cells = heads->count > 0 && heads->heads[0].in_cells; /* no heads without a cfg */
    float unit = in_cells ? heads->heads[0].stride / 10000 : 1;
    for (int i = 0; i < count; i++) {
        anchors[i].w = fmaxf(roundf(anchors[i].w / unit), 1) * unit;
        anchors[i].h = fmaxf(roundf(anchors[i].h / unit), 1) * unit;
    }
}

static void list_anchors(const struct anchor_head *head, const struct anchor *anchors, int count,
                         char *text)
{
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const char *comma = i + 1 < count ? ", " : "";
        double w = (double)anchors[i].w;
        double h = (double)anchors[i].h;
        double scale = (double)head->stride;
        used += (size_t)(head->in_cells ? snprintf(text + used, LIST_BYTES - used, "%.4f,%.4f%s",
                                                   w / scale, h / scale, comma)
                                        : snprintf(text + used, LIST_BYTES - used, "%.0f,%.0f%s", w,
                                                   h, comma));
    }
}

static enum result set_mask(struct cfg_edits *edits, const struct anchor_head *head, int first,
                            int slots, struct error *err)
{
    char text[ANCHORS_MAX * 5];
    size_t used = 0;
    bool is_same = slots == head->slots && cfg_find(head->section, "mask");
    for (int i = 0; i < slots; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d", i ? "," : "", first + i);
        is_same = is_same && head->mask[i] == first + i;
    }
    return is_same ? OK : cfg_edits_set(edits, head->section, "mask", text, err);
}

static enum result edit_number(struct cfg_edits *edits, struct cfg_section *section,
                               const char *key, int value, struct error *err)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    return cfg_edits_set(edits, section, key, text, err);
}

/* The share of one head: `slots` of `count` anchors from `first` on. */
struct head_share {
    int count, first, slots;
};

static enum result edit_anchors(struct cfg_edits *edits, const struct anchor_head *head,
                                const struct anchor *anchors, const struct head_share *share,
                                struct error *err)
{
    char text[LIST_BYTES];
    bool is_same = share->count == head->num && cfg_find(head->section, "anchors");
    for (int i = 0; is_same && i < head->num; i++) {
        is_same = anchors[i].w == head->anchors[i].w && anchors[i].h == head->anchors[i].h;
    }
    if (!is_same) {
        list_anchors(head, anchors, share->count, text);
        TRY(cfg_edits_set(edits, head->section, "anchors", text, err));
    }
    if (share->count != head->num) {
        TRY(edit_number(edits, head->section, "num", share->count, err));
    }
    return head->in_cells ? OK : set_mask(edits, head, share->first, share->slots, err);
}

static enum result edit_channels(struct cfg_edits *edits, const struct anchor_head *head, int slots,
                                 int classes, struct error *err)
{
    int filters = slots * (head->entries - head->classes + classes);
    if (classes != head->classes) {
        const struct cfg_option *counters = cfg_find(head->section, "counters_per_class");
        if (counters) {
            return cfg_error(head->section, counters, err,
                             "it counts the old classes (remove the line from a copy of the cfg)");
        }
        const struct cfg_option *range = cfg_find(head->section, "class_range");
        if (range) {
            return cfg_error(head->section, range, err,
                             "it shares out the old classes (take the cfg from before they were "
                             "added)");
        }
        TRY(edit_number(edits, head->section, "classes", classes, err));
    }
    if (filters == head->slots * head->entries) {
        return OK;
    }
    if (!head->conv) {
        return cfg_error(head->section, NULL, err,
                         "no convolution above it whose filters could be changed");
    }
    return edit_number(edits, head->conv, "filters", filters, err);
}

enum result heads_edit(const struct anchor_heads *heads, const struct anchor *anchors, int count,
                       int classes, struct cfg_edits *edits, struct error *err)
{
    int slots[ANCHORS_MAX];
    if (anchors) {
        TRY(heads_share(heads, count, slots, err));
    }
    for (int i = 0, first = 0; i < heads->count; i++) {
        const struct anchor_head *head = &heads->heads[i];
        const struct head_share share = {count, first, anchors ? slots[i] : head->slots};
        if (anchors) {
            TRY(edit_anchors(edits, head, anchors, &share, err));
        }
        TRY(edit_channels(edits, head, share.slots, classes ? classes : head->classes, err));
        first += share.slots;
    }
    return OK;
}

enum result heads_write(const struct anchor_heads *heads, const struct network *net,
                        const struct anchor *anchors, int count, const char *path,
                        struct error *err)
{
    struct cfg_edits edits = {0};
    struct cfg_text text = {0};
    struct cfg_text changed = {0};
    enum result result = heads_edit(heads, anchors, count, 0, &edits, err);
    if (result == OK) {
        result = cfg_edits_make(&edits, net->cfg.path, path, &text, &changed, err);
    }
    if (result == OK) {
        result = atomic_write(path, changed.bytes, changed.size, err);
    }
    mem_free(text.bytes);
    mem_free(changed.bytes);
    cfg_edits_free(&edits);
    return result;
}
