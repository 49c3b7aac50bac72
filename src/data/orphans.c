/* Label files without a picture. Looked for where labels have a folder of their own: beside the
 * pictures a .txt may be anything. A label is an orphan if no file of the pictures' folder has its
 * name but for the ending. */
#include "data/dataset_private.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/memory.h"

enum { PATH_SIZE = 4096, FOLDERS_MAX = 256 };

/* Names of a folder's files without their last ending. */
struct stems {
    char **items;
    size_t count, capacity;
};

struct folder_pair {
    char images[PATH_SIZE], labels[PATH_SIZE];
};

static void stems_free(struct stems *stems)
{
    for (size_t i = 0; i < stems->count; i++) {
        mem_free(stems->items[i]);
    }
    mem_free(stems->items);
    *stems = (struct stems){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted stems of the files, only of those that end in `ending` if it is given. */
static enum result list_stems(const char *folder, const char *ending, struct stems *stems,
                              struct error *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *found;
    enum result result = OK;
    if (!dir) {
        return error_errno(err, folder, "cannot list the folder");
    }
    while (result == OK && (found = readdir(dir))) {
        const char *dot = strrchr(found->d_name, '.');
        if (!dot || dot == found->d_name || (ending && strcmp(dot, ending) != 0)) {
            continue;
        }
        result = mem_grow((void **)&stems->items, stems->count, &stems->capacity,
                          sizeof *stems->items, err);
        char *stem = result == OK ? mem_strdup(found->d_name) : NULL;
        if (result == OK && !stem) {
            result = mem_error(err, folder);
        }
        if (stem) {
            stem[dot - found->d_name] = 0;
            stems->items[stems->count++] = stem;
        }
    }
    closedir(dir);
    if (stems->count > 1) {
        qsort(stems->items, stems->count, sizeof *stems->items, by_text);
    }
    return result;
}

static enum result check_pair(struct dataset_build *build, const struct folder_pair *pair,
                              struct error *err)
{
    struct stems images = {0};
    struct stems labels = {0};
    enum result result = list_stems(pair->images, NULL, &images, err);
    result = result == OK ? list_stems(pair->labels, ".txt", &labels, err) : result;
    for (size_t i = 0; result == OK && i < labels.count; i++) {
        char **stem = &labels.items[i];
        char path[PATH_SIZE + 300];
        if (bsearch(stem, images.items, images.count, sizeof *stem, by_text) ||
            strcmp(*stem, "classes") == 0 || !path_join(path, sizeof path, pair->labels, *stem)) {
            continue;
        }
        strcat(path, ".txt");
        dataset_fault(build, FAULT_ORPHAN_LABEL, path, 0, "no picture of this name in %s",
                      pair->images);
    }
    stems_free(&images);
    stems_free(&labels);
    return result == ERR_IO ? OK : result; /* of a folder that cannot be listed nothing is known */
}

/* The folder part, "." for none; false if it does not fit. */
static bool folder_of(const char *path, char *out)
{
    size_t length = (size_t)(path_base(path) - path);
    if (length >= PATH_SIZE) {
        return false;
    }
    memcpy(out, path, length);
    out[length > 1 ? length - 1 : length] = 0;
    if (length == 0) {
        strcpy(out, ".");
    }
    return true;
}

enum result dataset_find_orphans(struct dataset_build *build, struct error *err)
{
    struct folder_pair *pairs = mem_alloc(FOLDERS_MAX, sizeof *pairs);
    if (!pairs) {
        return mem_error(err, "data set");
    }
    enum result result = OK;
    size_t count = 0;
    for (size_t i = 0; i < build->set->sample_count && count < FOLDERS_MAX && result == OK; i++) {
        const struct sample *sample = &build->set->samples[i];
        struct folder_pair *pair = &pairs[count];
        if (!sample->label_path || !folder_of(sample->image_path, pair->images) ||
            !folder_of(sample->label_path, pair->labels) ||
            strcmp(pair->images, pair->labels) == 0) {
            continue;
        }
        bool known = false;
        for (size_t k = count; k > 0 && !known; k--) {
            known = strcmp(pairs[k - 1].labels, pair->labels) == 0;
        }
        if (!known) {
            count++;
            result = check_pair(build, pair, err);
        }
    }
    mem_free(pairs);
    return result;
}
