/* Pictures with a class each: folders named like the classes, or lists whose paths name them.
 *
 * A folder as torchvision and Ultralytics expect it:
 *   DIR/train/CLASS/x.png   and val/, valid/, validation/ or test/ beside train/, with the same classes
 * Classes are numbered in the order of their names' bytes. A DIR without train/ is itself the training folder, unless
 * it holds a table train.csv (.tsv, .npy); then val.csv and so on are those to validate with.
 *
 * A picture of a list has the class that its folder is named like; else Darknet's rule, the class whose name its path
 * contains, from the list's own folder on. Where one name is a part of another ("car", "cart"), the longer one counts. */
#ifndef DATA_CLASS_SET_H
#define DATA_CLASS_SET_H

#include <stddef.h>

#include "cfg/data_file.h"

/* The training and validation folders of DIR, as if a .data file had named them (names stay NULL). ERR_FORMAT if the
 * parts lie one folder deeper. Free with data_file_free, also after an error. */
NODISCARD enum result data_folder_read(const char *folder, struct data_file *file,
                                       struct error *err);

/* A .data file, such a folder, or a table to train with (data/table_set.h). */
NODISCARD enum result data_source_read(const char *path, struct data_file *file, struct error *err);

/* The names of the class folders: [*count], in one block (mem_free). ERR_FORMAT if there are none. */
NODISCARD enum result class_folders_names(const char *folder, char ***names, size_t *count,
                                          struct error *err);

#endif
