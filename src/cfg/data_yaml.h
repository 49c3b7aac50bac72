/* data.yaml, as Ultralytics, Roboflow and the exporters of annotation tools write it: where the parts of a data set lie, and
 * its classes. */
#ifndef CFG_DATA_YAML_H
#define CFG_DATA_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What a data set is divided into. */
enum data_part { DATA_PART_TRAIN, DATA_PART_VALID, DATA_PART_COUNT };

struct yaml_node;

struct data_yaml {
    char *path;                                     /* of the file */
    struct yaml_node *root;                         /* what it says */
    const struct yaml_node *parts[DATA_PART_COUNT]; /* NULL: not named */
    char **names;                                   /* [name_count], one block; NULL: not named */
    size_t name_count;
    int classes, classes_line; /* nc, else the number of names; 0: neither */
    int key_numbers; /* kpt_shape: numbers of key points behind each box of a label file; 0: none */
};

/* path, train, val (valid, validation; else test), names as a list or a map from 0 on, nc, kpt_shape. Keys that nobody knows are
 * said where `tells`. ERR_FORMAT with path:line for values of another type, names that do not number the classes, nc of
 * another number; and what yaml_tree_read says. Free with data_yaml_free, also after an error. */
NODISCARD enum result data_yaml_read(const char *path, bool tells, struct data_yaml *yaml,
                                     struct error *err);
void data_yaml_free(struct data_yaml *yaml);

/* How many folders and lists a part has; where number `index` of them lies, into out[4096]. They count from `path`, which is looked
 * for beside the file and in the working directory; without it from the file's folder, else from the working directory. Roboflow's
 * "../train/images" means train/images there. ERR_FORMAT with path:line for what is not there, and for what leads out of the set. */
size_t data_yaml_count(const struct data_yaml *yaml, enum data_part part);
NODISCARD enum result data_yaml_path(const struct data_yaml *yaml, enum data_part part,
                                     size_t index, char *out, struct error *err);

#endif
