/* Where to look for a path that stands in a file (a .data file, a list). */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

enum lookup_first {
    LOOKUP_BESIDE, /* the file's folder, then the working directory: .data files */
    LOOKUP_HERE    /* the other way round: lists, as in Darknet */
};

enum { LOOKUP_PLACES = 5 };

/* Place number `which` of `path`, as it stands in `file` (NULL: in none, stdin):
 *   0, 1  beside the file and in the working directory
 *   2-4   if it begins with data/: in the parent of the file's folder, and without data/ in 0 and 1
 * Tools that export data sets write data/ for a folder that they do not make. An absolute path has
 * one place. False if the place is the same as an earlier one or does not fit. */
bool lookup_place(const char *file, const char *path, enum lookup_first first, int which, char *out,
                  size_t size);

/* The first place where something is. */
bool lookup_find(const char *file, const char *path, enum lookup_first first, char *out,
                 size_t size);

/* All places, "a, b, c"; returns how many there are. */
int lookup_tried(const char *file, const char *path, enum lookup_first first, char *text,
                 size_t size);

#endif
