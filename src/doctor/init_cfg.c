#include "doctor/init_cfg.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/memory.h"
#include "layers/yolo_head.h"
#include "train/recipe.h"

enum {
    UPDATES_PER_CLASS = 2000,
    LEAST_UPDATES = 6000,
    MOST_PASSES = 300,
    LEAST_SHORT_UPDATES = 500,
    LIST_BYTES = 4096
};

/* ---- the length ---- */

static double clamp_updates(double updates)
{
    return fmin(fmax(updates, 1), INT_MAX / 2);
}

struct init_length init_length(const struct net_options *base, const struct init_wish *wish)
{
    struct init_length length = {0};
    uint64_t per_update =
        update_images(wish->batch ? wish->batch : base->batch,
                      wish->subdivisions ? wish->subdivisions : base->subdivisions);
    double batch = (double)per_update;
    double images = (double)wish->images;
    double rule = fmax(fmax((double)UPDATES_PER_CLASS * wish->classes, LEAST_UPDATES), images);
    double passes = images > 0 ? rule * batch / images : 0;
    double updates = rule;
    if (wish->max_batches) {
        updates = wish->max_batches;
        snprintf(length.why, sizeof length.why, "as told");
    } else if (wish->passes) {
        updates = (double)wish->passes * (double)epoch_updates(wish->images, per_update);
        snprintf(length.why, sizeof length.why, "%d passes over %.0f pictures", wish->passes,
                 images);
    } else if (wish->follows_recipe && images > 0) {
        int told = recipe_epochs(wish->images, per_update, wish->begins_loaded);
        updates = (double)told * (double)epoch_updates(wish->images, per_update);
        snprintf(length.why, sizeof length.why, "%d passes over %.0f pictures, begun with %s", told,
                 images, wish->begins_loaded ? "weights" : "random numbers");
    } else if (wish->follows_recipe) {
        length.is_left = true;
        updates = base->max_batches;
        snprintf(length.why, sizeof length.why, "yolo train decides when it sees the pictures");
    } else if (passes > MOST_PASSES) {
        updates = fmin(fmax(ceil(MOST_PASSES * images / batch), LEAST_SHORT_UPDATES), rule);
        snprintf(length.why, sizeof length.why,
                 "%.0f passes over %.0f pictures; Darknet's rule, %.0f, would make %.0f "
                 "(--max-batches %.0f)",
                 updates * batch / images, images, rule, passes, rule);
    } else {
        snprintf(length.why, sizeof length.why,
                 "Darknet's rule: 2000 a class, at least 6000, at least the number of pictures");
    }
    length.updates = (int)clamp_updates(updates);
    length.images = (int)per_update;
    length.burn_in = base->burn_in;
    if (length.burn_in > length.updates / 10) {
        length.burn_in = length.updates / 10;
    }
    if (wish->follows_recipe && !length.is_left) {
        length.burn_in = recipe_warmup((uint64_t)length.updates);
    }
    return length;
}

/* ---- [net] ---- */

struct net_edit {
    struct cfg_edits *edits;
    struct cfg_section *section;
};

static enum result set_number(const struct net_edit *net, const char *key, int old, int value,
                              struct error *err)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    return value == old ? OK : cfg_edits_set(net->edits, net->section, key, text, err);
}

/* Two steps come at 80 and 90 %, as Darknet advises; others keep their share of the whole. */
static enum result set_steps(const struct net_edit *net, const struct net_options *base,
                             int updates, struct error *err)
{
    char text[LIST_BYTES] = "";
    size_t used = 0;
    bool is_same = true;
    if (base->policy != RATE_STEPS) {
        return OK;
    }
    for (size_t i = 0; i < base->step_count && used < sizeof text - 16; i++) {
        double share = base->step_count == 2   ? (i == 0 ? 0.8 : 0.9)
                       : base->max_batches > 0 ? (double)base->steps[i] / base->max_batches
                                               : 1;
        int step = (int)(updates * share);
        is_same = is_same && step == base->steps[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d", i ? ", " : "", step);
    }
    return is_same || base->step_count == 0
               ? OK
               : cfg_edits_set(net->edits, net->section, "steps", text, err);
}

static enum result edit_net(struct network *base, const struct init_wish *wish,
                            struct init_cfg *cfg, struct error *err)
{
    const struct net_options *o = &base->options;
    const struct net_edit net = {&cfg->edits, &base->cfg.sections[0]};
    cfg->length = init_length(o, wish);
    if (wish->width) {
        TRY(set_number(&net, "width", o->width, wish->width, err));
        TRY(set_number(&net, "height", o->height, wish->height, err));
    }
    if (wish->batch) {
        TRY(set_number(&net, "batch", o->batch, wish->batch, err));
    }
    if (wish->subdivisions) {
        TRY(set_number(&net, "subdivisions", o->subdivisions, wish->subdivisions, err));
    }
    if (cfg->length.is_left) {
        return OK;
    }
    TRY(set_number(&net, "burn_in", o->burn_in, cfg->length.burn_in, err));
    TRY(set_number(&net, "max_batches", o->max_batches, cfg->length.updates, err));
    return set_steps(&net, o, cfg->length.updates, err);
}

/* ---- heads ---- */

static int by_area(const void *a, const void *b)
{
    const struct anchor *x = a;
    const struct anchor *y = b;
    return (x->w * x->h > y->w * y->h) - (x->w * x->h < y->w * y->h);
}

/* All heads list the same anchors, as many as there are slots, but their masks share or leave out
 * some: the list, sorted, in *anchors. */
static bool has_crossed_masks(const struct anchor_heads *heads, struct anchor *anchors, int *count)
{
    bool is_used[ANCHORS_MAX] = {false}, is_crossed = false;
    const struct anchor_head *first = &heads->heads[0];
    int slots = 0;
    for (int i = 0; i < heads->count; i++) {
        const struct anchor_head *head = &heads->heads[i];
        if (head->num != first->num ||
            memcmp(head->anchors, first->anchors, (size_t)head->num * sizeof *head->anchors) != 0) {
            return false;
        }
        for (int k = 0; k < head->slots; k++) {
            is_crossed = is_crossed || is_used[head->mask[k]];
            is_used[head->mask[k]] = true;
        }
        slots += head->slots;
    }
    *count = first->num;
    memcpy(anchors, first->anchors, (size_t)first->num * sizeof *anchors);
    qsort(anchors, (size_t)first->num, sizeof *anchors, by_area);
    return is_crossed && slots == first->num;
}

static enum result search_anchors(const struct anchor_heads *heads, const struct init_wish *wish,
                                  struct anchor_advice *advice, struct error *err)
{
    struct size_list sizes = {0};
    struct anchor used[ANCHORS_MAX];
    const struct anchor_search search = {.count = heads_anchors(heads, used, NULL),
                                         .restarts = ANCHOR_RESTARTS,
                                         .generations = ANCHOR_GENERATIONS};
    enum result result = advice_sizes(heads, wish->set, "--anchors", &sizes, err);
    result = result == OK ? advice_find(heads, &sizes, &search, advice, err) : result;
    size_list_free(&sizes);
    return result;
}

static enum result edit_heads(const struct anchor_heads *heads, const struct init_wish *wish,
                              struct anchor_advice *advice, struct init_cfg *cfg, struct error *err)
{
    const struct anchor *anchors = NULL;
    int count = 0;
    bool is_new_head = wish->classes != heads->heads[0].classes;
    if (wish->anchors != ANCHORS_KEEP) {
        enum result result = search_anchors(heads, wish, advice, err);
        bool is_kept = result != OK && result != ERR_MEMORY && wish->anchors_may_fail;
        if (result != OK && !is_kept) {
            return result;
        }
        snprintf(cfg->anchors, sizeof cfg->anchors, "%s%.256s", is_kept ? "the base's stay: " : "",
                 is_kept ? err->text : advice->text);
        if (!is_kept && (wish->anchors == ANCHORS_NEW || !advice->keep)) {
            anchors = advice->found;
            count = advice->count;
        }
    }
    if (!anchors && is_new_head && has_crossed_masks(heads, advice->old, &count)) {
        anchors = advice->old;
    }
    return heads_edit(heads, anchors, count, wish->classes, &cfg->edits, err);
}

/* Heads that say nothing train one anchor a box. */
static enum result edit_assignment(struct network *base, struct init_cfg *cfg, struct error *err)
{
    char text[16];
    snprintf(text, sizeof text, "%g", (double)RECIPE_ASSIGN_IOU);
    const struct layer *head;
    for (int n = 0; (head = network_head_layer(base, n)) != NULL; n++) {
        if (yolo_head_can_assign(head) && !cfg_find(head->section, "iou_thresh")) {
            TRY(cfg_edits_set(&cfg->edits, head->section, "iou_thresh", text, err));
        }
    }
    return OK;
}

enum result init_cfg_make(struct network *base, const struct init_wish *wish, const char *path,
                          struct init_cfg *cfg, struct error *err)
{
    struct anchor_heads heads = {0};
    struct anchor_advice *advice = mem_alloc(1, sizeof *advice);
    enum result result = advice ? OK : mem_error(err, "a new cfg");
    if (result == OK && wish->width) { /* anchors are pixels of the new input */
        result = network_resize(base, wish->width, wish->height, err);
    }
    result = result == OK ? heads_read(base, &heads, err) : result;
    if (result == OK) {
        result = cfg_edits_add(&cfg->edits, 0, true, err,
                               "# For %d classes, made from %s by yolo init. What the comments say "
                               "of classes, masks and schedule is\n# the original's.",
                               wish->classes, path_base(base->cfg.path));
    }
    result = result == OK ? edit_net(base, wish, cfg, err) : result;
    result = result == OK ? edit_heads(&heads, wish, advice, cfg, err) : result;
    if (result == OK && wish->follows_recipe) {
        result = edit_assignment(base, cfg, err);
    }
    if (result == OK) {
        result = cfg_edits_make(&cfg->edits, base->cfg.path, path, &cfg->old, &cfg->text, err);
    }
    heads_free(&heads);
    mem_free(advice);
    return result;
}

void init_cfg_free(struct init_cfg *cfg)
{
    cfg_edits_free(&cfg->edits);
    mem_free(cfg->old.bytes);
    mem_free(cfg->text.bytes);
    *cfg = (struct init_cfg){0};
}

/* ---- the diff ---- */

/* One of the two texts, line by line. Each old line stands in the new one, changed or not, and
 * inserted ones behind it. */
struct lines {
    const struct cfg_text *text;
    size_t at;
    int number; /* of the line at `at`, from 1 */
};

static void print_line(struct lines *lines, char mark, FILE *out)
{
    const char *line = lines->text->bytes + lines->at;
    const char *end = memchr(line, '\n', lines->text->size - lines->at);
    size_t size = end ? (size_t)(end - line) : lines->text->size - lines->at;
    if (mark) {
        fprintf(out, "%c%.*s\n", mark, (int)(size > INT_MAX ? INT_MAX : size), line);
    }
    lines->at += size + (end != NULL);
    lines->number++;
}

static int inserted_behind(const struct cfg_edits *edits, int line)
{
    int count = 0;
    for (size_t i = 0; i < edits->count; i++) {
        if (edits->items[i].line == line && edits->items[i].insert) {
            count++;
            for (const char *c = edits->items[i].text; *c; c++) {
                count += *c == '\n';
            }
        }
    }
    return count;
}

static bool is_changed(const struct cfg_edits *edits, int line)
{
    for (size_t i = 0; i < edits->count; i++) {
        if (edits->items[i].line == line && !edits->items[i].insert) {
            return true;
        }
    }
    return false;
}

static const char *section_at(const struct network *base, int line)
{
    const char *name = "";
    for (size_t i = 0; i < base->cfg.section_count && base->cfg.sections[i].line <= line; i++) {
        name = base->cfg.sections[i].name;
    }
    return name;
}

void init_cfg_diff(const struct init_cfg *cfg, const struct network *base, const char *path,
                   FILE *out)
{
    struct lines old = {&cfg->old, 0, 1};
    struct lines new = {&cfg->text, 0, 1};
    int added = inserted_behind(&cfg->edits, 0);
    fprintf(out, "--- %s\n+++ %s\n", base->cfg.path, path);
    if (added > 0) {
        fprintf(out, "@@ -0,0 +1,%d @@\n", added);
    }
    for (; added > 0; added--) {
        print_line(&new, '+', out);
    }
    while (old.at < cfg->old.size) {
        bool changes = is_changed(&cfg->edits, old.number);
        const char *section = section_at(base, old.number);
        added = inserted_behind(&cfg->edits, old.number);
        if (changes && added == 0) {
            fprintf(out, "@@ -%d +%d @@ [%s]\n", old.number, new.number, section);
        } else if (changes) {
            fprintf(out, "@@ -%d +%d,%d @@ [%s]\n", old.number, new.number, 1 + added, section);
        } else if (added > 0) {
            fprintf(out, "@@ -%d,0 +%d,%d @@ [%s]\n", old.number, new.number + 1, added, section);
        }
        print_line(&old, changes ? '-' : 0, out);
        print_line(&new, changes ? '+' : 0, out);
        for (; added > 0; added--) {
            print_line(&new, '+', out);
        }
    }
}
