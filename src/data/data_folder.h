/* A folder as a data set: what tools that export one leave in it (docs/other-tools.md). */
#ifndef DATA_DATA_FOLDER_H
#define DATA_DATA_FOLDER_H

#include <stdbool.h>

#include "cfg/data_file.h"

/* A description that lies in the folder, into out[4096]: data.yaml, data.yml or dataset.yaml; else its only .data or .ndjson file.
 * False if there is none. */
bool data_folder_description(const char *folder, char *out);

/* The first of these that there is, as if a .data file had named it. Free with data_file_free, also after an error.
 *
 *   train and val, valid, validation or test (and more: part_names.h): folders, in one of them _annotations.coco.json (Roboflow's COCO), or tables
 *   images/train and so on
 *   annotations/instances_train*.json, instances_val*.json; annotations.json, labels.json, result.json, _annotations.coco.json
 *   train.txt and val.txt and so on, or images.txt (FiftyOne): lists
 *   the folder itself
 *
 * Its classes are named by notes.json, classes.txt, obj.names, the only .names file, or by _darknet.labels in the folder to train on.
 * ERR_FORMAT if notes.json and classes.txt contradict each other, and if the parts lie one folder deeper. */
NODISCARD enum result data_folder_read(const char *folder, struct data_file *file,
                                       struct error *err);

/* Does the folder say more of a set than that pictures lie in it: a description, parts or names? */
bool data_folder_is_set(const char *folder);

#endif
