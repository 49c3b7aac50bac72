/* A small JSON file as a tree of cJSON. Long ones are read as a stream: json_reader.h. */
#ifndef BASE_JSON_FILE_H
#define BASE_JSON_FILE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/error.h"

/* Indented. Texts may hold any bytes: json_file_read gives them back. */
NODISCARD enum result json_file_write(const char *path, const cJSON *root, struct error *err);

/* At most max_bytes. *root is freed with cJSON_Delete. ERR_FORMAT names the line of a fault; ERR_MEMORY where
 * memory ran out, if cJSON allocates by base/memory.h. */
NODISCARD enum result json_file_read(const char *path, size_t max_bytes, cJSON **root,
                                     struct error *err);

#endif
