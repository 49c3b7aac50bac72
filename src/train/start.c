#include "train/start.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/inputs.h"
#include "net/weights.h"
#include "train/other_network.h"

/* The classes of the weights file, and what they are to the network. */
struct old_classes {
    int count;             /* 0: the file is cut before the heads */
    char path[MODEL_PATH]; /* of the list; "": not known */
    char **names;          /* [count], or NULL */
    struct class_match match;
};

static void old_classes_free(struct old_classes *old)
{
    class_match_free(&old->match);
    mem_free(old->names);
}

static void append(char *text, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What does not fit is cut. */
static void append(char *text, size_t size, const char *fmt, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + used, size - used, fmt, args);
    va_end(args);
}

/* ---- the list ---- */

static enum result read_list(struct old_classes *old, bool is_told, struct error *err)
{
    size_t count = 0;
    TRY(names_read(old->path, &old->names, &count, err));
    if (count == (size_t)old->count) {
        return OK;
    }
    mem_free(old->names);
    old->names = NULL;
    error_at(err, ERR_FORMAT, old->path, 0,
             "%zu names, but the weights were trained for %d classes", count, old->count);
    if (is_told) {
        return ERR_FORMAT;
    }
    log_warn("%s: so it is not the list of these classes", err->text);
    old->path[0] = '\0';
    return OK;
}

static enum result find_list(const struct model *model, const char *told, struct old_classes *old,
                             struct error *err)
{
    const char *weights = model->weights_path;
    TRY(option_need_file("weights-names", told, err));
    if (told && old->count == 0) {
        return error_set(err, ERR_ARG,
                         "--weights-names: %.300s has no rows of classes that fit the heads of "
                         "%.300s",
                         weights, model->cfg_path);
    }
    if (told && !model->names_path[0]) {
        return error_set(err, ERR_ARG,
                         "--weights-names: the classes of the network itself have no names "
                         "(--names FILE, or names= in the .data file)");
    }
    if (told && snprintf(old->path, sizeof old->path, "%s", told) >= (int)sizeof old->path) {
        return error_set(err, ERR_ARG, "--weights-names: path too long");
    }
    bool is_known =
        told || (old->count > 0 && model_find_weights_names(weights, old->count, old->path));
    return is_known ? read_list(old, told != NULL, err) : OK;
}

/* ---- in words ---- */

/* "dog, cat", as many as there is room for. */
static void list_names(const struct model *model, const struct class_match *match, bool is_matched,
                       char *text, size_t size)
{
    enum { ROOM = 300 };
    size_t listed = 0, left = 0, begin = strlen(text);
    for (size_t i = 0; i < match->count; i++) {
        if ((match->old_of[i] >= 0) != is_matched) {
            continue;
        }
        if (strlen(text) - begin + strlen(model->names[i]) > ROOM) {
            left++;
            continue;
        }
        append(text, size, "%s%s", listed++ ? ", " : "", model->names[i]);
    }
    if (left > 0) {
        append(text, size, " and %zu more (-v lists all)", left);
    }
}

static void tell_every_class(const struct model *model, const struct old_classes *old)
{
    for (size_t i = 0; i < old->match.count; i++) {
        int from = old->match.old_of[i];
        if (from >= 0) {
            log_debug("class %zu %s: the rows of class %d of %s", i, model->names[i], from,
                      model->weights_path);
        } else {
            log_debug("class %zu %s: random rows", i, model->names[i]);
        }
    }
}

static void hint_at_case(const struct model *model, const struct old_classes *old)
{
    for (size_t i = 0; i < old->match.count; i++) {
        const char *other =
            old->match.old_of[i] >= 0
                ? NULL
                : class_match_other_case(model->names[i], old->names, (size_t)old->count);
        if (other) {
            log_warn("class %s is not %s of %s: names match letter by letter (write them alike to "
                     "keep its rows)",
                     model->names[i], other, old->path);
        }
    }
}

static void tell_matched(const struct model *model, const struct old_classes *old,
                         struct training_start *start)
{
    const struct class_match *match = &old->match;
    snprintf(start->text, sizeof start->text, "%.240s, trained for %d classes (%.200s)",
             model->weights_path, old->count, old->path);
    snprintf(start->kept[0], START_TEXT,
             "kept      box and objectness rows; rows of %zu of %zu classes, by name%s",
             match->matched, match->count, match->matched ? ": " : "");
    list_names(model, match, true, start->kept[0], START_TEXT);
    if (match->matched < match->count) {
        snprintf(start->kept[1], START_TEXT, "anew      rows of ");
        list_names(model, match, false, start->kept[1], START_TEXT);
    }
    hint_at_case(model, old);
    tell_every_class(model, old);
}

static void tell_unmatched(const struct model *model, const struct old_classes *old, uint64_t seed,
                           struct training_start *start)
{
    const char *path = model->weights_path;
    const struct network *net = &model->net;
    if (old->count > 0 && old->count != model->head->classes) {
        snprintf(start->text, sizeof start->text,
                 "%.300s, trained for %d classes: all but the layers above the heads, which begin "
                 "with random numbers (seed %" PRIu64 ")",
                 path, old->count, seed);
        snprintf(start->kept[0], START_TEXT,
                 "kept      no rows of classes: the names of those of the weights are not known "
                 "(--weights-names FILE)");
    } else if (net->loaded_layers < net->layer_count) {
        snprintf(start->text, sizeof start->text,
                 "%.300s: layers 0-%d; the others random numbers, seed %" PRIu64, path,
                 net->loaded_layers - 1, seed);
    } else {
        snprintf(start->text, sizeof start->text, "%.300s", path);
    }
    if (net->loaded_layers == net->layer_count && !old->names) {
        snprintf(
            start->kept[0], START_TEXT,
            "kept      all rows as they are: the weights have as many classes, whose names are "
            "not known (--weights-names FILE)");
    }
}

/* ---- all together ---- */

static enum result load(struct model *model, const char *weights_names, uint64_t seed,
                        struct old_classes *old, struct training_start *start, struct error *err)
{
    struct network *net = &model->net;
    const struct class_match *match = NULL;
    int classes;
    TRY(weights_find_classes(model->weights_path, net, &old->count, err));
    TRY(find_list(model, weights_names, old, err));
    if (old->names && model->names_path[0]) {
        TRY(class_match_make(model->names, model->name_count, old->names, (size_t)old->count,
                             &old->match, err));
        match = old->match.is_same ? NULL : &old->match;
    }
    TRY(weights_load_transfer(model->weights_path, net, match, start->loaded, &classes, err));
    if (match) {
        tell_matched(model, old, start);
    } else {
        tell_unmatched(model, old, seed, start);
    }
    return OK;
}

static enum result load_other(const char *weights, const char *cfg, uint64_t seed,
                              struct model *model, struct training_start *start, struct error *err)
{
    TRY(other_network_load(weights, cfg, &model->net, start->loaded, err));
    snprintf(start->text, sizeof start->text,
             "%.200s, of another network (%.200s): the layers that fit; the others random numbers, "
             "seed %" PRIu64,
             weights, cfg, seed);
    return OK;
}

/* The file as it is, or of other classes; if it fits in neither way, as one of another network, where that is known. */
static enum result load_any(const char *weights_cfg, const char *weights_names, uint64_t seed,
                            struct model *model, struct training_start *start, struct error *err)
{
    struct old_classes old = {0};
    char cfg[MODEL_PATH];
    const char *weights = model->weights_path;
    if (weights_cfg) {
        TRY(option_need_file("weights-cfg", weights_cfg, err));
        return load_other(weights, weights_cfg, seed, model, start, err);
    }
    enum result result = load(model, weights_names, seed, &old, start, err);
    old_classes_free(&old);
    if (result == ERR_FORMAT && !weights_names && model_find_weights_cfg(weights, cfg)) {
        return load_other(weights, cfg, seed, model, start, err);
    }
    return result == ERR_FORMAT && !weights_names
               ? error_hint(err, "--weights-cfg FILE says of which network they are")
               : result;
}

enum result training_start_load(struct model *model, const char *weights_cfg,
                                const char *weights_names, uint64_t seed,
                                struct training_start *start, struct error *err)
{
    start->loaded = mem_alloc((size_t)model->net.layer_count, sizeof *start->loaded);
    if (!start->loaded) {
        return mem_error(err, "training");
    }
    network_initialise(&model->net, seed);
    if (!model->weights_path[0]) {
        snprintf(start->text, sizeof start->text, "random numbers, seed %" PRIu64, seed);
        return weights_names || weights_cfg
                   ? error_set(err, ERR_ARG,
                               "--weights-%s: no weights, the training begins with random numbers",
                               weights_names ? "names" : "cfg")
                   : OK;
    }
    return load_any(weights_cfg, weights_names, seed, model, start, err);
}

void training_start_free(struct training_start *start)
{
    mem_free(start->loaded);
    *start = (struct training_start){0};
}
