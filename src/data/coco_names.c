#include "data/coco_names.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/inputs.h"

enum { NAME_BYTES = 256, CLASSES_MAX = 100000 };

struct category {
    int64_t id;
    int line;
    char name[NAME_BYTES]; /* "": none */
};

struct categories {
    struct category *items; /* by id */
    size_t count, capacity;
    bool has_images, has_categories;
};

static bool read_category(struct json_reader *r, struct categories *c)
{
    if (r->result == OK) {
        r->result = mem_grow((void **)&c->items, c->count, &c->capacity, sizeof *c->items, r->err);
    }
    if (r->result != OK) {
        return false;
    }
    struct category *category = &c->items[c->count];
    bool has_id = false;
    *category = (struct category){0};
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "id")) {
            has_id = json_whole(r, &category->id);
            category->line = (int)r->line;
        } else if (json_key_is(r, "name") && json_peek(r) == JSON_STRING) {
            if (json_string(r, category->name, sizeof category->name)) {
                text_mask(category->name); /* one line a name */
            }
        } else {
            json_skip(r);
        }
    }
    c->count += r->result == OK;
    return r->result == OK && (has_id || json_fault_in(r, "id", "is missing"));
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct category *)a)->id, y = ((const struct category *)b)->id;
    return (x > y) - (x < y);
}

static void read_root(struct json_reader *r, struct categories *c)
{
    json_begin_object(r);
    while (json_next_key(r)) {
        if (json_key_is(r, "categories") && !c->has_categories) {
            c->has_categories = true;
            json_begin_array(r);
            while (json_next_item(r) && read_category(r, c)) {
            }
        } else {
            c->has_images = c->has_images || json_key_is(r, "images");
            json_skip(r);
        }
    }
    json_end(r);
}

static enum result check(const char *path, const struct categories *c, struct error *err)
{
    if (c->count == 0) {
        return error_at(err, ERR_FORMAT, path, 0, "no \"categories\" in it, so no class names");
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct category *category = &c->items[i];
        if (i > 0 && category->id == category[-1].id) {
            return error_at(err, ERR_FORMAT, path, category->line, "the id %lld is given twice",
                            (long long)category->id);
        }
        if (!c->has_images && (category->id < 0 || category->id >= CLASSES_MAX)) {
            return error_at(err, ERR_FORMAT, path, category->line, "the id %lld is no class",
                            (long long)category->id);
        }
    }
    return OK;
}

static enum result read_categories(const char *path, struct categories *c, struct error *err)
{
    struct json_reader r;
    *c = (struct categories){0};
    if (json_open(&r, path, err) == OK) {
        read_root(&r, c);
    }
    enum result result = json_result(&r);
    json_close(&r);
    TRY(result);
    if (c->count > 1) {
        qsort(c->items, c->count, sizeof *c->items, by_id);
    }
    return check(path, c, err);
}

/* How many classes the categories are; which one is category i. */
static size_t class_count(const struct categories *c)
{
    return c->has_images ? c->count : (size_t)c->items[c->count - 1].id + 1;
}

static size_t class_of(const struct categories *c, size_t i)
{
    return c->has_images ? i : (size_t)c->items[i].id;
}

static enum result make_names(const char *path, const struct categories *c, char ***names,
                              size_t *count, struct error *err)
{
    size_t classes = class_count(c);
    char **block = mem_alloc(classes, sizeof *block + NAME_BYTES);
    if (!block) {
        return mem_error(err, path);
    }
    char *text = (char *)(block + classes);
    for (size_t k = 0; k < classes; k++) {
        block[k] = text + k * NAME_BYTES;
        snprintf(block[k], NAME_BYTES, "class_%zu", k);
    }
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i].name[0]) {
            strcpy(block[class_of(c, i)], c->items[i].name);
        }
    }
    *names = block;
    *count = classes;
    return OK;
}

enum result coco_names_read(const char *path, char ***names, size_t *count, struct error *err)
{
    struct categories c;
    enum result result = read_categories(path, &c, err);
    result = result == OK ? make_names(path, &c, names, count, err) : result;
    mem_free(c.items);
    return result;
}

enum result coco_names_check(const char *notes, const char *list, struct error *err)
{
    struct categories c;
    char **names = NULL;
    size_t count = 0;
    enum result result = read_categories(notes, &c, err);
    result = result == OK ? names_read(list, &names, &count, err) : result;
    for (size_t i = 0; result == OK && i < c.count; i++) {
        size_t k = class_of(&c, i);
        if (k >= count || strcmp(names[k], c.items[i].name) != 0) {
            error_at(err, ERR_FORMAT, list, k < count ? (int)k + 1 : 0,
                     "%.60s, but %.300s:%d names class %zu %.60s",
                     k < count ? names[k] : "no such line", notes, c.items[i].line, k,
                     c.items[i].name);
            result = error_hint(err, "labels are numbered as notes.json says: take %s away",
                                "classes.txt");
        }
    }
    mem_free(names);
    mem_free(c.items);
    return result;
}
