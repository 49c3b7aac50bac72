#include "data/coco_ids.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/coco_file.h"
#include "data/label_path.h"

static int compare_images(const void *a, const void *b)
{
    return strcmp(((const struct coco_image *)a)->file_name,
                  ((const struct coco_image *)b)->file_name);
}

/* The names move from the file to the ids. */
static enum result take_images(const char *path, struct coco_file *file, struct coco_ids *ids,
                               struct error *err)
{
    ids->images = mem_alloc(file->picture_count, sizeof ids->images[0]);
    if (!ids->images) {
        return mem_error(err, path);
    }
    for (size_t i = 0; i < file->picture_count; i++) {
        struct coco_picture *picture = &file->pictures[i];
        if (picture->fault) {
            log_warn("%s:%d: images[%zu].%s (left out)", path, picture->line, picture->index,
                     picture->fault);
            continue;
        }
        ids->images[ids->count++] =
            (struct coco_image){.file_name = picture->file_name, .id = (double)picture->id};
        picture->file_name = NULL;
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

static enum result take_categories(const char *path, const struct coco_file *file,
                                   char *const *names, size_t name_count, struct coco_ids *ids,
                                   struct error *err)
{
    ids->categories = mem_alloc(name_count, sizeof ids->categories[0]);
    if (!ids->categories) {
        return mem_error(err, path);
    }
    for (size_t i = 0; i < name_count; i++) {
        size_t found = coco_find_name(file, names[i]);
        if (found == SIZE_MAX) {
            return error_at(
                err, ERR_FORMAT, path, 0,
                "no category is named '%s' as class %zu of the model is (give the names "
                "file that belongs to these annotations with --names)",
                names[i], i);
        }
        ids->categories[i] = (double)file->categories[found].id;
    }
    return OK;
}

enum result coco_ids_read(const char *path, char *const *names, size_t name_count,
                          struct coco_ids *ids, struct error *err)
{
    struct coco_file file;
    enum result result = coco_file_read(path, COCO_IDS, &file, err);
    if (result == OK) {
        result = take_images(path, &file, ids, err);
    }
    if (result == OK) {
        result = take_categories(path, &file, names, name_count, ids, err);
    }
    coco_file_free(&file);
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

static struct coco_image *find_name(const struct coco_ids *ids, const char *file_name)
{
    size_t low = 0, high = ids->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file_name, ids->images[middle].file_name);
        if (order == 0) {
            return &ids->images[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

struct coco_image *coco_ids_find(const struct coco_ids *ids, const char *path)
{
    char original[4096];
    struct coco_image *found = NULL;
    for (const char *ending = path, *slash; ending && !found; ending = slash ? slash + 1 : NULL) {
        slash = strchr(ending, '/');
        found = find_name(ids, ending);
        if (!found && label_path_unnest(ending, original, sizeof original)) {
            found = find_name(ids, original);
        }
    }
    return found;
}

enum result coco_ids_take(struct coco_ids *ids, const char *path, double *id, struct error *err)
{
    struct coco_image *image = coco_ids_find(ids, path);
    if (!image) {
        return error_at(err, ERR_FORMAT, path, 0, "no image of that file_name in the annotations");
    }
    if (image->is_taken) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "an earlier picture was the image %s of the annotations already",
                        image->file_name);
    }
    image->is_taken = true;
    *id = image->id;
    return OK;
}
