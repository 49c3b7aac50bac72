/* `yolo convert`: COCO JSON to YOLO labels and back. */
#ifndef DATA_CONVERT_H
#define DATA_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/dataset.h"

enum { CONVERT_PATH = 4096 };

struct convert_counts {
    size_t pictures;
    size_t boxes, crowds; /* converted; crowd regions left out */
    size_t lost;          /* pictures, boxes and lines that could not be taken: each was reported */
};

/* From COCO. */
struct convert_from_coco {
    const char *const *paths; /* [count] annotation files with the same categories */
    size_t count;
    const char *const
        *images;        /* [image_count] folders of the pictures: of each file, or one for all */
    size_t image_count; /* 0: looked for (data/coco_root.h) */
    const char *out;    /* folder to write, new or empty */
    bool keep_crowds;   /* as ordinary boxes */
    bool copy;          /* copy the pictures instead of linking them */
};

/* Writes
 *
 *   out/labels/SET/   a label file for each picture, empty if it has no boxes
 *   out/images/SET/   links to the pictures
 *   out/SET.txt       their list, for each annotation file
 *   out/OUT.names, out/OUT.data
 *
 * SET is the file's name without ending and "instances_", or the folder's name where that says nothing
 * (_annotations.coco.json). Classes are the categories in the order of their ids. A picture whose file does
 * not exist is lost; a file that has no other is ERR_IO, and nothing is written. A SET, or a folder of a
 * file_name, that is called images gets another name (label_path_nest). Nothing is written outside `out`,
 * whatever file_name says. */
NODISCARD enum result convert_from_coco(const struct convert_from_coco *job,
                                        struct convert_counts *counts, struct error *err);

/* To COCO. */
struct convert_to_coco {
    const char *path;        /* a list or a folder of pictures, or a data.yaml */
    enum data_part part;     /* of a data.yaml */
    char *const *names;      /* [name_count]; categories without a name are class_0... */
    size_t name_count;       /* 0: as many classes as the labels have */
    const char *annotations; /* COCO file to take image and category ids from; NULL: see below */
    const char *out;         /* the .json to write */
};

/* Writes one annotation file: pictures in the order of the list, file_name below their common
 * folder, which root[CONVERT_PATH] gets; boxes in pixels with four decimals. Without
 * `annotations` images count from 1 and category ids are class + 1; with it they are that file's,
 * found by file name and class name. ERR_FORMAT if it lacks one. A picture whose size cannot be
 * read is left out. */
NODISCARD enum result convert_to_coco(const struct convert_to_coco *job, char *root,
                                      struct convert_counts *counts, struct error *err);

#endif
