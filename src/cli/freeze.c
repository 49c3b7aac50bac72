#include "cli/freeze.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

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

enum result freeze_check_timed(const struct network *net, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->stopbackward > 1) {
            return layer_error(
                l, ERR_UNSUPPORTED, err,
                "stopbackward=%d, frozen for the first %d updates, is not built (--freeze "
                "0-%d freezes for the whole run, --freeze none not at all)",
                l->stopbackward, l->stopbackward, i);
        }
    }
    return OK;
}

static enum result bad_item(const char *text, const char *why, struct error *err)
{
    return error_set(err, ERR_ARG,
                     "--freeze %.200s: %s (as in 0-19, 0-19,25, 20 for the first 20, none)", text,
                     why);
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

static enum result freeze_range(const char *text, long first, long last, const struct network *net,
                                bool *frozen, struct error *err)
{
    if (first > last) {
        return bad_item(text, "a range ends before it begins", err);
    }
    if (last >= net->layer_count) {
        return error_set(err, ERR_ARG,
                         "--freeze %.200s: there is no layer %ld: %s has layers 0 to %d", text,
                         last, net->cfg.path, net->layer_count - 1);
    }
    for (long i = first; i <= last; i++) {
        frozen[i] = true;
    }
    return OK;
}

static enum result freeze_by_list(const char *text, const struct network *net, bool *frozen,
                                  struct error *err)
{
    const char *at = text;
    bool is_alone = !strpbrk(text, ",-");
    for (;;) {
        long first, last;
        if (!read_number(&at, &first)) {
            return bad_item(text, "is no set of layers", err);
        }
        last = first;
        if (*at == '-') {
            at++;
            if (!read_number(&at, &last)) {
                return bad_item(text, "is no set of layers", err);
            }
        }
        if (is_alone) { /* a count */
            last = first - 1;
            first = 0;
        }
        if (last >= 0) {
            TRY(freeze_range(text, first, last, net, frozen, err));
        }
        if (*at == '\0') {
            return OK;
        }
        if (*at++ != ',') {
            return bad_item(text, "is no set of layers", err);
        }
    }
}

enum result freeze_resolve(const char *text, const struct network *net, bool *frozen,
                           struct error *err)
{
    static const char *const named[] = {"backbone", "neck", "all-but-heads"};
    freeze_by_cfg(net, frozen);
    if (!text) {
        return OK;
    }
    if (strcmp(text, "none") == 0) {
        memset(frozen, 0, (size_t)net->layer_count * sizeof *frozen);
        return OK;
    }
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (strcmp(text, named[i]) == 0) {
            return error_set(
                err, ERR_UNSUPPORTED,
                "--freeze %s: named parts are not built (give layer numbers, as yolo info "
                "prints them: --freeze 0-19)",
                text);
        }
    }
    return freeze_by_list(text, net, frozen, err);
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

void freeze_describe(const bool *frozen, int layer_count, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "none");
    for (int i = 0; i < layer_count; i++) {
        if (!frozen[i] || (i > 0 && frozen[i - 1])) {
            continue;
        }
        int last = i;
        while (last + 1 < layer_count && frozen[last + 1]) {
            last++;
        }
        if (used + 32 > size) {
            snprintf(text + used, size - used, ",...");
            return;
        }
        used += (size_t)snprintf(text + used, size - used, used ? ",%d" : "%d", i);
        if (last > i) {
            used += (size_t)snprintf(text + used, size - used, "-%d", last);
        }
    }
}
