#include "data/coco_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json_reader.h"
#include "base/memory.h"

enum { TEXT_BYTES = 4096, MAX_SIDE = 1000000 };

struct reading {
    struct json_reader json;
    struct coco_file *file;
    enum coco_need need;
    bool has_pictures, has_categories, has_annotations;
};

/* A text for keeps; NULL and a fault if it is none. */
static bool get_text(struct json_reader *r, char **text)
{
    char bytes[TEXT_BYTES];
    if (!json_string(r, bytes, sizeof bytes)) {
        return false;
    }
    mem_free(*text);
    *text = mem_strdup(bytes);
    if (!*text) {
        r->result = mem_error(r->err, "COCO file");
    }
    return *text != NULL;
}

static bool get_side(struct json_reader *r, int *side)
{
    int64_t number;
    if (!json_whole(r, &number)) {
        return false;
    }
    if (number < 1 || number > MAX_SIDE) {
        return json_fault(r, "is no size of a picture");
    }
    *side = (int)number;
    return true;
}

static bool need_key(struct json_reader *r, bool is_there, const char *key)
{
    return is_there || json_fault_in(r, key, "is missing");
}

static bool grow(struct json_reader *r, void **array, size_t count, size_t *capacity, size_t size)
{
    if (r->result == OK) {
        r->result = mem_grow(array, count, capacity, size, r->err);
    }
    return r->result == OK;
}

/* ---- elements ---- */

static bool read_picture(struct reading *reading, size_t index)
{
    struct json_reader *r = &reading->json;
    struct coco_file *file = reading->file;
    if (!grow(r, (void **)&file->pictures, file->picture_count, &file->picture_capacity,
              sizeof *file->pictures)) {
        return false;
    }
    struct coco_picture *p = &file->pictures[file->picture_count++];
    *p = (struct coco_picture){.index = index};
    bool has_id = false;
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "id")) {
            has_id = json_whole(r, &p->id);
        } else if (json_key_is(r, "file_name")) {
            if (get_text(r, &p->file_name) && !p->file_name[0]) {
                json_fault(r, "is empty");
            }
        } else if (json_key_is(r, "width")) {
            get_side(r, &p->w);
        } else if (json_key_is(r, "height")) {
            get_side(r, &p->h);
        } else {
            json_skip(r);
        }
    }
    p->line = (int)r->line;
    bool is_whole = need_key(r, has_id, "id") &&
                    need_key(r, p->file_name || reading->need == COCO_OBJECTS, "file_name");
    if (is_whole && reading->need == COCO_PICTURES) {
        is_whole = need_key(r, p->w > 0, "width") && need_key(r, p->h > 0, "height");
    }
    return is_whole;
}

static bool read_category(struct reading *reading, size_t index)
{
    struct json_reader *r = &reading->json;
    struct coco_file *file = reading->file;
    (void)index;
    if (!grow(r, (void **)&file->categories, file->category_count, &file->category_capacity,
              sizeof *file->categories)) {
        return false;
    }
    struct coco_category *c = &file->categories[file->category_count++];
    *c = (struct coco_category){0};
    bool has_id = false;
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "id")) {
            has_id = json_whole(r, &c->id);
        } else if (json_key_is(r, "name")) {
            get_text(r, &c->name);
        } else {
            json_skip(r);
        }
    }
    return need_key(r, has_id, "id");
}

static bool read_annotation(struct reading *reading, size_t index)
{
    struct json_reader *r = &reading->json;
    struct coco_file *file = reading->file;
    if (!grow(r, (void **)&file->annotations, file->annotation_count, &file->annotation_capacity,
              sizeof *file->annotations)) {
        return false;
    }
    struct coco_annotation a = {.index = index};
    bool has_image = false, has_category = false, has_box = false, has_area = false;
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "image_id")) {
            has_image = json_whole(r, &a.image_id);
        } else if (json_key_is(r, "category_id")) {
            has_category = json_whole(r, &a.category_id);
        } else if (json_key_is(r, "bbox")) {
            has_box = json_numbers(r, a.bbox, 4);
        } else if (json_key_is(r, "area")) {
            has_area = json_number(r, &a.area);
        } else if (json_key_is(r, "iscrowd")) {
            json_flag(r, &a.is_crowd);
        } else {
            json_skip(r);
        }
    }
    a.area = has_area ? a.area : a.bbox[2] * a.bbox[3];
    a.line = (int)r->line;
    file->annotations[file->annotation_count++] = a;
    return need_key(r, has_image, "image_id") && need_key(r, has_category, "category_id") &&
           need_key(r, has_box, "bbox");
}

static void read_array(struct reading *reading, bool (*read)(struct reading *, size_t))
{
    struct json_reader *r = &reading->json;
    json_begin_array(r);
    for (size_t index = 0; json_next_item(r); index++) {
        if (!read(reading, index)) {
            return;
        }
    }
}

/* ---- ids ---- */

/* Pictures and categories both begin with their id. */
static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sort and refuse what is given twice. */
static bool sort_ids(struct json_reader *r, void *items, size_t count, size_t size)
{
    if (r->result != OK) {
        return false;
    }
    if (count > 1) {
        qsort(items, count, size, by_id);
    }
    for (size_t i = 1; i < count; i++) {
        const char *item = (const char *)items + i * size;
        if (by_id(item - size, item) == 0) {
            return json_fault(r, "the id %lld is given twice", (long long)*(const int64_t *)item);
        }
    }
    return true;
}

static size_t find_id(const void *items, size_t count, size_t size, int64_t id)
{
    const char *found = count ? bsearch(&id, items, count, size, by_id) : NULL;
    return found ? (size_t)(found - (const char *)items) / size : SIZE_MAX;
}

size_t coco_find_picture(const struct coco_file *file, int64_t id)
{
    return find_id(file->pictures, file->picture_count, sizeof *file->pictures, id);
}

size_t coco_find_category(const struct coco_file *file, int64_t id)
{
    return find_id(file->categories, file->category_count, sizeof *file->categories, id);
}

static size_t find_exact(const struct coco_file *file, const char *name)
{
    for (size_t i = 0; i < file->category_count; i++) {
        const char *other = file->categories[i].name;
        if (other && strcasecmp(other, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t coco_find_name(const struct coco_file *file, const char *name)
{
    static const char *const pairs[][2] = {
        {"aeroplane", "airplane"}, {"motorbike", "motorcycle"},     {"sofa", "couch"},
        {"tvmonitor", "tv"},       {"diningtable", "dining table"}, {"pottedplant", "potted plant"},
    };
    size_t found = find_exact(file, name);
    for (size_t i = 0; found == SIZE_MAX && i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcasecmp(name, pairs[i][0]) == 0) {
            found = find_exact(file, pairs[i][1]);
        }
    }
    return found;
}

/* ---- the file ---- */

static void read_root(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    struct coco_file *file = reading->file;
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "images") && !reading->has_pictures) {
            reading->has_pictures = true;
            read_array(reading, read_picture);
            sort_ids(r, file->pictures, file->picture_count, sizeof *file->pictures);
        } else if (json_key_is(r, "categories") && !reading->has_categories) {
            reading->has_categories = true;
            read_array(reading, read_category);
            sort_ids(r, file->categories, file->category_count, sizeof *file->categories);
        } else if (json_key_is(r, "annotations") && !reading->has_annotations &&
                   reading->need != COCO_IDS) {
            reading->has_annotations = true;
            read_array(reading, read_annotation);
        } else {
            json_skip(r);
        }
    }
    json_end(r);
}

static enum result check_parts(const struct reading *reading, const char *path, struct error *err)
{
    const char *missing = !reading->has_categories                                 ? "categories"
                          : !reading->has_pictures                                 ? "images"
                          : !reading->has_annotations && reading->need != COCO_IDS ? "annotations"
                                                                                   : NULL;
    if (missing) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "no \"%s\" (COCO's instances format has images, annotations, categories)",
                        missing);
    }
    return OK;
}

enum result coco_file_read(const char *path, enum coco_need need, struct coco_file *file,
                           struct error *err)
{
    *file = (struct coco_file){0};
    struct reading reading = {.file = file, .need = need};
    if (json_open(&reading.json, path, err) == OK) {
        read_root(&reading);
    }
    enum result result = json_result(&reading.json);
    json_close(&reading.json);
    return result == OK ? check_parts(&reading, path, err) : result;
}

void coco_file_free(struct coco_file *file)
{
    for (size_t i = 0; i < file->picture_count; i++) {
        mem_free(file->pictures[i].file_name);
    }
    for (size_t i = 0; i < file->category_count; i++) {
        mem_free(file->categories[i].name);
    }
    mem_free(file->pictures);
    mem_free(file->categories);
    mem_free(file->annotations);
    *file = (struct coco_file){0};
}
