/* COCO's instances_*.json as it is: "images", "annotations" and "categories", in any order. All
 * else in it is passed over, and memory grows with the number of entries only. */
#ifndef DATA_COCO_FILE_H
#define DATA_COCO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct coco_picture {
    int64_t id;        /* without a usable one a number of its own, below all ids that can be */
    int line;          /* in the file, where it ends */
    char *file_name;   /* owned; NULL: not given */
    int w, h;          /* pixels; 0: not given, or no size of a picture */
    size_t index;      /* its place in "images" */
    const char *fault; /* static: "id: is missing"; NULL if it has what is needed */
};

struct coco_category {
    int64_t id;
    int line;
    char *name; /* owned; NULL: not given */
};

struct coco_annotation {
    int64_t image_id, category_id;
    double bbox[4]; /* left, top, width, height in pixels, as written */
    double area;    /* as written; of the box if not given */
    bool is_crowd;
    const char *fault; /* static: "bbox: is null"; NULL if all of the above can be used */
    bool has_image;    /* image_id can be used, whatever else is wrong */
    size_t index;      /* its place in "annotations" */
    int line;
};

struct coco_file {
    struct coco_picture *pictures; /* by id */
    size_t picture_count, picture_capacity;
    size_t left_out_count; /* pictures behind picture_count, by id: coco_leave_out took them away */
    struct coco_category *categories; /* by id */
    size_t category_count, category_capacity;
    struct coco_annotation *annotations; /* in the file's order */
    size_t annotation_count, annotation_capacity;
};

enum coco_need {
    COCO_IDS,     /* "images" with file names, "categories"; "annotations" are passed over */
    COCO_OBJECTS, /* all three; an image needs an id only */
    COCO_PICTURES /* all three; an image needs a file name, too */
};

/* ERR_FORMAT with "path:line: place: ..." for what is no JSON, a missing key, a value of a wrong
 * type, an id given twice. A wrong image or annotation costs only itself: it is kept with its
 * fault, and refused if there is no other. Ids of annotations are not looked up. *file need not be
 * initialised; free with coco_file_free, also after an error. */
NODISCARD enum result coco_file_read(const char *path, enum coco_need need, struct coco_file *file,
                                     struct error *err);
void coco_file_free(struct coco_file *file);

/* Take away the pictures of is_left_out [picture_count]: coco_find_picture finds them no more.
 * ERR_MEMORY. */
NODISCARD enum result coco_leave_out(struct coco_file *file, const bool *is_left_out,
                                     struct error *err);
/* Did coco_leave_out take away the picture of this id? */
bool coco_leaves_out(const struct coco_file *file, int64_t id);

/* Place in pictures or categories, SIZE_MAX if there is no such id. */
size_t coco_find_picture(const struct coco_file *file, int64_t id);
size_t coco_find_category(const struct coco_file *file, int64_t id);

/* Place in categories of the one of this name, letter case apart; the six VOC spellings of
 * Darknet's coco.names (aeroplane, motorbike, sofa, tvmonitor, diningtable, pottedplant) count as
 * COCO's. SIZE_MAX: none. */
size_t coco_find_name(const struct coco_file *file, const char *name);

#endif
