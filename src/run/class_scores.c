#include "run/class_scores.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/json_file.h"
#include "base/memory.h"

enum { MAX_BYTES = 1 << 26 };

const char class_scores_name[] = "thresholds.json";

static const double NO_THRESHOLD = .25;

static enum result need(const char *path, const char *place, const char *key, const char *what,
                        struct error *err)
{
    error_at(err, ERR_FORMAT, path, 0, "%s%s: is %s", place, key, what);
    return error_hint(err, "what `yolo eval --format json` prints is wanted");
}

static enum result read_number(const char *path, const cJSON *object, const char *place,
                               const char *key, double most, double *number, struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    *number = cJSON_IsNumber(item) ? item->valuedouble : 0.0;
    return cJSON_IsNumber(item) && *number >= -1.0 && *number <= most
               ? OK
               : need(path, place, key, "missing or out of range", err);
}

static enum result read_score(const char *path, const cJSON *object, const char *place,
                              struct class_score *score, struct error *err)
{
    TRY(read_number(path, object, place, "objects", 1e15, &score->objects, err));
    TRY(read_number(path, object, place, "AP", 1.0, &score->ap, err));
    TRY(read_number(path, object, place, "AP50", 1.0, &score->ap50, err));
    TRY(read_number(path, object, place, "threshold", 1.0, &score->threshold, err));
    TRY(read_number(path, object, place, "precision", 1.0, &score->precision, err));
    TRY(read_number(path, object, place, "recall", 1.0, &score->recall, err));
    TRY(read_number(path, object, place, "F1", 1.0, &score->f1, err));
    return score->f1 <= 0.0 || score->threshold >= 0.0
               ? OK
               : need(path, place, "threshold", "missing or out of range", err);
}

static enum result read_class(const char *path, const cJSON *object, size_t index,
                              struct class_score *score, struct error *err)
{
    char place[48];
    snprintf(place, sizeof place, "classes[%zu].", index);
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "name"));
    if (!name) {
        return need(path, place, "name", "missing", err);
    }
    score->name = mem_strdup(name);
    return score->name ? read_score(path, object, place, score, err) : mem_error(err, path);
}

static enum result read_all(const char *path, const cJSON *root, struct class_scores *scores,
                            struct error *err)
{
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(root, "classes");
    TRY(read_score(path, root, "", &scores->all, err));
    if (!cJSON_IsArray(classes) || !classes->child) {
        return need(path, "", "classes", "no list of classes", err);
    }
    scores->items = mem_alloc((size_t)cJSON_GetArraySize(classes), sizeof *scores->items);
    if (!scores->items) {
        return mem_error(err, path);
    }
    for (const cJSON *item = classes->child; item; item = item->next) {
        size_t index = scores->count++;
        TRY(read_class(path, item, index, &scores->items[index], err));
    }
    return OK;
}

enum result class_scores_read(const char *path, struct class_scores *scores, struct error *err)
{
    cJSON *root;
    TRY(json_file_read(path, MAX_BYTES, &root, err));
    enum result result = read_all(path, root, scores, err);
    cJSON_Delete(root);
    return result;
}

void class_scores_free(struct class_scores *scores)
{
    for (size_t i = 0; i < scores->count; i++) {
        mem_free(scores->items[i].name);
    }
    mem_free(scores->items);
    *scores = (struct class_scores){0};
}

double class_scores_threshold(const struct class_scores *scores, size_t class_id)
{
    const struct class_score *own = &scores->items[class_id];
    return own->f1 > 0.0          ? own->threshold
           : scores->all.f1 > 0.0 ? scores->all.threshold
                                  : NO_THRESHOLD;
}

size_t class_scores_find(const struct class_scores *scores, const char *name)
{
    for (size_t i = 0; i < scores->count; i++) {
        if (strcmp(scores->items[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}
