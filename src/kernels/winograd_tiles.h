/* The tiles of Winograd convolution F(4x4, 3x3), of floats and of bytes; private to kernels/. */
#ifndef KERNELS_WINOGRAD_TILES_H
#define KERNELS_WINOGRAD_TILES_H

#include "kernels/conv_private.h"

enum {
    WINOGRAD_POINTS = 36,
    WINOGRAD_TAPS = 9,
    WINOGRAD_TILE = 4,  /* output pixels of a tile's side */
    WINOGRAD_INPUT = 6, /* input pixels of a tile's side */
    WINOGRAD_STRIDE2_INPUT = 9,
    WINOGRAD_HALF_INPUT = 5
};

/* Output pixels of a tile's side: each of the 4 of a half stride is two. */
static inline int winograd_side(const struct conv_geometry *g)
{
    return g->stride_y == CONV_HALF_STRIDE ? 2 * WINOGRAD_TILE : WINOGRAD_TILE;
}

/* Input pixels from a tile to the next. */
static inline int winograd_step(const struct conv_geometry *g)
{
    return g->stride_y == CONV_HALF_STRIDE ? WINOGRAD_TILE : g->stride_y * WINOGRAD_TILE;
}

static inline size_t winograd_tiles_in_row(const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->out_w, (size_t)winograd_side(g));
}

/* Of an image. */
static inline size_t winograd_tiles(const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->out_h, (size_t)winograd_side(g)) * winograd_tiles_in_row(g);
}

/* A line has so many points of V and M, and six of U. Where those of V end that begin at `line` and share a point of U: with stride 2 and
 * 1/2 the last ones, of the odd samples. */
static inline size_t winograd_lines_end(size_t points, size_t line)
{
    return line + 1 < WINOGRAD_INPUT ? line + 1 : points;
}

/* A tile of the batch. */
struct winograd_place {
    int n, y, x;       /* image and first output pixel */
    int rows, columns; /* output pixels inside the image */
};

static inline void winograd_clip(const struct conv_geometry *g, struct winograd_place *place)
{
    int rows = g->out_h - place->y, columns = g->out_w - place->x, side = winograd_side(g);
    place->rows = rows < side ? rows : side;
    place->columns = columns < side ? columns : side;
}

static inline struct winograd_place winograd_place_of(const struct conv_geometry *g, size_t tile)
{
    size_t in_row = winograd_tiles_in_row(g), all = winograd_tiles(g);
    size_t in_image = tile % all;
    struct winograd_place place = {.n = (int)(tile / all),
                                   .y = (int)(in_image / in_row) * winograd_side(g),
                                   .x = (int)(in_image % in_row) * winograd_side(g)};
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
