/* Names of files, taken apart and put together. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

bool path_exists(const char *path);
bool path_is_dir(const char *path);

/* The part after the last '/', never NULL. */
const char *path_base(const char *path);

/* Join dir and name with one '/' into out[size]; an empty dir or absolute name gives name alone.
 * False if it does not fit. */
bool path_join(char *out, size_t size, const char *dir, const char *name);

/* name in the folder of the file `path`, into out[size]. False if it does not fit. */
bool path_beside(char *out, size_t size, const char *path, const char *name);

#endif
