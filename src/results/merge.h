/* Results files of one run that was divided up (--shard) as the file that a single process writes, byte for byte:
 *
 *   JSON arrays (yolo detect --format json, coco)   one array of all elements, each as it stands
 *   CSV                                             one header
 *   JSON Lines, text                                one after another
 *
 * A part may also be several already standing one after another. Elements are copied as text, in one pass: memory does not grow
 * with the files. */
#ifndef RESULTS_MERGE_H
#define RESULTS_MERGE_H

#include <stdio.h>

#include "base/error.h"

/* In the order of paths[count]; "-": stdin. ERR_FORMAT "path:line: what" for a part of another kind than those before it, with
 * another header, or cut off; what has been written till then is no whole file. ERR_IO. Errors of `out` are the caller's to look
 * for. */
NODISCARD enum result results_merge(const char *const *paths, size_t count, FILE *out,
                                    struct error *err);

#endif
