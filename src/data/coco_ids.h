/* The ids that COCO results need, from an annotation file: never guessed. */
#ifndef DATA_COCO_IDS_H
#define DATA_COCO_IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct coco_image {
    char *file_name; /* owned */
    double id;
    bool is_taken;
};

struct coco_ids {
    struct coco_image *images; /* [count], sorted by file name */
    size_t count;
    double *categories; /* category id by class number */
};

/* Read "images" (id, file_name) and "categories" (id, name) of a COCO annotation file. Each class
 * is matched to the category of its name as coco_find_name does (data/coco_file.h). ERR_FORMAT for
 * a file of another kind, for two ids of one file name, and for a class without a category. *ids
 * must be zeroed; free with coco_ids_free, also after an error. */
NODISCARD enum result coco_ids_read(const char *path, char *const *names, size_t name_count,
                                    struct coco_ids *ids, struct error *err);
void coco_ids_free(struct coco_ids *ids);

/* The image whose file_name is the path, or its end at a '/', also as label_path_nest would write it; the
 * longest such name wins. NULL if there is none. */
struct coco_image *coco_ids_find(const struct coco_ids *ids, const char *path);

/* The id of that image, which is then taken. ERR_FORMAT if there is none, or if an earlier
 * picture took it. */
NODISCARD enum result coco_ids_take(struct coco_ids *ids, const char *path, double *id,
                                    struct error *err);

#endif
