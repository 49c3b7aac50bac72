/* Contact sheets: small pictures in rows on one page, each below its caption. */
#ifndef REPORT_PICTURE_SHEET_H
#define REPORT_PICTURE_SHEET_H

#include <stddef.h>

#include "data/image.h"
#include "layers/box.h"
#include "report/draw.h"

enum { SHEET_CELL = 256 /* longer side of a picture, in pixels */ };

struct sheet_picture {
    struct image image; /* owned */
    char caption[64];   /* cut to the cell's width */
};

/* A copy of the picture, scaled to the cell; *scale from its pixels to those of the copy. */
NODISCARD enum result sheet_scale(const struct image *picture, struct image *out, double *scale,
                                  struct error *err);

/* Write the page, pictures from left to right, `columns` a row. */
NODISCARD enum result sheet_write(const char *path, const char *title,
                                  const struct sheet_picture *pictures, size_t count, int columns,
                                  struct error *err);
/* Frees the images, not the array. */
void sheet_free(struct sheet_picture *pictures, size_t count);

#endif
