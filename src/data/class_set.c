#include "data/class_set.h"

#include <stdio.h>
#include <string.h>

#include "base/listing.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/dataset_private.h"

enum { PATH_BYTES = 4096, LISTED_NAMES = 120 };

/* ---- folders ---- */

/* A folder of pictures of one class; names that begin with a dot belong to other programs. */
static bool is_class_folder(const struct listing_entry *entry)
{
    return entry->is_dir && entry->name[0] != '.';
}

enum result class_folders_names(const char *folder, char ***names, size_t *count, struct error *err)
{
    struct listing listing;
    size_t bytes = 0;
    enum result result = listing_read(folder, &listing, err);
    *names = NULL;
    *count = 0;
    for (size_t i = 0; i < listing.count; i++) {
        if (is_class_folder(&listing.entries[i])) {
            bytes += strlen(listing.entries[i].name) + 1;
            ++*count;
        }
    }
    if (result == OK && *count == 0) {
        result = error_at(err, ERR_FORMAT, folder, 0,
                          "no class folders (train/CLASS/x.png is expected, or a .data file)");
    }
    if (result == OK) {
        *names = mem_alloc(1, *count * sizeof **names + bytes);
        result = *names ? OK : mem_error(err, folder);
    }
    char *text = *names ? (char *)(*names + *count) : NULL;
    for (size_t i = 0, k = 0; result == OK && i < listing.count; i++) {
        if (is_class_folder(&listing.entries[i])) {
            size_t length = strlen(listing.entries[i].name) + 1;
            (*names)[k++] = memcpy(text, listing.entries[i].name, length);
            text += length;
        }
    }
    listing_free(&listing);
    return result;
}

static void list_names(const struct dataset_source *source, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < source->name_count && used + 4 < size; i++) {
        int n = snprintf(text + used, size - used, "%s%s", i ? ", " : "", source->names[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used + 4 >= size) {
        strcpy(text + size - 4, "...");
    }
}

static int find_class(const struct dataset_source *source, const char *name, size_t length)
{
    for (size_t i = 0; i < source->name_count; i++) {
        if (strlen(source->names[i]) == length && memcmp(source->names[i], name, length) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static enum result read_class_folder(struct dataset_build *build, const char *name,
                                     struct error *err)
{
    const struct dataset_source *source = build->source;
    char folder[PATH_BYTES], names[LISTED_NAMES];
    TRY(path_in(folder, sizeof folder, source->path, name, err));
    int class_id = find_class(source, name, strlen(name));
    if (class_id < 0) {
        list_names(source, names, sizeof names);
        return error_at(err, ERR_FORMAT, folder, 0, "no class of this name (the classes are %s)",
                        names);
    }
    size_t before = build->set->sample_count;
    TRY(dataset_read_pictures(build, folder, class_id, err));
    if (build->set->sample_count == before && source->refuses_empty) {
        return error_at(err, ERR_FORMAT, folder, 0,
                        "an empty class folder (fill it, or take it away)");
    }
    return OK;
}

static enum result read_class_folders(struct dataset_build *build, struct error *err)
{
    struct listing listing;
    enum result result = listing_read(build->source->path, &listing, err);
    for (size_t i = 0; result == OK && i < listing.count; i++) {
        if (is_class_folder(&listing.entries[i])) {
            result = read_class_folder(build, listing.entries[i].name, err);
        }
    }
    listing_free(&listing);
    return result;
}

/* ---- paths ---- */

/* Is the name at `at` in text but for a place inside a longer name that stands there, too? */
static bool stands_alone(const struct dataset_source *source, const char *text, const char *at,
                         size_t length)
{
    for (size_t i = 0; i < source->name_count; i++) {
        const char *longer = source->names[i];
        size_t size = strlen(longer);
        for (const char *p = size > length ? strstr(text, longer) : NULL; p && p <= at;
             p = strstr(p + 1, longer)) {
            if (at + length <= p + size) {
                return false;
            }
        }
    }
    return true;
}

static bool is_named(const struct dataset_source *source, const char *text, size_t k)
{
    const char *name = source->names[k];
    for (const char *at = name[0] ? strstr(text, name) : NULL; at; at = strstr(at + 1, name)) {
        if (stands_alone(source, text, at, strlen(name))) {
            return true;
        }
    }
    return false;
}

/* Where the list lies says nothing of a picture's class. */
static const char *behind_list_folder(const char *list, const char *path)
{
    size_t length = (size_t)(path_base(list) - list);
    return strncmp(path, list, length) == 0 ? path + length : path;
}

/* The name of the folder that a file lies in. */
static const char *folder_of(const char *path, size_t *length)
{
    const char *base = path_base(path);
    const char *end = base > path ? base - 1 : path;
    const char *start = end;
    while (start > path && start[-1] != '/') {
        start--;
    }
    *length = (size_t)(end - start);
    return start;
}

enum result class_of_path(const struct dataset_source *source, const char *image_path, int line,
                          int *class_id, struct error *err)
{
    const char *text = behind_list_folder(source->path, image_path);
    size_t length;
    const char *folder = folder_of(text, &length);
    int found = find_class(source, folder, length);
    *class_id = found;
    if (found >= 0) {
        return OK;
    }
    for (size_t k = 0; k < source->name_count; k++) {
        if (!is_named(source, text, k)) {
            continue;
        }
        if (found >= 0) {
            return error_at(err, ERR_FORMAT, source->path, line,
                            "%.300s: two classes in the path, %.60s and %.60s (the folder's name "
                            "decides where it is a class)",
                            text, source->names[found], source->names[k]);
        }
        found = (int)k;
    }
    *class_id = found;
    if (found < 0) {
        char names[LISTED_NAMES];
        list_names(source, names, sizeof names);
        return error_at(err, ERR_FORMAT, source->path, line,
                        "%.300s: no class in the path (the classes are %s)", text, names);
    }
    return OK;
}

/* ---- the set ---- */

/* Classes without a picture, which nothing can be learnt or measured of. */
static void warn_of_absent(const struct dataset *set, const struct dataset_source *source,
                           const size_t *pictures)
{
    size_t absent = 0, first = 0;
    for (size_t k = source->name_count; k > 0; k--) {
        if (pictures[k - 1] == 0) {
            absent++;
            first = k - 1;
        }
    }
    if (absent > 0 && set->sample_count > 0) {
        log_warn("%s: no picture of %zu of the %zu classes (%s%s)", source->path, absent,
                 source->name_count, source->names[first], absent > 1 ? "..." : "");
    }
}

enum result class_values_make(const struct dataset_source *source, struct dataset *set,
                              struct error *err)
{
    size_t count = set->class_count, cells;
    bool fits = size_mul(count, count, &cells);
    set->values = fits ? mem_alloc_raw(cells, sizeof *set->values) : NULL;
    set->value_count = count;
    if (!set->values) {
        return mem_error(err, "classes");
    }
    float rest = count > 1 ? source->label_smooth / (float)(count - 1) : 0;
    float own = count > 1 ? 1 - source->label_smooth : 1;
    for (size_t i = 0; i < cells; i++) {
        set->values[i] = i % (count + 1) == 0 ? own : rest;
    }
    return OK;
}

enum result class_set_read(struct dataset_build *build, struct error *err)
{
    const struct dataset_source *source = build->source;
    struct dataset *set = build->set;
    size_t *pictures = mem_alloc(source->name_count, sizeof *pictures);
    if (!pictures) {
        return mem_error(err, "classes");
    }
    set->class_count = source->name_count;
    enum result result = path_is_dir(source->path)
                             ? read_class_folders(build, err)
                             : dataset_read_pictures(build, source->path, CLASS_OF_PATH, err);
    for (size_t i = 0; result == OK && i < set->sample_count; i++) {
        pictures[set->samples[i].class_id]++;
    }
    if (result == OK) {
        warn_of_absent(set, source, pictures);
    }
    mem_free(pictures);
    return result == OK ? class_values_make(source, set, err) : result;
}
