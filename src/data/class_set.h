/* Pictures with a class each: folders named like the classes, or lists whose paths name them.
 *
 * A folder as torchvision and Ultralytics expect it:
 *   DIR/train/CLASS/x.png   and val/, valid/, validation/ or test/ beside train/, with the same classes
 * Classes are numbered in the order of their names' bytes. A DIR without train/ is itself the training folder (data/data_source.h).
 *
 * A picture of a list has the class that its folder is named like; else Darknet's rule, the class whose name its path
 * contains, from the list's own folder on. Where one name is a part of another ("car", "cart"), the longer one counts. */
#ifndef DATA_CLASS_SET_H
#define DATA_CLASS_SET_H

#include <stddef.h>

#include "base/error.h"

/* The names of the class folders: [*count], in one block (mem_free). ERR_FORMAT if there are none. */
NODISCARD enum result class_folders_names(const char *folder, char ***names, size_t *count,
                                          struct error *err);

#endif
