#include "cli/results_coco.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "base/fileio.h"
#include "base/memory.h"

enum { MAX_ANNOTATION_BYTES = 1 << 30 };

static int compare_images(const void *a, const void *b)
{
    return strcmp(((const struct coco_image *)a)->file_name,
                  ((const struct coco_image *)b)->file_name);
}

static enum result read_images(const char *path, const cJSON *list, struct coco_ids *ids,
                               struct error *err)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "id");
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "file_name"));
        if (!cJSON_IsNumber(id) || !name || !name[0]) {
            return error_at(err, ERR_FORMAT, path, 0,
                            "images[%zu] has no numeric id or no file_name", ids->count);
        }
        TRY(mem_grow((void **)&ids->images, ids->count, &ids->capacity, sizeof ids->images[0], err));
        char *copy = mem_strdup(name);
        if (!copy) {
            return mem_error(err, path);
        }
        ids->images[ids->count++] = (struct coco_image){copy, id->valuedouble};
    }
    if (ids->count > 0) {
        qsort(ids->images, ids->count, sizeof ids->images[0], compare_images);
    }
    for (size_t i = 1; i < ids->count; i++) {
        if (strcmp(ids->images[i - 1].file_name, ids->images[i].file_name) == 0) {
            return error_at(err, ERR_FORMAT, path, 0, "two images have the file_name '%s'",
                            ids->images[i].file_name);
        }
    }
    return OK;
}

static const char *coco_spelling(const char *name)
{
    static const char *const pairs[][2] = {
        {"aeroplane", "airplane"}, {"motorbike", "motorcycle"},     {"sofa", "couch"},
        {"tvmonitor", "tv"},       {"diningtable", "dining table"}, {"pottedplant", "potted plant"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcasecmp(name, pairs[i][0]) == 0) {
            return pairs[i][1];
        }
    }
    return name;
}

static const cJSON *find_category(const cJSON *list, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
        if (text && strcasecmp(text, name) == 0) {
            return cJSON_GetObjectItemCaseSensitive(item, "id");
        }
    }
    return NULL;
}

static enum result read_categories(const char *path, const cJSON *list, char *const *names,
                                   size_t name_count, struct coco_ids *ids, struct error *err)
{
    ids->categories = mem_alloc(name_count, sizeof ids->categories[0]);
    if (!ids->categories) {
        return mem_error(err, path);
    }
    for (size_t i = 0; i < name_count; i++) {
        const cJSON *id = find_category(list, names[i]);
        if (!id) {
            id = find_category(list, coco_spelling(names[i]));
        }
        if (!cJSON_IsNumber(id)) {
            return error_at(err, ERR_FORMAT, path, 0,
                            "no category is named '%s' as class %zu of the model is (give the names "
                            "file that belongs to these annotations with --names)",
                            names[i], i);
        }
        ids->categories[i] = id->valuedouble;
    }
    return OK;
}

enum result coco_ids_read(const char *path, char *const *names, size_t name_count,
                          struct coco_ids *ids, struct error *err)
{
    char *text;
    size_t size;
    TRY(file_read(path, MAX_ANNOTATION_BYTES, &text, &size, err));
    cJSON *root = cJSON_ParseWithLength(text, size);
    mem_free(text);
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(root, "images");
    const cJSON *categories = cJSON_GetObjectItemCaseSensitive(root, "categories");
    enum result result;
    if (!cJSON_IsArray(images) || !cJSON_IsArray(categories)) {
        result = error_at(err, ERR_FORMAT, path, 0,
                          "not a COCO annotation file: %s",
                          root ? "it has no \"images\" and \"categories\"" : "it is not valid JSON");
    } else {
        result = read_images(path, images, ids, err);
    }
    if (result == OK) {
        result = read_categories(path, categories, names, name_count, ids, err);
    }
    cJSON_Delete(root);
    return result;
}

void coco_ids_free(struct coco_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        mem_free(ids->images[i].file_name);
    }
    mem_free(ids->images);
    mem_free(ids->categories);
    *ids = (struct coco_ids){0};
}

bool coco_ids_find(const struct coco_ids *ids, const char *path, double *id)
{
    for (const char *ending = path, *slash; ending; ending = slash ? slash + 1 : NULL) {
        slash = strchr(ending, '/');
        size_t low = 0, high = ids->count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            int order = strcmp(ending, ids->images[middle].file_name);
            if (order == 0) {
                *id = ids->images[middle].id;
                return true;
            }
            if (order < 0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
    }
    return false;
}
