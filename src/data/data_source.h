/* What `--data` names, or the word of a command that takes a data set: the one place that tells the kinds apart.
 *
 *   a .data file        Darknet's (cfg/data_file.h)
 *   a data.yaml         Ultralytics', Roboflow's (cfg/data_yaml.h)
 *   an .ndjson          Ultralytics' (data/ndjson.h)
 *   COCO annotations    .json: what is trained on, and the classes
 *   a folder            with one of the above in it, with parts, of class folders (data/class_set.h) or of pictures
 *                       (data/data_folder.h)
 *   a table             .csv, .tsv, .npy (data/table_set.h): itself what is trained on
 *
 * All become a struct data_file: what trains, what validates, and the file that names the classes (data/inputs.h). Its parts are
 * paths that dataset_open takes; a data.yaml or .ndjson stands there itself, and dataset_source.part says which part is meant. */
#ifndef DATA_DATA_SOURCE_H
#define DATA_DATA_SOURCE_H

#include <stdbool.h>

#include "cfg/data_file.h"

/* Free with data_file_free, also after an error. ERR_ARG if nothing is there; ERR_FORMAT with its place for a description that
 * is at fault, or names what is not there. */
NODISCARD enum result data_source_read(const char *path, struct data_file *file, struct error *err);

/* What is trained on: path itself, or the training part of what it describes, then a string of *file, which is read. Free *file with
 * data_file_free, also after an error. ERR_ARG and ERR_FORMAT as above, or if there is no such part. */
NODISCARD enum result data_source_train(const char *path, struct data_file *file,
                                        const char **train, struct error *err);

/* Of --data, in all commands. */
#define DATA_HELP                                                                                    \
    "a .data file, a data.yaml (Ultralytics, Roboflow), an .ndjson, a COCO .json, or a folder with " \
    "one of them, with parts (train, val) or with pictures (README: Data sets)"

/* Is this a source of which dataset_source.part takes a part? */
bool data_has_parts(const char *path);

/* Does this describe a set, its parts and classes, and is not itself one of its lists? Files by their name, folders by what is in them. */
bool data_is_description(const char *path);

#endif
