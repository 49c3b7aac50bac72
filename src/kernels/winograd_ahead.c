#include "kernels/winograd_ahead.h"

#include "kernels/winograd_tiles.h"

struct pixels_ahead winograd_output_ahead(const struct conv_run *run, size_t tile, size_t end_tile,
                                          size_t k, size_t end)
{
    return (struct pixels_ahead){.g = run->g,
                                 .tensor = run->out,
                                 .tile = tile,
                                 .end_tile = end_tile,
                                 .k = k,
                                 .end = end,
                                 .side = winograd_side(run->g),
                                 .channel = k};
}

struct pixels_ahead winograd_input_ahead(const struct conv_run *run, size_t tile, size_t end_tile)
{
    int overlap = run->g->stride_y == 1 ? 2 : 1;
    return (struct pixels_ahead){.g = run->g,
                                 .tensor = run->in,
                                 .tile = tile,
                                 .end_tile = end_tile,
                                 .end = (size_t)run->g->in_c,
                                 .side = winograd_step(run->g),
                                 .shift = overlap - run->g->pad_y};
}

/* Where the row of tiles ends that the next tile is in. */
static size_t row_end(const struct pixels_ahead *p)
{
    size_t in_row = winograd_tiles_in_row(p->g);
    size_t end = (p->tile / in_row + 1) * in_row;
    return end < p->end_tile ? end : p->end_tile;
}

/* CONV_AHEAD_FLOATS channels of each pixel of the next row of pixels, if it is in the image. */
static struct conv_ahead take_row(struct pixels_ahead *p)
{
    const struct tensor *t = p->tensor;
    struct winograd_place place = winograd_place_of(p->g, p->tile);
    size_t end = row_end(p);
    int side = p->side, tile_side = winograd_side(p->g), x = place.x / tile_side * side;
    int y = place.y / tile_side * side + p->shift + p->row, pixels = (int)(end - p->tile) * side;
    pixels = pixels < t->w - x ? pixels : t->w - x;
    struct conv_ahead run = {.count = 0};
    if (y >= 0 && y < t->h && pixels > 0) {
        run = (struct conv_ahead){.at = tensor_at(t, place.n, y, x) + p->channel,
                                  .step = t->stride,
                                  .count = (size_t)pixels};
    }
    p->channel += CONV_AHEAD_FLOATS;
    if (p->channel >= p->end) {
        p->channel = p->k;
        p->row++;
    }
    if (p->row == side) {
        p->row = 0;
        p->tile = end;
    }
    return run;
}

struct conv_ahead *winograd_ahead_now(struct winograd_ahead *a)
{
    for (int i = 0; i < WINOGRAD_AHEAD_PIXELS; i++) {
        while (a->now.count == 0 && a->then[i].tile < a->then[i].end_tile) {
            a->now = take_row(&a->then[i]);
        }
    }
    return &a->now;
}
