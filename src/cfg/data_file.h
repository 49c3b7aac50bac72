/* Darknet's .data file: lines "key = value" that say where a data set lies. */
#ifndef CFG_DATA_FILE_H
#define CFG_DATA_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum data_key { DATA_TRAIN, DATA_VALID, DATA_NAMES, DATA_BACKUP, DATA_KEY_COUNT };

/* Paths are looked for as base/lookup.h says, the file's folder first. A path that is found nowhere stays as
 * written; data_file_need is the one to complain. Keys of other tools are known: val and validation for
 * valid, labels for names. Unlike in Darknet values may contain blanks, and a '#' behind a blank begins a
 * comment (with a warning where Darknet takes it into a path). Strings belong to the struct; free with
 * data_file_free, also after an error. */
struct data_file {
    char *train, *valid, *names, *backup; /* NULL: not given */
    int classes;                          /* 0: not given */
    char *path;                           /* of the .data file itself */
    int lines[DATA_KEY_COUNT];            /* where each was given */
    int test_line;                        /* of test =, which nothing reads; 0: not given */
};
NODISCARD enum result data_file_read(const char *path, struct data_file *file, struct error *err);
/* OK if the key was given and names something that exists; ERR_FORMAT with path:line and what was
 * tried otherwise. */
NODISCARD enum result data_file_need(const struct data_file *file, enum data_key key,
                                     struct error *err);
void data_file_free(struct data_file *file);

/* The text of a .data file: lists (NULL: without), STEM.names, backup. */
void data_file_write(FILE *out, size_t classes, const char *train, const char *valid,
                     const char *stem);

#endif
