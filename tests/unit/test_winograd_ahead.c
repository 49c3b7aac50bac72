/* What Winograd asks for beforehand lies inside its tensors: of the output every pixel of the tiles once. */
#include "kernels/winograd_ahead.h"

#include "kernels/winograd_tiles.h"
#include "test.h"

enum { CHANNELS = 64, MOST_PIXELS = 1024 };

static float block[MOST_PIXELS * CHANNELS];

static struct conv_geometry geometry_of(int size, int stride, int pad)
{
    int out = (size + 2 * pad - 3) / stride + 1;
    return (struct conv_geometry){.in_h = size,
                                  .in_w = size,
                                  .in_c = CHANNELS,
                                  .filters = CHANNELS,
                                  .groups = 1,
                                  .kernel_h = 3,
                                  .kernel_w = 3,
                                  .stride_y = stride,
                                  .stride_x = stride,
                                  .pad_y = pad,
                                  .pad_x = pad,
                                  .dilation = 1,
                                  .out_h = out,
                                  .out_w = out};
}

static struct tensor tensor_of(int size)
{
    return (struct tensor){
        .data = block, .n = 1, .h = size, .w = size, .c = CHANNELS, .stride = CHANNELS};
}

/* How often each half of a pixel's channels is asked for. */
static int asked[MOST_PIXELS][CHANNELS / CONV_AHEAD_FLOATS];

static void ask(struct pixels_ahead pixels, size_t all)
{
    memset(asked, 0, sizeof asked);
    struct winograd_ahead ahead = {.then = {pixels}};
    for (struct conv_ahead *now = winograd_ahead_now(&ahead); now->count > 0;
         now = winograd_ahead_now(&ahead)) {
        for (; now->count > 0; now->count--, now->at += now->step) {
            size_t at = (size_t)(now->at - block) / CONV_AHEAD_FLOATS;
            size_t halves = CHANNELS / CONV_AHEAD_FLOATS;
            CHECK(now->at >= block && at < all * halves);
            asked[at / halves % MOST_PIXELS][at % halves]++;
        }
    }
}

static void check_case(int size, int stride, int pad)
{
    struct conv_geometry g = geometry_of(size, stride, pad);
    struct tensor in = tensor_of(size), out = tensor_of(g.out_h);
    const struct conv_run run = {.g = &g, .in = &in, .out = &out};
    size_t tiles = winograd_tiles(&g), first = tiles / 3;
    ask(winograd_input_ahead(&run, first, tiles), tensor_pixels(&in));
    ask(winograd_output_ahead(&run, first, tiles, 0, CHANNELS), tensor_pixels(&out));
    for (size_t tile = 0; tile < tiles; tile++) {
        struct winograd_place place = winograd_place_of(&g, tile);
        for (int i = 0; i < place.rows * place.columns; i++) {
            int pixel = (place.y + i / place.columns) * g.out_w + place.x + i % place.columns;
            for (int half = 0; half < CHANNELS / CONV_AHEAD_FLOATS; half++) {
                CHECK(asked[pixel][half] == (tile >= first));
            }
        }
    }
}

static void pixels_of_tiles(void)
{
    for (int size = 3; size <= 27; size += 4) {
        for (int stride = 1; stride <= 2; stride++) {
            for (int pad = 0; pad <= 2; pad++) {
                check_case(size, stride, pad);
            }
        }
    }
}

static const struct test_case cases[] = {
    {"the pixels of tiles", pixels_of_tiles},
};

TEST_MAIN(cases)
