#include "net/added_heads.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "layers/kinds.h"
#include "net/class_rows.h"

enum { SECTION_BYTES = 8192 };

/* The logit of a class for which a head is not: its logistic is 0 in any arithmetic of floats. */
static const float OFF = -100.0f;

/* What is added beside one of the old heads. */
struct branch {
    const struct layer *head, *conv;
    const struct layer *hidden; /* NULL: none that feeds the convolution alone */
    int input;                  /* the layer that it begins at */
};

/* ---- where heads are added ---- */

static bool is_kind(const struct layer *l, const char *name)
{
    return strcmp(l->ops->name, name) == 0;
}

static int count_readers(const struct network *net, int layer)
{
    int readers = 0;
    for (int i = layer + 1; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].input_count; k++) {
            readers += net->layers[i].inputs[k] == layer;
        }
    }
    return readers;
}

static enum result refuse(const struct layer *l, struct error *err, const char *why)
{
    return error_at(err, ERR_UNSUPPORTED, l->section->path, l->section->line,
                    "[%s] layer %d: no classes can be added: %s", l->section->name, l->index, why);
}

static enum result find_branch(const struct network *net, const struct layer *head,
                               struct branch *b, struct error *err)
{
    if (!is_kind(head, "yolo") && !is_kind(head, "Gaussian_yolo")) {
        return refuse(head, err, "its classes are scored against each other");
    }
    *b = (struct branch){.head = head, .conv = &net->layers[head->inputs[0]]};
    if (!is_kind(b->conv, "convolutional") || b->conv->inputs[0] == LAYER_IMAGE ||
        count_readers(net, b->conv->index) != 1) {
        return refuse(head, err, "it needs a convolution above it that feeds nothing else");
    }
    b->input = b->conv->inputs[0];
    const struct layer *above = &net->layers[b->input];
    if (is_kind(above, "convolutional") && above->inputs[0] != LAYER_IMAGE &&
        count_readers(net, b->input) == 1) {
        b->hidden = above;
        b->input = above->inputs[0];
    }
    return OK;
}

/* One branch for each grid; *branches is the caller's (mem_free). */
static enum result find_branches(const struct network *net, struct branch **branches, int *count,
                                 struct error *err)
{
    int heads = network_head_count(net);
    *count = 0;
    *branches = mem_alloc((size_t)heads, sizeof **branches);
    if (!*branches) {
        return mem_error(err, "adding classes");
    }
    for (int n = 0; n < heads; n++) {
        const struct layer *head = network_head_layer(net, n);
        bool is_there = false;
        struct branch found;
        TRY(find_branch(net, head, &found, err));
        for (int i = 0; i < *count; i++) {
            const struct shape *other = &(*branches)[i].head->out;
            is_there = is_there || (other->h == head->out.h && other->w == head->out.w);
        }
        if (!is_there) {
            (*branches)[(*count)++] = found;
        }
    }
    return *count > 0 ? OK
                      : error_at(err, ERR_UNSUPPORTED, net->cfg.path, 0,
                                 "no detection head, so no classes can be added");
}

/* ---- the cfg ---- */

static enum result set_number(struct cfg_edits *edits, struct cfg_section *section, const char *key,
                              int value, struct error *err)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    return cfg_edits_set(edits, section, key, text, err);
}

static int filters_of(const struct head_info *head, int classes)
{
    return head->slots * (head->objectness + 1 + classes);
}

/* The old heads: rows for more classes, for which they are not. */
static enum result edit_old(struct network *old, int classes, struct cfg_edits *edits,
                            struct error *err)
{
    for (int n = 0; n < network_head_count(old); n++) {
        const struct layer *l = network_head_layer(old, n);
        const struct head_info *head = l->ops->head(l);
        const struct cfg_option *counters = cfg_find(l->section, "counters_per_class");
        char range[40];
        if (counters) {
            return cfg_error(l->section, counters, err,
                             "it counts the old classes (remove the line from a copy of the cfg)");
        }
        snprintf(range, sizeof range, "%d,%d", head->first_class, head->class_end - 1);
        TRY(set_number(edits, l->section, "classes", classes, err));
        TRY(cfg_edits_set(edits, l->section, "class_range", range, err));
        TRY(set_number(edits, old->layers[l->inputs[0]].section, "filters",
                       filters_of(head, classes), err));
    }
    struct cfg_section *last = old->layers[old->layer_count - 1].section;
    return set_number(edits, last, "stopbackward", 1, err);
}

static void append(char *text, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void append(char *text, const char *fmt, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + used, SECTION_BYTES - used, fmt, args);
    va_end(args);
}

/* A copy of the section but for some keys, and for those that say what trains. */
static void copy_section(char *text, const struct cfg_section *section, const char *without)
{
    append(text, "\n\n[%s]", section->name);
    for (size_t i = 0; i < section->option_count; i++) {
        const struct cfg_option *o = &section->options[i];
        if (!word_in(without, o->key) &&
            !word_in("stopbackward|onlyforward|dont_update|burnin_update|learning_rate|trainable|"
                     "dontload|dontloadscales",
                     o->key)) {
            append(text, "\n%s=%s", o->key, o->value);
        }
    }
}

static enum result add_branch(const struct branch *b, int classes, int line,
                              struct cfg_edits *edits, struct error *err)
{
    const struct head_info *head = b->head->ops->head(b->head);
    char text[SECTION_BYTES] = "";
    append(text, "\n# Classes %d to %d, added beside layer %d.\n[route]\nlayers=%d", head->classes,
           classes - 1, b->head->index, b->input);
    if (b->hidden) {
        copy_section(text, b->hidden->section, "share_index");
    }
    copy_section(text, b->conv->section, "filters|batch_normalize|share_index");
    append(text, "\nfilters=%d", filters_of(head, classes));
    copy_section(text, b->head->section, "classes|class_range");
    append(text, "\nclasses=%d\nclass_range=%d,%d", classes, head->classes, classes - 1);
    if (strlen(text) + 1 >= sizeof text) {
        return refuse(b->head, err, "its section is too long");
    }
    return cfg_edits_add(edits, line, true, err, "%s", text);
}

enum result added_heads_cfg(struct network *old, int added, const char *path, struct cfg_text *text,
                            struct error *err)
{
    struct cfg_edits edits = {0};
    struct cfg_text before = {0};
    struct branch *branches = NULL;
    int count = 0;
    enum result result = find_branches(old, &branches, &count, err);
    int classes = result == OK ? network_head(old)->classes + added : 0;
    result = result == OK ? edit_old(old, classes, &edits, err) : result;
    const struct cfg_section *last = old->layers[old->layer_count - 1].section;
    int line = last->option_count > 0 ? last->options[last->option_count - 1].line : last->line;
    for (int i = 0; i < count && result == OK; i++) {
        result = add_branch(&branches[i], classes, line, &edits, err);
    }
    *text = (struct cfg_text){0};
    if (result == OK) {
        result = cfg_edits_make(&edits, old->cfg.path, path, &before, text, err);
    }
    mem_free(before.bytes);
    mem_free(branches);
    cfg_edits_free(&edits);
    return result;
}

/* ---- parameters ---- */

static float off_value(const struct param *p)
{
    return strcmp(p->role, "biases") == 0             ? OFF
           : strcmp(p->role, "rolling_variance") == 0 ? 1.0f
                                                      : 0.0f;
}

/* Rows of classes for which the head is not and which have no old values: off. */
static void switch_off(const struct layer *conv, const struct head_info *head, int first, int end)
{
    int around = head->objectness + 1;
    for (int k = 0; k < conv->param_count; k++) {
        const struct param *p = &conv->params[k];
        size_t row = p->count / (size_t)conv->out.c;
        for (int r = 0; r < conv->out.c; r++) {
            int c = r % head->entries - around;
            for (size_t i = 0; c >= first && c < end && i < row; i++) {
                p->data[(size_t)r * row + i] = off_value(p);
            }
        }
    }
}

static size_t copy_params(const struct layer *from, const struct layer *to)
{
    for (int k = 0; k < to->param_count; k++) {
        memcpy(to->params[k].data, from->params[k].data,
               to->params[k].count * sizeof *to->params[k].data);
    }
    return layer_values(to);
}

/* The rows of the box, not of the objectness: the new classes are other things. */
static size_t copy_boxes(const struct branch *b, const struct layer *to,
                         const struct head_info *head)
{
    const struct head_info *old = b->head->ops->head(b->head);
    size_t copied = 0;
    for (int k = 0; k < to->param_count; k++) {
        const struct param *p = &to->params[k], *from = layer_param(b->conv, p->role);
        size_t row = p->count / (size_t)to->out.c;
        bool is_raw = !layer_param(b->conv, "scales"); /* else their scale was the batch norm's */
        for (int slot = 0; is_raw && slot < head->slots; slot++) {
            size_t values = (size_t)head->objectness * row;
            memcpy(p->data + (size_t)(slot * head->entries) * row,
                   from->data + (size_t)(slot * old->entries) * row, values * sizeof *p->data);
            copied += values;
        }
    }
    return copied;
}

/* The classes of the old network keep their numbers. */
static enum result match_old(const struct network *old, const struct network *net,
                             struct class_match *match, struct error *err)
{
    size_t count = (size_t)network_head(net)->classes;
    size_t old_count = (size_t)network_head(old)->classes;
    *match = (struct class_match){.count = count, .old_count = old_count, .matched = old_count};
    match->old_of = mem_alloc(count, sizeof *match->old_of);
    if (!match->old_of) {
        return mem_error(err, "adding classes");
    }
    for (size_t i = 0; i < count; i++) {
        match->old_of[i] = i < old_count ? (int)i : -1;
    }
    return OK;
}

static const struct head_info *info_of(const struct layer *head)
{
    return head ? head->ops->head(head) : NULL;
}

/* Whether the new network begins with the layers of the old one. */
static enum result check_layers(const struct network *old, const struct network *net,
                                struct error *err)
{
    bool is_made = old->layer_count < net->layer_count &&
                   added_heads_first(net) == old->layer_count &&
                   network_head(old)->classes < network_head(net)->classes;
    for (int i = 0; is_made && i < old->layer_count; i++) {
        const struct layer *a = &old->layers[i], *b = &net->layers[i];
        const struct head_info *x = info_of(class_rows_head(old, i));
        const struct head_info *y = info_of(class_rows_head(net, i));
        is_made = a->ops == b->ops && a->param_count == b->param_count && !x == !y;
        for (int k = 0; is_made && k < a->param_count; k++) {
            size_t m = a->params[k].count, n = b->params[k].count;
            is_made =
                x ? x->slots == y->slots && m / (size_t)a->out.c == n / (size_t)b->out.c : m == n;
        }
    }
    return is_made ? OK
                   : error_at(err, ERR_FORMAT, net->cfg.path, 0,
                              "it does not begin with the layers of %s", old->cfg.path);
}

static enum result fill_branches(const struct network *old, struct network *net, size_t *loaded,
                                 struct error *err)
{
    struct branch *branches = NULL;
    int count = 0, at = old->layer_count;
    enum result result = find_branches(old, &branches, &count, err);
    for (int i = 0; result == OK && i < count; i++) {
        const struct branch *b = &branches[i];
        int conv = at + 1 + (b->hidden != NULL);
        const struct head_info *head = info_of(class_rows_head(net, conv));
        if (b->hidden) {
            loaded[at + 1] = copy_params(b->hidden, &net->layers[at + 1]);
        }
        loaded[conv] = copy_boxes(b, &net->layers[conv], head);
        switch_off(&net->layers[conv], head, 0, head->first_class);
        at = conv + 2;
    }
    mem_free(branches);
    return result;
}

enum result added_heads_fill(const struct network *old, struct network *net, size_t *loaded,
                             struct error *err)
{
    struct class_match match = {0};
    TRY(check_layers(old, net, err));
    TRY(match_old(old, net, &match, err));
    for (int i = 0; i < old->layer_count; i++) {
        const struct layer *from = &old->layers[i], *to = &net->layers[i];
        const struct head_info *head = info_of(class_rows_head(net, i));
        for (int k = 0; head && k < to->param_count; k++) {
            class_rows_take(to, head, &to->params[k], from->params[k].data, &match);
        }
        if (head) {
            switch_off(to, head, (int)match.old_count, head->classes);
            loaded[i] = layer_values(to);
        } else {
            loaded[i] = copy_params(from, to);
        }
    }
    class_match_free(&match);
    return fill_branches(old, net, loaded, err);
}

int added_heads_first(const struct network *net)
{
    for (int i = net->layer_count - 1; i >= 0; i--) {
        if (net->layers[i].stopbackward == 1) {
            return i + 1;
        }
    }
    return 0;
}

bool added_heads_is_old(const struct network *net, int layer)
{
    const struct layer *l = &net->layers[layer];
    const struct head_info *head = l->ops->head ? l->ops->head(l) : NULL;
    return head && head->class_end - head->first_class < head->classes &&
           layer < added_heads_first(net);
}

static size_t count_changed(const float *a, const float *b, size_t count)
{
    size_t changed = 0;
    for (size_t i = 0; i < count; i++) {
        changed += memcmp(&a[i], &b[i], sizeof *a) != 0;
    }
    return changed;
}

enum result added_heads_compare(const struct network *old, const struct network *net,
                                size_t *values, size_t *changed, struct error *err)
{
    *values = *changed = 0;
    TRY(check_layers(old, net, err));
    for (int i = 0; i < old->layer_count; i++) {
        const struct layer *a = &old->layers[i], *b = &net->layers[i];
        const struct head_info *x = info_of(class_rows_head(old, i));
        const struct head_info *y = info_of(class_rows_head(net, i));
        for (int k = 0; k < a->param_count; k++) {
            size_t count = a->params[k].count, row = x ? count / (size_t)a->out.c : count;
            for (size_t r = 0; r < count / row; r++) {
                size_t to =
                    x ? r / (size_t)x->entries * (size_t)y->entries + r % (size_t)x->entries : r;
                *changed +=
                    count_changed(a->params[k].data + r * row, b->params[k].data + to * row, row);
            }
            *values += count;
        }
    }
    return OK;
}
