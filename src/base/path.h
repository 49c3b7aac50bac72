/* Names of files, taken apart and put together. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

bool path_exists(const char *path);
bool path_is_dir(const char *path);

/* The part after the last '/', never NULL. */
const char *path_base(const char *path);

/* Bytes of path in front of its ending, ".gz" of a/b.tar.gz; all of it where it has none. A name that only
 * begins with a dot has none. */
size_t path_stem_length(const char *path);

/* Has it this ending, ".jpg" or ".JPG"? */
bool path_ends_in(const char *path, const char *ending);

/* The name without folder and ending into out[size], cut if it does not fit. */
void path_stem(const char *path, char *out, size_t size);

/* Join dir and name with one '/' into out[size]; an empty dir or absolute name gives name alone.
 * False if it does not fit. */
bool path_join(char *out, size_t size, const char *dir, const char *name);

/* The same; ERR_IO if it does not fit. */
NODISCARD enum result path_in(char *out, size_t size, const char *dir, const char *name,
                              struct error *err);

/* name in the folder of the file `path`, into out[size]. False if it does not fit. */
bool path_beside(char *out, size_t size, const char *path, const char *name);

#endif
