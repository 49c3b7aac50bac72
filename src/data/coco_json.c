/* COCO's instances_*.json: "images", "annotations", "categories". Everything else in it is ignored.
 *
 *   image      id, file_name, width, height
 *   annotation image_id, category_id, bbox [x, y, w, h] in pixels; iscrowd, area: optional
 *   category   id */
#include "data/dataset_build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/fileio.h"
#include "base/memory.h"

enum { JSON_MAX_BYTES = 1 << 30 };

/* An id and what it stands for; sorted by id. */
struct id_entry {
    int64_t id;
    size_t index; /* sample or class; SIZE_MAX: a picture that does not exist */
};

struct object {
    size_t sample;
    struct truth truth;
    double area;
    bool is_crowd;
};

struct coco {
    struct dataset_build *build;
    const char *path;
    struct id_entry *images, *categories;
    size_t image_count, category_count;
    struct object *objects;
    size_t object_count, object_capacity;
};

/* ---- values with their places ---- */

struct place {
    const char *path, *array;
    size_t index;
};

static enum result bad(const struct place *at, const char *key, const char *what, struct error *err)
{
    return error_at(err, ERR_FORMAT, at->path, 0, "%s[%zu]%s%s: %s", at->array, at->index,
                    key ? "." : "", key ? key : "", what);
}

static enum result get_id(const struct place *at, const cJSON *object, const char *key,
                          int64_t *value, struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    const double exact = 9007199254740992.0; /* 2^53 */
    if (!item) {
        return bad(at, key, "is missing", err);
    }
    double number = item->valuedouble;
    if (!cJSON_IsNumber(item) || !(fabs(number) <= exact) || number != floor(number)) {
        return bad(at, key, "is not a whole number", err);
    }
    *value = (int64_t)number;
    return OK;
}

static enum result get_size(const struct place *at, const cJSON *object, const char *key,
                            int *value, struct error *err)
{
    int64_t number;
    TRY(get_id(at, object, key, &number, err));
    if (number < 1 || number > 1000000) {
        return bad(at, key, "is no size of a picture", err);
    }
    *value = (int)number;
    return OK;
}

static enum result get_array(const char *path, const cJSON *root, const char *key,
                             const cJSON **array, struct error *err)
{
    *array = cJSON_GetObjectItemCaseSensitive(root, key);
    if (!*array) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "no \"%s\" (COCO's instances format has images, annotations, categories)",
                        key);
    }
    if (!cJSON_IsArray(*array)) {
        return error_at(err, ERR_FORMAT, path, 0, "\"%s\" is not an array", key);
    }
    return OK;
}

static int by_id(const void *a, const void *b)
{
    const struct id_entry *x = a;
    const struct id_entry *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static const struct id_entry *find_id(const struct id_entry *entries, size_t count, int64_t id)
{
    const struct id_entry key = {.id = id};
    return count ? bsearch(&key, entries, count, sizeof key, by_id) : NULL;
}

static enum result sort_ids(const char *path, const char *array, struct id_entry *entries,
                            size_t count, struct error *err)
{
    if (count > 1) {
        qsort(entries, count, sizeof *entries, by_id);
    }
    for (size_t i = 1; i < count; i++) {
        if (entries[i].id == entries[i - 1].id) {
            return error_at(err, ERR_FORMAT, path, 0, "%s: the id %lld is given twice", array,
                            (long long)entries[i].id);
        }
    }
    return OK;
}

static enum result new_ids(const cJSON *array, struct id_entry **entries, struct error *err)
{
    *entries = mem_alloc((size_t)cJSON_GetArraySize(array), sizeof **entries);
    return *entries ? OK : mem_error(err, "COCO ids");
}

/* ---- the three arrays ---- */

static enum result read_categories(struct coco *c, const cJSON *root, struct error *err)
{
    const cJSON *array;
    TRY(get_array(c->path, root, "categories", &array, err));
    TRY(new_ids(array, &c->categories, err));
    struct place at = {c->path, "categories", 0};
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        TRY(get_id(&at, item, "id", &c->categories[c->category_count++].id, err));
        at.index++;
    }
    size_t count = c->category_count;
    TRY(sort_ids(c->path, "categories", c->categories, count, err));
    size_t wanted = c->build->source->class_count;
    if (count == 0 || (wanted && wanted != count)) {
        return error_at(err, ERR_FORMAT, c->path, 0,
                        "%zu categories, but %zu classes are expected (classes are the categories "
                        "in the order of their ids)",
                        count, wanted);
    }
    int64_t *ids = mem_alloc(count, sizeof *ids);
    if (!ids) {
        return mem_error(err, "COCO categories");
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = c->categories[i].id;
        c->categories[i].index = i;
    }
    c->build->set->category_ids = ids;
    c->build->set->class_count = count;
    return OK;
}

/* The folder of the pictures: as named, else the json's own. */
static bool picture_path(const struct coco *c, const char *name, char *out, size_t size)
{
    if (c->build->source->images) {
        return path_join(out, size, c->build->source->images, name);
    }
    char folder[4096];
    int length = (int)(path_base(c->path) - c->path);
    int written = snprintf(folder, sizeof folder, "%.*s", length, c->path);
    return written >= 0 && (size_t)written < sizeof folder && path_join(out, size, folder, name);
}

static enum result read_image(struct coco *c, const struct place *at, const cJSON *item,
                              struct error *err)
{
    struct id_entry *entry = &c->images[c->image_count];
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "file_name");
    int w = 0;
    int h = 0;
    TRY(get_id(at, item, "id", &entry->id, err));
    TRY(get_size(at, item, "width", &w, err));
    TRY(get_size(at, item, "height", &h, err));
    if (!name || !cJSON_IsString(name) || !name->valuestring[0]) {
        return bad(at, "file_name", name ? "is not a text" : "is missing", err);
    }
    char path[4096];
    if (!picture_path(c, name->valuestring, path, sizeof path)) {
        return bad(at, "file_name", "is too long", err);
    }
    c->image_count++;
    entry->index = SIZE_MAX;
    if (!path_exists(path)) {
        dataset_fault(c->build, FAULT_NO_IMAGE, c->path, 0, "images[%zu]: %s does not exist",
                      at->index, path);
        return OK;
    }
    struct sample *sample = dataset_add(c->build, path, err);
    if (!sample) {
        return ERR_MEMORY;
    }
    sample->coco_id = entry->id;
    sample->image_w = w;
    sample->image_h = h;
    entry->index = c->build->set->sample_count - 1;
    return OK;
}

static enum result read_images(struct coco *c, const cJSON *root, struct error *err)
{
    const cJSON *array;
    TRY(get_array(c->path, root, "images", &array, err));
    TRY(new_ids(array, &c->images, err));
    struct place at = {c->path, "images", 0};
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        TRY(read_image(c, &at, item, err));
        at.index++;
    }
    return sort_ids(c->path, "images", c->images, c->image_count, err);
}

static enum result get_bbox(const struct place *at, const cJSON *object, double *bbox,
                            struct error *err)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, "bbox");
    if (!array) {
        return bad(at, "bbox", "is missing", err);
    }
    if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) != 4) {
        return bad(at, "bbox", "is not an array of 4 numbers", err);
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) {
            return bad(at, "bbox", "is not an array of 4 numbers", err);
        }
        *bbox++ = item->valuedouble;
    }
    return OK;
}

static enum result get_extras(const struct place *at, const cJSON *object, struct object *out,
                              struct error *err)
{
    const cJSON *crowd = cJSON_GetObjectItemCaseSensitive(object, "iscrowd");
    if (crowd && !cJSON_IsNumber(crowd) && !cJSON_IsBool(crowd)) {
        return bad(at, "iscrowd", "is neither 0 nor 1", err);
    }
    out->is_crowd = crowd && (cJSON_IsTrue(crowd) || crowd->valuedouble != 0);
    const cJSON *area = cJSON_GetObjectItemCaseSensitive(object, "area");
    if (area && (!cJSON_IsNumber(area) || !isfinite(area->valuedouble))) {
        return bad(at, "area", "is not a number", err);
    }
    if (area) {
        out->area = area->valuedouble;
    }
    return OK;
}

static enum result read_annotation(struct coco *c, const struct place *at, const cJSON *item,
                                   struct error *err)
{
    int64_t image_id;
    int64_t category_id;
    double bbox[4];
    struct object object = {0};
    TRY(get_id(at, item, "image_id", &image_id, err));
    TRY(get_id(at, item, "category_id", &category_id, err));
    TRY(get_bbox(at, item, bbox, err));
    object.area = bbox[2] * bbox[3];
    TRY(get_extras(at, item, &object, err));
    const struct id_entry *image = find_id(c->images, c->image_count, image_id);
    const struct id_entry *category = find_id(c->categories, c->category_count, category_id);
    if (!image) {
        dataset_fault(c->build, FAULT_NO_IMAGE, c->path, 0, "annotations[%zu]: no image of id %lld",
                      at->index, (long long)image_id);
        return OK;
    }
    if (!category) {
        dataset_fault(c->build, FAULT_CLASS_RANGE, c->path, 0,
                      "annotations[%zu]: no category of id %lld", at->index,
                      (long long)category_id);
        return OK;
    }
    if (image->index == SIZE_MAX) {
        return OK; /* reported with its picture */
    }
    const struct sample *sample = &c->build->set->samples[image->index];
    double w = sample->image_w;
    double h = sample->image_h;
    struct edges edges = {bbox[0] / w, bbox[1] / h, (bbox[0] + bbox[2]) / w,
                          (bbox[1] + bbox[3]) / h};
    char prefix[64];
    snprintf(prefix, sizeof prefix, "annotations[%zu]: ", at->index);
    if (!dataset_take_box(c->build, &edges, c->path, 0, prefix, &object.truth.box)) {
        return OK;
    }
    object.sample = image->index;
    object.truth.class_id = (int)category->index;
    TRY(mem_grow((void **)&c->objects, c->object_count, &c->object_capacity, sizeof *c->objects,
                 err));
    c->objects[c->object_count++] = object;
    return OK;
}

static enum result read_annotations(struct coco *c, const cJSON *root, struct error *err)
{
    const cJSON *array;
    TRY(get_array(c->path, root, "annotations", &array, err));
    struct place at = {c->path, "annotations", 0};
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        TRY(read_annotation(c, &at, item, err));
        at.index++;
    }
    return OK;
}

/* ---- objects to their pictures ---- */

/* Memory for what has been counted; truth_count starts again at 0. */
static enum result new_truths(struct sample *sample, struct error *err)
{
    size_t count = sample->truth_count;
    sample->truth_count = 0;
    if (count == 0) {
        return OK;
    }
    sample->truths = mem_alloc(count, sizeof *sample->truths);
    sample->areas = mem_alloc(count, sizeof *sample->areas);
    return sample->truths && sample->areas ? OK : mem_error(err, "COCO truths");
}

static enum result share_out(struct coco *c, struct error *err)
{
    struct dataset *set = c->build->set;
    for (size_t i = 0; i < c->object_count; i++) {
        set->samples[c->objects[i].sample].truth_count++;
    }
    for (size_t i = 0; i < c->object_count; i++) {
        struct sample *sample = &set->samples[c->objects[i].sample];
        if (c->objects[i].is_crowd && !sample->is_crowd) {
            sample->is_crowd = mem_alloc(sample->truth_count, sizeof *sample->is_crowd);
            if (!sample->is_crowd) {
                return mem_error(err, "COCO truths");
            }
        }
    }
    for (size_t i = 0; i < set->sample_count; i++) {
        TRY(new_truths(&set->samples[i], err));
    }
    for (size_t i = 0; i < c->object_count; i++) {
        const struct object *object = &c->objects[i];
        struct sample *sample = &set->samples[object->sample];
        size_t at = sample->truth_count++;
        sample->truths[at] = object->truth;
        sample->areas[at] = object->area;
        if (sample->is_crowd) {
            sample->is_crowd[at] = object->is_crowd;
        }
    }
    return OK;
}

/* ---- the file ---- */

static enum result parse(const char *path, cJSON **root, struct error *err)
{
    char *text;
    size_t size;
    TRY(file_read(path, JSON_MAX_BYTES, &text, &size, err));
    const char *end = text;
    *root = cJSON_ParseWithLengthOpts(text, size + 1, &end, 1);
    enum result result = OK;
    if (!*root) {
        int line = 1;
        for (const char *c = text; c < end; c++) {
            line += *c == '\n';
        }
        result = error_at(err, ERR_FORMAT, path, line, "not valid JSON from here: %.20s", end);
    } else if (!cJSON_IsObject(*root)) {
        result = error_at(err, ERR_FORMAT, path, 0, "not a JSON object");
    }
    mem_free(text);
    return result;
}

enum result coco_json_read(struct dataset_build *build, struct error *err)
{
    struct coco c = {.build = build, .path = build->source->path};
    cJSON *root = NULL;
    enum result result = parse(c.path, &root, err);
    result = result == OK ? read_categories(&c, root, err) : result;
    result = result == OK ? read_images(&c, root, err) : result;
    result = result == OK ? read_annotations(&c, root, err) : result;
    result = result == OK ? share_out(&c, err) : result;
    cJSON_Delete(root);
    mem_free(c.images);
    mem_free(c.categories);
    mem_free(c.objects);
    return result;
}
