/* The tiles of Winograd convolution F(4x4, 3x3), of floats and of bytes; private to kernels/. */
#ifndef KERNELS_WINOGRAD_TILES_H
#define KERNELS_WINOGRAD_TILES_H

#include "kernels/conv_private.h"

enum {
    WINOGRAD_POINTS = 36,
    WINOGRAD_TAPS = 9,
    WINOGRAD_TILE = 4,  /* output pixels of a tile's side */
    WINOGRAD_INPUT = 6, /* input pixels of a tile's side */
    WINOGRAD_STRIDE2_INPUT = 9
};

/* Of an image. */
static inline size_t winograd_tiles(const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->out_h, WINOGRAD_TILE) *
           conv_ceil_div((size_t)g->out_w, WINOGRAD_TILE);
}

/* A tile of the batch. */
struct winograd_place {
    int n, y, x;       /* image and first output pixel */
    int rows, columns; /* output pixels inside the image */
};

static inline void winograd_clip(const struct conv_geometry *g, struct winograd_place *place)
{
    int rows = g->out_h - place->y, columns = g->out_w - place->x;
    place->rows = rows < WINOGRAD_TILE ? rows : WINOGRAD_TILE;
    place->columns = columns < WINOGRAD_TILE ? columns : WINOGRAD_TILE;
}

static inline struct winograd_place winograd_place_of(const struct conv_geometry *g, size_t tile)
{
    size_t in_row = conv_ceil_div((size_t)g->out_w, WINOGRAD_TILE), all = winograd_tiles(g);
    size_t in_image = tile % all;
    struct winograd_place place = {.n = (int)(tile / all),
                                   .y = (int)(in_image / in_row) * WINOGRAD_TILE,
                                   .x = (int)(in_image % in_row) * WINOGRAD_TILE};
    winograd_clip(g, &place);
    return place;
}

/* Pointers to a side x side square of pixels from (y, x) on; zeros outside the image. */
static inline void winograd_square(const struct tensor *t, int n, int y, int x, int side,
                                   const float *zeros, const float **pixels)
{
    if (y >= 0 && y + side <= t->h && x >= 0 && x + side <= t->w) {
        const float *row = tensor_at(t, n, y, x);
        for (int r = 0; r < side; r++, row += (size_t)t->w * t->stride, pixels += side) {
            for (int s = 0; s < side; s++) {
                pixels[s] = row + (size_t)s * t->stride;
            }
        }
        return;
    }
    for (int r = 0; r < side; r++) {
        bool row_inside = y + r >= 0 && y + r < t->h;
        for (int s = 0; s < side; s++) {
            pixels[r * side + s] =
                row_inside && x + s >= 0 && x + s < t->w ? tensor_at(t, n, y + r, x + s) : zeros;
        }
    }
}

#endif
