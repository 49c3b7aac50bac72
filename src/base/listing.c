#include "base/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/path.h"

static bool is_folder(const char *folder, const struct dirent *found)
{
    if (found->d_type == DT_DIR || found->d_type == DT_REG) {
        return found->d_type == DT_DIR;
    }
    char path[4096];
    return path_join(path, sizeof path, folder, found->d_name) && path_is_dir(path);
}

static enum result add(struct listing *l, const char *folder, const struct dirent *found,
                       struct error *err)
{
    if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
        return OK;
    }
    TRY(mem_grow((void **)&l->entries, l->count, &l->capacity, sizeof *l->entries, err));
    char *name = mem_strdup(found->d_name);
    if (!name) {
        return mem_error(err, folder);
    }
    l->entries[l->count++] = (struct listing_entry){name, is_folder(folder, found)};
    return OK;
}

static int by_name(const void *a, const void *b)
{
    const struct listing_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum result listing_read(const char *folder, struct listing *listing, struct error *err)
{
    *listing = (struct listing){0};
    DIR *dir = opendir(folder);
    if (!dir) {
        return error_errno(err, folder, "cannot open the folder");
    }
    enum result result = OK;
    while (result == OK) {
        errno = 0; /* readdir says by errno alone whether it has ended or failed */
        const struct dirent *found = readdir(dir);
        if (!found) {
            result = errno ? error_errno(err, folder, "cannot read the folder") : OK;
            break;
        }
        result = add(listing, folder, found, err);
    }
    closedir(dir);
    if (listing->count > 1) {
        qsort(listing->entries, listing->count, sizeof *listing->entries, by_name);
    }
    return result;
}

void listing_free(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        mem_free(listing->entries[i].name);
    }
    mem_free(listing->entries);
    *listing = (struct listing){0};
}

enum result listing_need_empty(const char *folder, const char *hint, struct error *err)
{
    struct listing listing = {0};
    enum result result = path_is_dir(folder) ? listing_read(folder, &listing, err) : OK;
    if (result == OK && listing.count > 0) {
        result = error_at(err, ERR_ARG, folder, 0, "exists and is not empty (%s)", hint);
    }
    listing_free(&listing);
    return result;
}
