#include "data/coco_file.h"

#include <math.h>
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

/* A copy of the text; NULL and a fault if the value is no text. */
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

/* 0 for what is no size: the picture itself tells then. */
static void get_side(struct json_reader *r, int *side)
{
    double number;
    bool is_side = json_number_or_nan(r, &number) && number >= 1 && number <= MAX_SIDE &&
                   number == floor(number);
    *side = is_side ? (int)number : 0;
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

/* These return NULL, or why the value at hand is not what it should be. */

static const char *get_id(struct json_reader *r, int64_t *id, const char *fault)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    double number;
    bool is_id = json_number_or_nan(r, &number) && fabs(number) <= exact && number == floor(number);
    *id = is_id ? (int64_t)number : 0;
    return is_id ? NULL : fault;
}

static const char *get_file_name(struct json_reader *r, char **name)
{
    if (json_peek(r) != JSON_STRING) {
        json_skip(r);
        return "file_name: is not a text";
    }
    return get_text(r, name) && !(*name)[0] ? "file_name: is empty" : NULL;
}

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
    const char *id = "id: is missing", *name = "file_name: is missing";
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "id")) {
            id = get_id(r, &p->id, "id: is not a whole number");
        } else if (json_key_is(r, "file_name")) {
            name = get_file_name(r, &p->file_name);
        } else if (json_key_is(r, "width")) {
            get_side(r, &p->w);
        } else if (json_key_is(r, "height")) {
            get_side(r, &p->h);
        } else {
            json_skip(r);
        }
    }
    if (name) {
        mem_free(p->file_name);
        p->file_name = NULL;
    }
    p->id = id ? INT64_MIN + (int64_t)index : p->id;
    p->fault = id ? id : reading->need == COCO_OBJECTS ? NULL : name;
    p->line = (int)r->line;
    return r->result == OK;
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
    c->line = (int)r->line;
    return need_key(r, has_id, "id");
}

static const char *get_box(struct json_reader *r, double bbox[4])
{
    static const char *const not_finite[] = {
        "bbox[0]: is not a finite number", "bbox[1]: is not a finite number",
        "bbox[2]: is not a finite number", "bbox[3]: is not a finite number"};
    const char *fault = NULL;
    size_t count = 0;
    if (json_peek(r) != JSON_ARRAY) {
        fault = json_peek(r) == JSON_NULL ? "bbox: is null" : "bbox: is not an array of 4 numbers";
        json_skip(r);
        return fault;
    }
    json_begin_array(r);
    for (double number; json_next_item(r) && json_number_or_nan(r, &number); count++) {
        if (count < 4) {
            bbox[count] = number;
            fault = !fault && isnan(number) ? not_finite[count] : fault;
        }
    }
    return count == 0   ? "bbox: is empty"
           : count != 4 ? "bbox: is not an array of 4 numbers"
                        : fault;
}

/* null counts as not given. */
static const char *get_area(struct json_reader *r, double *area, bool *is_given)
{
    *is_given = json_peek(r) != JSON_NULL;
    json_number_or_nan(r, area);
    return *is_given && isnan(*area) ? "area: is not a number" : NULL;
}

static const char *get_flag(struct json_reader *r, bool *flag)
{
    enum json_kind kind = json_peek(r);
    if (kind == JSON_NUMBER || kind == JSON_BOOL) {
        json_flag(r, flag);
        return NULL;
    }
    json_skip(r);
    return kind == JSON_NULL ? NULL : "iscrowd: is neither 0 nor 1";
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
    const char *image = "image_id: is missing", *category = "category_id: is missing";
    const char *box = "bbox: is missing", *size = NULL, *crowd = NULL;
    bool has_area = false;
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "image_id")) {
            image = get_id(r, &a.image_id, "image_id: is not a whole number");
        } else if (json_key_is(r, "category_id")) {
            category = get_id(r, &a.category_id, "category_id: is not a whole number");
        } else if (json_key_is(r, "bbox")) {
            box = get_box(r, a.bbox);
        } else if (json_key_is(r, "area")) {
            size = get_area(r, &a.area, &has_area);
        } else if (json_key_is(r, "iscrowd")) {
            crowd = get_flag(r, &a.is_crowd);
        } else {
            json_skip(r);
        }
    }
    a.fault = image ? image : category ? category : box ? box : size ? size : crowd;
    a.has_image = !image;
    a.area = has_area ? a.area : a.bbox[2] * a.bbox[3];
    a.line = (int)r->line;
    file->annotations[file->annotation_count++] = a;
    return r->result == OK;
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

/* Pictures and categories both begin with their id, the line behind it. */
static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int line_of(const char *item)
{
    return *(const int *)(const void *)(item + sizeof(int64_t));
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
            int line = line_of(item), other = line_of(item - size);
            r->line = (size_t)(line > other ? line : other);
            return json_fault(
                r, "the id %lld is given twice (first in line %d; were two files joined?)",
                (long long)*(const int64_t *)item, line < other ? line : other);
        }
    }
    return true;
}

static size_t find_id(const void *items, size_t count, size_t size, int64_t id)
{
    const char *found = count ? bsearch(&id, items, count, size, by_id) : NULL;
    return found ? (size_t)(found - (const char *)items) / size : SIZE_MAX;
}

enum result coco_leave_out(struct coco_file *file, const bool *is_left_out, struct error *err)
{
    size_t count = file->picture_count, kept = 0, left = 0;
    struct coco_picture *away = mem_alloc(count, sizeof *away);
    if (!away) {
        return mem_error(err, "COCO images");
    }
    for (size_t i = 0; i < count; i++) {
        *(is_left_out[i] ? &away[left++] : &file->pictures[kept++]) = file->pictures[i];
    }
    if (left > 0) {
        memcpy(file->pictures + kept, away, left * sizeof *away);
    }
    mem_free(away);
    file->picture_count = kept;
    file->left_out_count = left;
    return OK;
}

bool coco_leaves_out(const struct coco_file *file, int64_t id)
{
    return find_id(file->pictures + file->picture_count, file->left_out_count,
                   sizeof *file->pictures, id) != SIZE_MAX;
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

/* If no image can be used, the file is of another kind, and the fault of its first image says
 * why. (The first of the file need not be the first by id.) */
static enum result check_pictures(const struct coco_file *file, const char *path, struct error *err)
{
    const struct coco_picture *first = file->pictures;
    for (size_t i = 0; i < file->picture_count; i++) {
        const struct coco_picture *p = &file->pictures[i];
        if (!p->fault) {
            return OK;
        }
        first = p->index < first->index ? p : first;
    }
    return file->picture_count == 0
               ? OK
               : error_at(err, ERR_FORMAT, path, first->line, "images[0].%s%s", first->fault,
                          file->picture_count > 1 ? ", and none of the others can be used" : "");
}

/* The same for annotations. */
static enum result check_annotations(const struct coco_file *file, const char *path,
                                     struct error *err)
{
    for (size_t i = 0; i < file->annotation_count; i++) {
        if (!file->annotations[i].fault) {
            return OK;
        }
    }
    const struct coco_annotation *first = file->annotations;
    return file->annotation_count == 0
               ? OK
               : error_at(err, ERR_FORMAT, path, first->line, "annotations[0].%s%s", first->fault,
                          file->annotation_count > 1 ? ", and none of the others can be used" : "");
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
    TRY(result);
    TRY(check_pictures(file, path, err));
    TRY(check_parts(&reading, path, err));
    return check_annotations(file, path, err);
}

void coco_file_free(struct coco_file *file)
{
    for (size_t i = 0; i < file->picture_count + file->left_out_count; i++) {
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
