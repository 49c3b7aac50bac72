/* Inside dataset_open: what the readers of label files and of COCO JSON share. */
#ifndef DATA_DATASET_PRIVATE_H
#define DATA_DATASET_PRIVATE_H

#include "data/dataset.h"
#include "data/label_line.h"

/* Lines that were read otherwise than written, and where the first of them stands. */
struct mended_lines {
    size_t count;
    const char *path; /* of a sample */
    int line;
};

struct dataset_build {
    const struct dataset_source *source;
    struct dataset *set;
    struct mended_lines confidences, polygons;
    size_t key_numbers;      /* of key points behind each box of a label file */
    struct error list_error; /* the latest unusable line, not yet reported; code OK: none */
};

/* Count a fault and hand it to the sink or the log. */
void dataset_fault(struct dataset_build *build, enum label_fault fault, const char *path, int line,
                   const char *fmt, ...) PRINTF_LIKE(5, 6);

/* A new sample at the end of the set, with a copy of the path; NULL without memory (err filled). */
struct sample *dataset_add(struct dataset_build *build, const char *image_path, struct error *err);

/* Edges as fractions of the picture -> a truth's box, clipped. Reports FAULT_OUTSIDE, FAULT_CLIPPED and
 * FAULT_ZERO_SIZE at path:line, behind `prefix`; false if the box is to be skipped. */
bool dataset_take_box(struct dataset_build *build, const struct edges *edges, const char *path,
                      int line, const char *prefix, struct box_cxcywh_norm *box);

/* Read the sample's label file into it. Faults are reported; ERR_MEMORY only. */
NODISCARD enum result label_file_read(struct dataset_build *build, struct sample *sample,
                                      struct error *err);

/* The same for label lines that stand in line `line` of the file `path`, which the set keeps; the text is that of a label file. */
NODISCARD enum result label_text_read(struct dataset_build *build, struct sample *sample,
                                      const char *path, int line, const char *text,
                                      struct error *err);
/* Count a line that was read otherwise than written; said once for a set, at its end. */
void label_mended(struct sample *sample, struct mended_lines *mended, const char *path, int line);

/* Report label files that have no picture, in the folders of the set's label files; ERR_MEMORY only. */
NODISCARD enum result dataset_find_orphans(struct dataset_build *build, struct error *err);

/* Read the pictures of a folder, a list or a data.yaml's part, as far as they can be read, into the set: each with `class_id`, or where that is
 * CLASS_OF_PATH and the set is one of classes with that of its path. */
enum { CLASS_OF_PATH = -1 };
NODISCARD enum result dataset_read_pictures(struct dataset_build *build, const char *path,
                                            int class_id, struct error *err);

/* The class of a picture of a list of source->path. ERR_FORMAT with the list's line, if there is none or several. */
NODISCARD enum result class_of_path(const struct dataset_source *source, const char *image_path,
                                    int line, int *class_id, struct error *err);

/* Read source->path, a folder of class folders or a list, into the set, whose classes are source->names. */
NODISCARD enum result class_set_read(struct dataset_build *build, struct error *err);

/* The targets of the set's classes: 1 for the class itself, less source->label_smooth, which the others share. */
NODISCARD enum result class_values_make(const struct dataset_source *source, struct dataset *set,
                                        struct error *err);

/* Read source->path, a table, into the set. */
NODISCARD enum result table_set_read(struct dataset_build *build, struct error *err);

/* Read a part of source->path, Ultralytics' NDJSON, into the set. */
NODISCARD enum result ndjson_set_read(struct dataset_build *build, struct error *err);

/* The set's own copy of the path of a list. */
NODISCARD enum result dataset_keep_list(struct dataset *set, const char *path, const char **list,
                                        struct error *err);

/* Read a COCO JSON of source->path into the set. */
NODISCARD enum result coco_json_read(struct dataset_build *build, struct error *err);

#endif
