/* "categories" of a JSON file as class names: COCO's annotations, and the notes.json of Label Studio, whose categories are the
 * numbers of its label files. */
#ifndef DATA_COCO_NAMES_H
#define DATA_COCO_NAMES_H

#include <stddef.h>

#include "base/error.h"

/* As names_read gives them, by id. Where the file has no "images" ids are the classes themselves: one that no category has is named
 * class_N. A category without a name is named so, too. ERR_FORMAT with its place. */
NODISCARD enum result coco_names_read(const char *path, char ***names, size_t *count,
                                      struct error *err);

/* ERR_FORMAT with both lines if the list, a name a line, gives a class another name than notes.json does. */
NODISCARD enum result coco_names_check(const char *notes, const char *list, struct error *err);

#endif
