/* NumPy's .npy files: what `yolo dump` writes and takes as input, and tables. */
#ifndef DATA_NPY_H
#define DATA_NPY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "kernels/tensor.h"

/* Write a tensor as [n, c, h, w], little-endian float32, C order, format version 1.0; through a
 * temporary file and rename. */
NODISCARD enum result npy_write(const char *path, const struct tensor *t, struct error *err);

/* What the header of an array in memory says. */
enum { NPY_MAX_RANK = 8, NPY_MAX_EXTENT = 1 << 30 };
struct npy_header {
    char type[8];    /* "<f4", as in the file; longer ones are cut */
    bool is_fortran; /* the first axis runs fastest */
    int rank;        /* -1: a shape that is none, or out of bounds */
    int extents[NPY_MAX_RANK];
    size_t start; /* of the values, in bytes */
};

/* Format version 1 to 3. Writes into the header's text; `path` is for messages. */
NODISCARD enum result npy_read_header(const char *path, char *bytes, size_t size,
                                      struct npy_header *header, struct error *err);

/* A batch of planar images. */
struct npy {
    int n, c, h, w;
    float *data; /* [n][c][h][w], owned */
};

/* Read '<f4' or '<f8' (rounded to float) in C order of shape [n, c, h, w] or [c, h, w] (n = 1), format version 1 to 3. A
 * header that says anything else, or a size that does not fit it, is ERR_FORMAT or ERR_UNSUPPORTED. */
NODISCARD enum result npy_read(const char *path, struct npy *array, struct error *err);
/* The same of shape [rows, columns]: *cells (mem_free). */
NODISCARD enum result npy_read_table(const char *path, size_t *rows, size_t *columns, float **cells,
                                     struct error *err);
void npy_free(struct npy *array); /* accepts a zeroed struct */

#endif
