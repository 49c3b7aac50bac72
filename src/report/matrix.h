/* The picture of a confusion matrix. */
#ifndef REPORT_MATRIX_H
#define REPORT_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A row a true class, a column what it was taken for. Borrows everything. */
struct matrix_source {
    char *const *names; /* [class_count] */
    size_t class_count;
    bool has_background;     /* one row and one column more, the last: no class at all */
    const char *note;        /* what was counted */
    const char *column_word; /* "detected as" */
    size_t (*count)(const void *ctx, size_t truth, size_t found);
    const void *ctx;
};

/* One PNG; classes that occur nowhere are left out. ERR_MEMORY, ERR_IO. */
NODISCARD enum result matrix_draw(const struct matrix_source *source, const char *path,
                                  struct error *err);

#endif
