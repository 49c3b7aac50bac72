#include "results/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fileio.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/memory.h"

enum { MAX_NAMESAKES = 1000000 };

void name_set_free(struct name_set *set)
{
    mem_free(set->entries);
    *set = (struct name_set){0};
}

/* Never 0. A collision costs a needless suffix, nothing else. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = hash_text(name);
    return hash ? hash : 1;
}

/* The place of hash, or the empty place where it belongs. */
static struct name_entry *find_place(struct name_entry *entries, size_t capacity, uint64_t hash)
{
    size_t i = (size_t)(hash % capacity);
    while (entries[i].hash != 0 && entries[i].hash != hash) {
        i = (i + 1) % capacity;
    }
    return &entries[i];
}

static enum result grow(struct name_set *set, struct error *err)
{
    if (set->count * 2 < set->capacity) {
        return OK;
    }
    size_t capacity = set->capacity ? set->capacity * 2 : 256;
    struct name_entry *entries = mem_alloc(capacity, sizeof entries[0]);
    if (!entries) {
        return mem_error(err, "names of output files");
    }
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->entries[i].hash != 0) {
            *find_place(entries, capacity, set->entries[i].hash) = set->entries[i];
        }
    }
    mem_free(set->entries);
    set->entries = entries;
    set->capacity = capacity;
    return OK;
}

enum result name_set_add(struct name_set *set, const char *relative, char *name, size_t size,
                         struct error *err)
{
    TRY(grow(set, err));
    struct name_entry *first = find_place(set->entries, set->capacity, hash_name(relative));
    int number = first->hash ? first->last_number + 1 : 1;
    size_t stem = path_stem_length(relative);
    for (; number < MAX_NAMESAKES; number++) {
        int length = number == 1 ? snprintf(name, size, "%s", relative)
                                 : snprintf(name, size, "%.*s_%d%s", (int)stem, relative, number,
                                            relative + stem);
        if (length < 0 || (size_t)length >= size) {
            break;
        }
        struct name_entry *place = find_place(set->entries, set->capacity, hash_name(name));
        if (place->hash == 0) {
            first->last_number = number;
            *place = (struct name_entry){hash_name(name), 1};
            set->count++;
            return OK;
        }
    }
    return error_at(err, ERR_IO, relative, 0, "no name for its results");
}

bool name_set_has(const struct name_set *set, const char *name)
{
    return set->count > 0 && find_place(set->entries, set->capacity, hash_name(name))->hash != 0;
}

enum result picture_name(const char *relative, char *name, size_t size, struct error *err)
{
    static const char *const writable[] = {".jpg", ".jpeg", ".png", ".bmp"};
    size_t stem = path_stem_length(relative);
    const char *extension = ".jpg";
    for (size_t i = 0; i < sizeof writable / sizeof writable[0]; i++) {
        if (strcasecmp(relative + stem, writable[i]) == 0) {
            extension = relative + stem;
        }
    }
    int length = snprintf(name, size, "%.*s%s", (int)stem, relative, extension);
    if (length < 0 || (size_t)length >= size) {
        return error_at(err, ERR_IO, relative, 0, "name too long for its results");
    }
    return OK;
}

enum result parent_make(const char *path, struct error *err)
{
    char folder[4096];
    size_t length = (size_t)(path_base(path) - path);
    if (length == 0) {
        return OK;
    }
    if (length >= sizeof folder) {
        return error_at(err, ERR_IO, path, 0, "path too long");
    }
    memcpy(folder, path, length);
    folder[length] = 0;
    return dir_make(folder, err);
}

bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

bool is_inside(const char *inner, const char *outer)
{
    char real_inner[PATH_MAX], real_outer[PATH_MAX];
    if (!realpath(inner, real_inner) || !realpath(outer, real_outer)) {
        return false;
    }
    size_t length = strlen(real_outer);
    length -= length == 1; /* the root is its own '/' */
    return strncmp(real_inner, real_outer, length) == 0 &&
           (real_inner[length] == '/' || real_inner[length] == 0);
}
