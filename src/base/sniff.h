/* What a file is that was taken for something else. */
#ifndef BASE_SNIFF_H
#define BASE_SNIFF_H

#include <stddef.h>

enum { SNIFF_BYTES = 512 }; /* as many of a file's first bytes tell */

/* "an HTML page (was the download refused?)" by the first `size` bytes; NULL if they tell nothing.
 * Static. */
const char *sniff(const void *bytes, size_t size);

/* Text of two or four bytes a character, which nothing here reads: a sentence on it for an error,
 * or NULL. */
const char *sniff_wide(const char *bytes, size_t size);

/* The first line of a list or a .data file that says something is JSON, JSON a line, or YAML: a sentence on it,
 * or NULL. */
const char *sniff_structured(const char *line);

/* A line of a list has the form "path x1,y1,x2,y2,class x1,...": a sentence on it, or NULL. */
const char *sniff_boxed_path(const char *line);

#endif
