/* --classes: which classes of a model are wanted. */
#ifndef RUN_CLASS_FILTER_H
#define RUN_CLASS_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* text: comma-separated class names (letter case apart), numbers from 0, or ranges of numbers "5-8", both
 * ends included; a name wins over a number it looks like. *wanted (mem_free) gets one bool a class.
 * ERR_ARG for an empty item, an unknown name (with the nearest one), a number past the last class. */
NODISCARD enum result class_filter_parse(const char *text, char *const *names, size_t name_count,
                                         bool **wanted, struct error *err);

#endif
