#include "run/thresholds.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/suggest.h"
#include "base/text.h"
#include "data/inputs.h"
#include "run/class_scores.h"

enum { SAID_BYTES = 400 };

/* One item: "NAME=X", "X" or "best". */
struct item {
    const char *name; /* NULL: for the rest */
    float value;
    bool is_best;
};

/* ---- words ---- */

static enum result read_value(const char *text, float *value, struct error *err)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number)) {
        error_set(err, ERR_ARG, "--conf '%s': not a number", text);
        return error_hint(err, "--conf .4, --conf dog=.4,cat=.3,.25, or --conf best with --run");
    }
    *value = (float)number;
    return number >= 0.0 && number <= 1.0
               ? OK
               : error_set(err, ERR_ARG, "--conf %s: must be between 0 and 1", text);
}

/* Ends the item at text and reads it; names may hold '=': the last one counts. */
static enum result read_item(char *text, struct item *item, struct error *err)
{
    text = text_trim(text);
    char *mark = strrchr(text, '=');
    *item = (struct item){.is_best = strcmp(text, "best") == 0};
    if (!*text) {
        return error_set(err, ERR_ARG, "--conf: an empty item (write them as dog=.4,cat=.3,.25)");
    }
    if (mark) {
        *mark = '\0';
        item->name = text_trim(text);
        if (!item->name[0]) {
            return error_set(err, ERR_ARG, "--conf =%s: of which class?", mark + 1);
        }
    }
    return item->is_best ? OK : read_value(mark ? text_trim(mark + 1) : text, &item->value, err);
}

/* Calls take for every item of text. */
static enum result each_item(const char *text, void *ctx,
                             enum result (*take)(void *ctx, const struct item *item,
                                                 struct error *err),
                             struct error *err)
{
    char *copy = mem_strdup(text);
    enum result result = copy ? OK : mem_error(err, "--conf");
    for (char *at = copy, *next; at && result == OK; at = next) {
        struct item item;
        next = strchr(at, ',');
        if (next) {
            *next++ = '\0';
        }
        result = read_item(at, &item, err);
        result = result == OK ? take(ctx, &item, err) : result;
    }
    mem_free(copy);
    return result;
}

/* ---- best ---- */

static enum result find_scores(const char *run, char path[PATH_MAX], struct error *err)
{
    if (!run) {
        error_set(err, ERR_ARG, "--conf best: of which training?");
        return error_hint(err, "--run DIR; the thresholds of best F1 are in its %s",
                          class_scores_name);
    }
    TRY(path_in(path, PATH_MAX, run, class_scores_name, err));
    if (path_exists(path)) {
        return OK;
    }
    error_set(err, ERR_ARG, "--conf best: %s: no such file", path);
    return error_hint(err,
                      "a training with a valid= set leaves it; for an older run: yolo eval --run "
                      "%.200s --format json >thresholds.json, and move that there",
                      run);
}

/* By name; where a name is not there and the numbers of classes are the same, by number. */
static enum result take_scores(const char *path, const struct class_scores *scores,
                               const struct thresholds_source *source, struct thresholds *out,
                               struct error *err)
{
    char said[SAID_BYTES] = "";
    size_t used = 0;
    for (size_t k = 0; k < source->count; k++) {
        size_t found = class_scores_find(scores, source->names[k]);
        if (found == SIZE_MAX && scores->count != source->count) {
            return error_at(err, ERR_ARG, path, 0,
                            "has no class '%s' (%zu classes, the network %zu)", source->names[k],
                            scores->count, source->count);
        }
        out->of_class[k] = (float)class_scores_threshold(scores, found == SIZE_MAX ? k : found);
        if (used < sizeof said) {
            used += (size_t)snprintf(said + used, sizeof said - used, "%s%s %.3f", k ? ", " : "",
                                     source->names[k], (double)out->of_class[k]);
        }
    }
    log_info("confidence: %s%s (%s)", said, used < sizeof said ? "" : "...", path);
    return OK;
}

static enum result take_best(const struct thresholds_source *source, struct thresholds *out,
                             struct error *err)
{
    char path[PATH_MAX];
    struct class_scores scores = {0};
    TRY(find_scores(source->run, path, err));
    enum result result = class_scores_read(path, &scores, err);
    result = result == OK ? take_scores(path, &scores, source, out, err) : result;
    class_scores_free(&scores);
    return result;
}

/* ---- one pass for the rest, one for classes ---- */

struct pass {
    const struct thresholds_source *source;
    struct thresholds *out;
    size_t rests;   /* items without a name */
    bool *is_given; /* [count], by name; NULL: in the first pass */
};

static enum result take_rest(void *ctx, const struct item *item, struct error *err)
{
    struct pass *pass = ctx;
    if (item->name) {
        return OK;
    }
    if (pass->rests++ > 0) {
        return error_set(err, ERR_ARG,
                         "--conf: two thresholds for the classes that are not named "
                         "(write it as dog=.4,cat=.3,.25)");
    }
    pass->out->rest = item->is_best ? pass->out->rest : item->value;
    return OK;
}

static enum result give(struct pass *pass, size_t k, const struct item *item, struct error *err)
{
    if (pass->is_given[k]) {
        return error_set(err, ERR_ARG, "--conf: class '%s' is given twice", item->name);
    }
    pass->is_given[k] = true;
    pass->out->of_class[k] = item->value;
    return OK;
}

static enum result take_class(void *ctx, const struct item *item, struct error *err)
{
    struct pass *pass = ctx;
    const struct thresholds_source *source = pass->source;
    size_t found = 0, number;
    if (!item->name) {
        return OK;
    }
    for (size_t k = 0; k < source->count; k++) {
        if (strcasecmp(item->name, source->names[k]) == 0) {
            TRY(give(pass, k, item, err));
            found++;
        }
    }
    if (found > 0) {
        return OK;
    }
    if (names_number(item->name, source->count, &number)) {
        return give(pass, number, item, err);
    }
    const char *near = suggest(item->name, (const char *const *)source->names, source->count);
    error_set(err, ERR_ARG, "--conf: the model knows no class '%s'", item->name);
    return near
               ? error_hint(err, "did you mean '%s'?", near)
               : error_hint(err, "names as in the names file, or numbers 0-%zu", source->count - 1);
}

/* ---- all ---- */

static bool says_best(const char *text)
{
    const char *at = text;
    while (*at) {
        at += strspn(at, " ,");
        size_t length = strcspn(at, " ,");
        if (length == 4 && strncmp(at, "best", 4) == 0) {
            return true;
        }
        at += length;
    }
    return false;
}

static enum result check_item(void *ctx, const struct item *item, struct error *err)
{
    char path[PATH_MAX];
    return item->is_best ? find_scores(ctx, path, err) : OK;
}

enum result thresholds_check(const char *text, const char *run, struct error *err)
{
    return text ? each_item(text, (void *)(uintptr_t)run, check_item, err) : OK;
}

static enum result open_classes(struct pass *pass, struct error *err)
{
    const struct thresholds_source *source = pass->source;
    struct thresholds *out = pass->out;
    out->of_class = mem_alloc(source->count, sizeof *out->of_class);
    pass->is_given = mem_alloc(source->count, sizeof *pass->is_given);
    if (!out->of_class || !pass->is_given) {
        return mem_error(err, "--conf");
    }
    for (size_t k = 0; k < source->count; k++) {
        out->of_class[k] = out->rest;
    }
    if (says_best(source->text)) {
        TRY(take_best(source, out, err));
    }
    TRY(each_item(source->text, pass, take_class, err));
    out->least = out->of_class[0];
    for (size_t k = 1; k < source->count; k++) {
        out->least = fminf(out->least, out->of_class[k]);
    }
    return OK;
}

enum result thresholds_open(const struct thresholds_source *source, struct thresholds *thresholds,
                            struct error *err)
{
    struct pass pass = {.source = source, .out = thresholds};
    thresholds->rest = source->rest;
    if (source->text) {
        TRY(each_item(source->text, &pass, take_rest, err));
    }
    thresholds->least = thresholds->rest;
    if (!source->text || !(strchr(source->text, '=') || says_best(source->text))) {
        return OK;
    }
    enum result result = open_classes(&pass, err);
    mem_free(pass.is_given);
    return result;
}

void thresholds_free(struct thresholds *thresholds)
{
    mem_free(thresholds->of_class);
    *thresholds = (struct thresholds){0};
}
