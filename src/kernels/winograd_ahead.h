/* What Winograd's products bring into L2 meanwhile: weights, then pixels that are written or read soon. Private to kernels/. */
#ifndef KERNELS_WINOGRAD_AHEAD_H
#define KERNELS_WINOGRAD_AHEAD_H

#include "kernels/conv_private.h"

/* Channels [k, end) of the pixels of the tiles [tile, end_tile): those that a tile's output takes, or the input's at the same place. */
struct pixels_ahead {
    const struct conv_geometry *g;
    const struct tensor *tensor;
    size_t tile, end_tile, k, end;
    /* Pixels of tile y that are not those of tiles above: `side` rows, from row y * side + shift on. */
    int side, shift;
    /* What comes next: the row of these, and the channel. */
    int row;
    size_t channel;
};

enum { WINOGRAD_AHEAD_PIXELS = 2 };

struct winograd_ahead {
    struct conv_ahead now;
    struct pixels_ahead then[WINOGRAD_AHEAD_PIXELS];
};

/* The filters [k, end) of tiles of the output; all channels of those of the input. */
struct pixels_ahead winograd_output_ahead(const struct conv_run *run, size_t tile, size_t end_tile,
                                          size_t k, size_t end);
struct pixels_ahead winograd_input_ahead(const struct conv_run *run, size_t tile, size_t end_tile);

/* A run of floats. */
static inline struct conv_ahead winograd_ahead_of(const float *at, size_t floats)
{
    return (struct conv_ahead){
        .at = at, .step = CONV_AHEAD_FLOATS, .count = floats / CONV_AHEAD_FLOATS};
}

/* What comes now; its count is 0 if nothing is left. */
struct conv_ahead *winograd_ahead_now(struct winograd_ahead *a);

#endif
