/* Ultralytics' NDJSON: a data set in one file, a JSON object a line. The first describes the set ("type": "dataset", "task",
 * "class_names": {"0": "dog"}), each other one is a picture with its labels:
 *
 *   {"type": "image", "file": "a.jpg", "width": 640, "height": 480, "split": "train", "annotations": {"boxes": [[0, .5, .5, .2, .1]]}}
 *
 * boxes: class x y w h; segments and obb: class and points x y, taken as the box around them; pose: class x y w h and key points,
 * which are dropped; all as fractions of the picture. "split" is train, val (valid, validation) or test. Pictures are not fetched from "url": they are
 * looked for by their "file" in the .ndjson's folder (or dataset_source.images), in SPLIT, images and images/SPLIT there, and in the set's "path", else the
 * folder of the .ndjson's name, in the same places. */
#ifndef DATA_NDJSON_H
#define DATA_NDJSON_H

#include <stdbool.h>
#include <stddef.h>

#include "cfg/data_yaml.h"

/* Is a file of this name one: .ndjson? */
bool ndjson_is_named(const char *path);

struct ndjson_head {
    char **names; /* [name_count], one block; NULL: none */
    size_t name_count;
    bool has_part
        [DATA_PART_COUNT]; /* pictures of it are there; where none are of val, test is validated on */
};

/* What the file says of the whole set; ERR_FORMAT with path:line for what is no such file, and for a task
 * without boxes (classify, depth). Free with ndjson_head_free, also after an error. */
NODISCARD enum result ndjson_head_read(const char *path, struct ndjson_head *head,
                                       struct error *err);
void ndjson_head_free(struct ndjson_head *head);

#endif
