/* What the user names as inputs: pictures, folders, globs, list files, "-" for stdin. */
#ifndef DATA_INPUTS_H
#define DATA_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* A stream of picture paths in a stable order. Memory does not grow with what has been delivered:
 * lists and stdin are read line by line, folders one directory at a time. */
struct inputs;

/* args[count]: file | folder (recursive, sorted by name) | glob pattern | list.txt | "-". A named thing
 * that does not exist is an item too: reading it will fail and cost only itself. ERR_ARG if count is 0. */
NODISCARD enum result inputs_open(const char *const *args, size_t count, struct inputs **inputs,
                                  struct error *err);
/* The same for one file that is a list, whatever its name ends in. */
NODISCARD enum result inputs_open_list(const char *path, struct inputs **inputs, struct error *err);

struct input_item {
    char path[4096];     /* to open */
    char relative[4096]; /* below the folder that was named, else the base name: for output */
    char origin[4200];   /* "list.txt:12" for messages, empty if named on the command line */
};

/* 1 = an item, 0 = the end, -1 = a list or folder could not be read or a line is unusable (err says which; the
 * stream goes on). */
int inputs_next(struct inputs *inputs, struct input_item *item, struct error *err);

/* Have inputs_rewind give the paths on stdin again, too: they are read to their end now, into a file without a name. Without
 * "-" among the arguments nothing happens. */
NODISCARD enum result inputs_keep_stdin(struct inputs *inputs, struct error *err);
/* The first argument that can be read only once, and so not be begun again: "-", unless it is kept, or a list that is a pipe (for a
 * pattern, one of those that it matches). NULL: there is none. */
const char *inputs_once(const struct inputs *inputs);
/* Begin again with the first item; what was delivered comes again, in the same order, as long as nobody changes the
 * folders and lists. */
void inputs_rewind(struct inputs *inputs);

/* OK if something is at the item's path. Else ERR_IO: "PATH does not exist", of a list's line with all places that
 * were tried (lookup.h); without the origin. */
NODISCARD enum result inputs_need(const struct input_item *item, struct error *err);

void inputs_close(struct inputs *inputs);

/* The class names of a file: names: of a data.yaml (cfg/data_yaml.h), "categories" of a .json (data/coco_names.h), class_names of an
 * .ndjson, else its lines: blanks at both ends trimmed, CR dropped, empty lines at the end ignored. *names is an
 * array of *count strings in one block (mem_free once). ERR_FORMAT if the file is empty or binary, for an empty
 * line among the names, and for one that is too long for a name. */
NODISCARD enum result names_read(const char *path, char ***names, size_t *count, struct error *err);
/* Is the text the number of one of `count` classes, and nothing else? */
bool names_number(const char *text, size_t count, size_t *number);
/* The line that names a class; 0 where names are not one a line. */
int names_line(const char *path, size_t class_id);

#endif
