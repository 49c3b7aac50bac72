#include "doctor/heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "net/cfg_edit.h"

enum { CFG_MAX_BYTES = 64 * 1024 * 1024, LIST_BYTES = 12000 };

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

static enum result read_head(struct network *net, int index, struct anchor_head *head,
                             struct error *err)
{
    struct layer *l = &net->layers[index];
    struct shape in = l->input_shapes[0];
    head->layer = index;
    head->section = l->section;
    head->in_cells = strcmp(l->ops->name, "region") == 0;
    head->stride = (float)net->size.w / (float)in.w;
    if (index > 0 && strcmp(net->layers[index - 1].ops->name, "convolutional") == 0) {
        head->conv = net->layers[index - 1].section;
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
    heads->count = 0;
    heads->net_w = net->size.w;
    heads->net_h = net->size.h;
    heads->letterbox = net->options.letter_box;
    for (int i = 0; i < net->layer_count; i++) {
        if (!net->layers[i].ops->head) {
            continue;
        }
        if (heads->count == HEADS_MAX) {
            return error_at(err, ERR_UNSUPPORTED, net->cfg.path, net->layers[i].section->line,
                            "more than %d detection heads", HEADS_MAX);
        }
        struct anchor_head *head = &heads->heads[heads->count++];
        *head = (struct anchor_head){0};
        TRY(read_head(net, i, head, err));
    }
    if (heads->count == 0) {
        return error_at(err, ERR_UNSUPPORTED, net->cfg.path, 0, "no detection head, no anchors");
    }
    qsort(heads->heads, (size_t)heads->count, sizeof heads->heads[0], by_stride);
    return OK;
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
    const struct anchor_head *head = &heads->heads[0];
    float unit = head->in_cells ? head->stride / 10000 : 1;
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

/* key = text in the section: the line that has it, or a new one under the header. */
static enum result set_key(struct cfg_edits *edits, struct cfg_section *section, const char *key,
                           const char *text, struct error *err)
{
    const struct cfg_option *option = cfg_find(section, key);
    if (option) {
        return cfg_edits_add(edits, option->line, false, err, "%s", text);
    }
    return cfg_edits_add(edits, section->line, true, err, "%s=%s", key, text);
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
    return is_same ? OK : set_key(edits, head->section, "mask", text, err);
}

static enum result edit_head(struct cfg_edits *edits, const struct anchor_head *head,
                             const struct anchor *anchors, const int place[3], struct error *err)
{
    int count = place[0];
    int first = place[1];
    int slots = place[2];
    char text[LIST_BYTES];
    list_anchors(head, anchors, count, text);
    TRY(set_key(edits, head->section, "anchors", text, err));
    if (count != head->num) {
        snprintf(text, sizeof text, "%d", count);
        TRY(set_key(edits, head->section, "num", text, err));
    }
    if (!head->in_cells) {
        TRY(set_mask(edits, head, first, slots, err));
    }
    if (slots == head->slots) {
        return OK;
    }
    if (!head->conv) {
        return cfg_error(head->section, NULL, err,
                         "no convolution above it whose filters could be changed");
    }
    snprintf(text, sizeof text, "%d", slots * head->entries);
    return set_key(edits, head->conv, "filters", text, err);
}

static enum result edit_heads(const struct anchor_heads *heads, const struct anchor *anchors,
                              int count, struct cfg_edits *edits, struct error *err)
{
    int slots[HEADS_MAX];
    TRY(heads_share(heads, count, slots, err));
    for (int i = 0, first = 0; i < heads->count; i++) {
        const int place[3] = {count, first, slots[i]};
        TRY(edit_head(edits, &heads->heads[i], anchors, place, err));
        first += slots[i];
    }
    return OK;
}

static enum result write_text(const char *path, const struct cfg_text *text, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    fwrite(text->bytes, 1, text->size, file.stream);
    return atomic_commit(&file, err);
}

enum result heads_write(const struct anchor_heads *heads, const struct network *net,
                        const struct anchor *anchors, int count, const char *path,
                        struct error *err)
{
    struct cfg_edits edits = {0};
    struct cfg_text text = {0};
    struct cfg_text changed = {0};
    struct network check = {0};
    enum result result = edit_heads(heads, anchors, count, &edits, err);
    if (result == OK) {
        result = file_read(net->cfg.path, CFG_MAX_BYTES, &text.bytes, &text.size, err);
    }
    if (result == OK) {
        result = cfg_edits_apply(&edits, net->cfg.path, &text, &changed, err);
    }
    if (result == OK) { /* what is written can be read again */
        result = network_parse(path, changed.bytes, changed.size, 0, 0, &check, err);
    }
    if (result == OK) {
        result = write_text(path, &changed, err);
    }
    network_free(&check);
    mem_free(text.bytes);
    mem_free(changed.bytes);
    cfg_edits_free(&edits);
    return result;
}
