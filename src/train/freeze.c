#include "train/freeze.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "cfg/cfg.h"
#include "net/backbone.h"
#include "net/class_rows.h"

/* ---- the cfg's keys ---- */

static enum result key_error(const struct layer *l, const char *key, struct error *err,
                             const char *what)
{
    return error_at(err, ERR_UNSUPPORTED, l->section->path, cfg_find(l->section, key)->line,
                    "[%s] layer %d: %s=1 %s", l->section->name, l->index, key, what);
}

/* Whether each layer has a say in some loss; with `cuts`, over paths that onlyforward=1 does not cut. */
static void find_reach(const struct network *net, bool cuts, bool *reaches)
{
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        reaches[i] = reaches[i] || l->has_loss;
        for (int k = 0; k < l->input_count; k++) {
            if (l->inputs[k] != LAYER_IMAGE && reaches[i] && !(cuts && l->onlyforward)) {
                reaches[l->inputs[k]] = true;
            }
        }
    }
}

/* onlyforward=1 passes no gradient: what lies below it and reaches no loss by another way stands still, too. */
static enum result freeze_cut_off(const struct network *net, bool *frozen, struct error *err)
{
    size_t layers = (size_t)net->layer_count;
    bool is_cut = false;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->onlyforward && l->has_loss) {
            return key_error(l, "onlyforward", err,
                             "on a detection layer: a head without a loss is not built here");
        }
        is_cut = is_cut || l->onlyforward;
    }
    bool *all = mem_alloc(layers, sizeof *all), *left = mem_alloc(layers, sizeof *left);
    if (all && left && is_cut) {
        find_reach(net, false, all);
        find_reach(net, true, left);
        for (int i = 0; i < net->layer_count; i++) {
            frozen[i] = frozen[i] || (all[i] && !left[i]);
        }
    }
    enum result result = all && left ? OK : mem_error(err, "layer sets");
    mem_free(all);
    mem_free(left);
    return result;
}

/* What onlyforward=1 reads must stand still: else a gradient would have to pass to it by one way and not by the
 * other. */
static enum result check_cuts(const struct network *net, const bool *frozen, struct error *err)
{
    enum layer_mode *modes = mem_alloc((size_t)net->layer_count, sizeof *modes);
    if (!modes) {
        return mem_error(err, "layer sets");
    }
    modes_resolve(net, frozen, BN_AUTO, modes);
    enum result result = OK;
    for (int i = 0; i < net->layer_count && result == OK; i++) {
        const struct layer *l = &net->layers[i];
        if (l->onlyforward && modes[i] != MODE_INFER) {
            result = key_error(
                l, "onlyforward", err,
                "but what it reads also learns through other layers: cutting one of the ways "
                "is not built here (trainable=0 freezes this layer alone, stopbackward=1 all "
                "below, too)");
        }
    }
    mem_free(modes);
    return result;
}

static enum result freeze_by_cfg(const struct network *net, bool *frozen, struct error *err)
{
    int below = -1;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->train_only_bn) {
            return key_error(
                l, "train_only_bn", err,
                "is not built here (trainable=0 freezes a layer; with --bn train its stored "
                "statistics go on following the batches, which is all it does in Darknet)");
        }
        frozen[i] = !l->is_trainable || l->onlyforward;
        below = l->stopbackward == 1 ? i : below;
    }
    for (int i = 0; i <= below; i++) {
        frozen[i] = true;
    }
    return freeze_cut_off(net, frozen, err);
}

/* Updates for which each key freezes: none, or what is timed. */
static uint64_t below_until(const struct layer *l)
{
    return l->stopbackward > 1 ? (uint64_t)l->stopbackward : 0;
}

static uint64_t alone_until(const struct layer *l, uint64_t burn_in)
{
    uint64_t warmed = (uint64_t)l->burnin_update * burn_in, held = (uint64_t)l->dont_update;
    return l->param_count == 0 ? 0 : held > warmed ? held : warmed;
}

static void freeze_timed(const struct network *net, const struct freeze_time *at, bool *frozen)
{
    int below = -1;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        below = at->updates < below_until(l) ? i : below;
        frozen[i] = frozen[i] || at->updates < alone_until(l, at->burn_in);
    }
    for (int i = 0; i <= below; i++) {
        frozen[i] = true;
    }
}

bool freeze_frees_all(const char *text)
{
    return text && strcmp(text, "none") == 0;
}

uint64_t freeze_next_change(const struct network *net, const char *text,
                            const struct freeze_time *at)
{
    uint64_t next = 0;
    for (int i = 0; i < net->layer_count && !freeze_frees_all(text); i++) {
        const struct layer *l = &net->layers[i];
        const uint64_t untils[] = {below_until(l), alone_until(l, at->burn_in)};
        for (size_t k = 0; k < 2; k++) {
            if (at->updates < untils[k] && (next == 0 || untils[k] < next)) {
                next = untils[k];
            }
        }
    }
    return next;
}

static const char *own_key(const struct layer *l, bool is_timed)
{
    if (is_timed) {
        return l->stopbackward > 1    ? "stopbackward"
               : l->param_count == 0  ? NULL
               : l->dont_update > 0   ? "dont_update"
               : l->burnin_update > 0 ? "burnin_update"
                                      : NULL;
    }
    return !l->is_trainable       ? "trainable"
           : l->onlyforward       ? "onlyforward"
           : l->train_only_bn     ? "train_only_bn"
           : l->stopbackward == 1 ? "stopbackward"
                                  : NULL;
}

const char *freeze_cfg_key(const struct network *net, bool is_timed, int *line)
{
    for (int i = 0; i < net->layer_count; i++) {
        const char *key = own_key(&net->layers[i], is_timed);
        if (key) {
            *line = cfg_find(net->layers[i].section, key)->line;
            return key;
        }
    }
    return NULL;
}

/* ---- sets ---- */

static const char *const set_names[] = {"none", "backbone", "neck", "heads", "all-but-heads"};
enum { SET_NAMES = sizeof set_names / sizeof set_names[0] };

/* The list being read. */
struct set_text {
    const char *option, *text; /* for messages; the whole list */
    const struct network *net;
    bool *set;
};

static enum result bad_set(const struct set_text *set, const char *why, struct error *err)
{
    return error_set(
        err, ERR_ARG,
        "--%s %.200s: %s (as in 0-19, 0-19,25, 20 for the first 20, backbone, neck, heads, "
        "all-but-heads, backbone,110-112, none)",
        set->option, set->text, why);
}

/* Digits to a layer number or count; advances *at. False if there are none, or too many. */
static bool read_number(const char **at, long *number)
{
    char *end;
    if (**at < '0' || **at > '9') {
        return false;
    }
    errno = 0;
    *number = strtol(*at, &end, 10);
    *at = end;
    return errno == 0 && *number <= 1000000;
}

static enum result freeze_range(const struct set_text *set, long first, long last,
                                struct error *err)
{
    if (first > last) {
        return bad_set(set, "a range ends before it begins", err);
    }
    if (last >= set->net->layer_count) {
        return error_set(err, ERR_ARG, "--%s %.200s: there is no layer %ld: %s has layers 0 to %d",
                         set->option, set->text, last, set->net->cfg.path,
                         set->net->layer_count - 1);
    }
    for (long i = first; i <= last; i++) {
        set->set[i] = true;
    }
    return OK;
}

static enum result freeze_numbers(const struct set_text *set, const char *item, struct error *err)
{
    long first, last;
    if (!read_number(&item, &first)) {
        return bad_set(set, "is no set of layers", err);
    }
    last = first;
    if (*item == '-') {
        item++;
        if (!read_number(&item, &last)) {
            return bad_set(set, "is no set of layers", err);
        }
    }
    if (*item) {
        return bad_set(set, "is no set of layers", err);
    }
    if (!strpbrk(set->text, ",-")) { /* a count */
        last = first - 1;
        first = 0;
    }
    if (last < 0) {
        log_info("hint: --%s 0 is the first 0 layers, so none; layer 0 alone is 0-0", set->option);
        return OK;
    }
    return freeze_range(set, first, last, err);
}

static bool is_in_set(const char *name, enum net_part part)
{
    if (part == PART_HEAD) {
        return strcmp(name, "heads") == 0;
    }
    return strcmp(name, "all-but-heads") == 0 || strcmp(name, part_names[part]) == 0;
}

static enum result freeze_parts(const struct set_text *set, const char *name,
                                const enum net_part *parts, struct error *err)
{
    bool found = false;
    for (int i = 0; i < set->net->layer_count; i++) {
        if (is_in_set(name, parts[i])) {
            set->set[i] = true;
            found = true;
        }
    }
    return found ? OK
                 : error_set(err, ERR_ARG, "--%s %.200s: %s has no %s", set->option, set->text,
                             set->net->cfg.path, name);
}

static enum result freeze_named(const struct set_text *set, const char *item, struct error *err)
{
    bool is_known = false;
    for (size_t i = 0; i < SET_NAMES; i++) {
        is_known = is_known || strcmp(item, set_names[i]) == 0;
    }
    if (!is_known) {
        char why[256];
        const char *nearest = suggest(item, set_names, SET_NAMES);
        snprintf(why, sizeof why, "there is no set %.60s%s%s%s", item,
                 nearest ? ", did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
        return bad_set(set, why, err);
    }
    if (strcmp(item, "none") == 0) {
        return bad_set(set, "none stands alone", err);
    }
    enum net_part *parts = mem_alloc((size_t)set->net->layer_count, sizeof *parts);
    enum result result = parts ? parts_find(set->net, parts, err) : mem_error(err, "layer sets");
    if (result == OK) {
        result = freeze_parts(set, item, parts, err);
    } else if (parts) {
        result = error_hint(err, "give layer numbers, as yolo info prints them: 0-19");
    }
    mem_free(parts);
    return result;
}

enum result layer_set_add(const char *option, const char *text, const struct network *net,
                          bool *set, struct error *err)
{
    const struct set_text list = {option, text, net, set};
    for (const char *at = text;;) {
        char item[64];
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof item) {
            return bad_set(&list, "is no set of layers", err);
        }
        memcpy(item, at, length);
        item[length] = '\0';
        TRY(isalpha((unsigned char)item[0]) ? freeze_named(&list, item, err)
                                            : freeze_numbers(&list, item, err));
        at += length;
        if (*at++ == '\0') {
            return OK;
        }
    }
}

/* ---- what is frozen, and what every layer does ---- */

static enum result resolve(const struct network *net, const char *text,
                           const struct freeze_time *at, bool *frozen, struct error *err)
{
    if (freeze_frees_all(text)) {
        return OK;
    }
    TRY(freeze_by_cfg(net, frozen, err));
    if (text) {
        TRY(layer_set_add("freeze", text, net, frozen, err));
    }
    TRY(check_cuts(net, frozen, err));
    if (at) {
        freeze_timed(net, at, frozen);
    }
    return OK;
}

static struct freeze_totals count(const struct network *net, const struct freeze_set *set)
{
    struct freeze_totals totals = {0};
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        enum layer_mode mode = set->modes[i];
        totals.layers += l->param_count > 0;
        totals.frozen_layers += l->param_count > 0 && set->frozen[i];
        for (int k = 0; k < l->param_count; k++) {
            const struct param *param = &l->params[k];
            if (param->is_statistic) {
                totals.statistics += param->count;
                totals.moving_statistics += mode_rules[mode].uses_batch ? param->count : 0;
            } else {
                size_t moving = mode_moves(mode, param) ? class_rows_moving(net, i, param) : 0;
                totals.moving += moving;
                totals.frozen += param->count - moving;
            }
        }
    }
    return totals;
}

enum result freeze_set_settle(const struct network *net, struct freeze_set *set, struct error *err)
{
    set->modes = mem_alloc((size_t)net->layer_count, sizeof *set->modes);
    if (!set->modes) {
        return mem_error(err, "layer sets");
    }
    modes_resolve(net, set->frozen, set->bn, set->modes);
    set->totals = count(net, set);
    return OK;
}

enum result freeze_set_make(const struct network *net, const char *text, enum bn_policy bn,
                            const struct freeze_time *at, struct freeze_set *set, struct error *err)
{
    *set = (struct freeze_set){.bn = bn};
    set->frozen = mem_alloc((size_t)net->layer_count, sizeof *set->frozen);
    if (!set->frozen) {
        return mem_error(err, "layer sets");
    }
    TRY(resolve(net, text, at, set->frozen, err));
    return freeze_set_settle(net, set, err);
}

void freeze_set_free(struct freeze_set *set)
{
    mem_free(set->frozen);
    mem_free(set->modes);
    *set = (struct freeze_set){0};
}

enum result freeze_set_check(const struct freeze_set *set, struct error *err)
{
    if (set->totals.moving > 0) {
        return OK;
    }
    return error_set(err, ERR_ARG,
                     "everything is frozen: nothing is left to train (--freeze a smaller set)");
}

/* ---- in words ---- */

/* The name of exactly this set; NULL if it has none. False if memory ran out. */
static bool name_of(const struct network *net, const bool *frozen, const char **name)
{
    enum net_part *parts = mem_alloc((size_t)net->layer_count, sizeof *parts);
    struct error none;
    const char *found = NULL;
    enum result result = parts ? parts_find(net, parts, &none) : ERR_MEMORY;
    if (result == OK) {
        for (size_t k = SET_NAMES; k-- > 0;) { /* the first name of equal sets wins */
            bool is_equal = true;
            for (int i = 0; i < net->layer_count; i++) {
                is_equal = is_equal && frozen[i] == is_in_set(set_names[k], parts[i]);
            }
            found = is_equal ? set_names[k] : found;
        }
    }
    mem_free(parts);
    *name = found;
    return result != ERR_MEMORY;
}

bool freeze_describe(const struct network *net, const bool *frozen, char *text, size_t size)
{
    size_t used = 0;
    int count = net->layer_count;
    const char *name;
    bool is_whole = name_of(net, frozen, &name);
    snprintf(text, size, "none");
    for (int i = 0; i < count; i++) {
        if (!frozen[i] || (i > 0 && frozen[i - 1])) {
            continue;
        }
        int last = i;
        while (last + 1 < count && frozen[last + 1]) {
            last++;
        }
        if (used + 48 > size) {
            used += (size_t)snprintf(text + used, size - used, ",...");
            break;
        }
        used += (size_t)snprintf(text + used, size - used, used ? ",%d" : "%d", i);
        if (last > i) {
            used += (size_t)snprintf(text + used, size - used, "-%d", last);
        }
    }
    if (used > 0 && name) {
        snprintf(text + used, size - used, " (%s)", name);
    }
    return is_whole;
}
