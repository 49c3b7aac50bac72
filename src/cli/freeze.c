#include "cli/freeze.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "net/parts.h"

static void freeze_by_cfg(const struct network *net, bool *frozen)
{
    int below = -1;
    for (int i = 0; i < net->layer_count; i++) {
        frozen[i] = !net->layers[i].is_trainable;
        if (net->layers[i].stopbackward == 1) {
            below = i;
        }
    }
    for (int i = 0; i <= below; i++) {
        frozen[i] = true;
    }
}

void freeze_timed(const struct network *net, uint64_t updates, bool *frozen)
{
    int below = -1;
    for (int i = 0; i < net->layer_count; i++) {
        int until = net->layers[i].stopbackward;
        below = until > 1 && updates < (uint64_t)until ? i : below;
    }
    for (int i = 0; i <= below; i++) {
        frozen[i] = true;
    }
}

uint64_t freeze_next_change(const struct network *net, uint64_t updates)
{
    uint64_t next = 0;
    for (int i = 0; i < net->layer_count; i++) {
        int until = net->layers[i].stopbackward;
        if (until > 1 && updates < (uint64_t)until && (next == 0 || (uint64_t)until < next)) {
            next = (uint64_t)until;
        }
    }
    return next;
}

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
        return error_set(err, ERR_ARG,
                         "--%s %.200s: there is no layer %ld: %s has layers 0 to %d", set->option,
                         set->text, last, set->net->cfg.path, set->net->layer_count - 1);
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

enum result freeze_resolve(const char *text, const struct network *net, bool *frozen,
                           struct error *err)
{
    freeze_by_cfg(net, frozen);
    if (!text) {
        return OK;
    }
    if (strcmp(text, "none") == 0) {
        memset(frozen, 0, (size_t)net->layer_count * sizeof *frozen);
        return OK;
    }
    return layer_set_add("freeze", text, net, frozen, err);
}

struct freeze_totals freeze_count(const struct network *net, const bool *frozen, enum bn_policy bn)
{
    struct freeze_totals totals = {0};
    enum layer_mode *modes = mem_alloc((size_t)net->layer_count, sizeof *modes);
    if (!modes) {
        return totals;
    }
    modes_resolve(net, frozen, bn, modes);
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        totals.layers += l->param_count > 0;
        totals.frozen_layers += l->param_count > 0 && frozen[i];
        for (int k = 0; k < l->param_count; k++) {
            const struct param *param = &l->params[k];
            if (param->is_statistic) {
                totals.statistics += param->count;
                totals.moving_statistics += mode_rules[modes[i]].uses_batch ? param->count : 0;
            } else if (mode_moves(modes[i], param)) {
                totals.moving += param->count;
            } else {
                totals.frozen += param->count;
            }
        }
    }
    mem_free(modes);
    return totals;
}

enum result freeze_check_moves(const struct freeze_totals *totals, struct error *err)
{
    if (totals->moving > 0) {
        return OK;
    }
    return error_set(err, ERR_ARG,
                     "everything is frozen: nothing is left to train (--freeze a smaller set)");
}

/* The name of exactly this set; NULL if it has none. */
static const char *name_of(const struct network *net, const bool *frozen)
{
    enum net_part *parts = mem_alloc((size_t)net->layer_count, sizeof *parts);
    struct error none;
    const char *found = NULL;
    if (parts && parts_find(net, parts, &none) == OK) {
        for (size_t k = SET_NAMES; k-- > 0;) { /* the first name of equal sets wins */
            bool is_equal = true;
            for (int i = 0; i < net->layer_count; i++) {
                is_equal = is_equal && frozen[i] == is_in_set(set_names[k], parts[i]);
            }
            found = is_equal ? set_names[k] : found;
        }
    }
    mem_free(parts);
    return found;
}

void freeze_describe(const struct network *net, const bool *frozen, char *text, size_t size)
{
    size_t used = 0;
    int count = net->layer_count;
    const char *name = name_of(net, frozen);
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
}
