/* A filter for each channel. Taps are multiplied in pairs, so that a vector of words takes two at once; an odd last
 * one is paired with a weight of zero. */
#include "kernels/int8_conv_private.h"

#include "base/parallel.h"
#include "kernels/conv_private.h"

enum { MAX_TAPS = 81, ITEM_BYTES = 16384 };

bool int8_depthwise_possible(const struct conv_geometry *g)
{
    return g->groups > 1 && g->groups == g->in_c && g->filters == g->in_c &&
           (long long)g->kernel_h * g->kernel_w <= MAX_TAPS;
}

static size_t pairs_of(const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->kernel_h * (size_t)g->kernel_w, 2);
}

size_t int8_depthwise_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g)
{
    return conv_round_up((size_t)g->in_c, (size_t)slots->lanes) * pairs_of(g) * sizeof(uint32_t);
}

void int8_depthwise_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                         const int8_t *weights, void *packed)
{
    size_t lanes = (size_t)slots->lanes, channels = (size_t)g->in_c;
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, pairs = pairs_of(g);
    uint32_t *to = packed;
    for (size_t c = 0; c < channels; c += lanes) {
        for (size_t p = 0; p < pairs; p++) {
            for (size_t i = 0; i < lanes; i++) {
                const int8_t *w = weights + (c + i) * taps + 2 * p;
                bool is_there = c + i < channels;
                int first = is_there ? w[0] : 0, second = is_there && 2 * p + 1 < taps ? w[1] : 0;
                *to++ = (uint32_t)(uint16_t)first | (uint32_t)(uint16_t)second << 16;
            }
        }
    }
}

struct job {
    const struct int8_run *run;
    size_t pixels, items;
};

static void run_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct int8_run *run = job->run;
    const struct conv_geometry *g = run->g;
    const uint8_t *table[MAX_TAPS + 1];
    struct int8_depthwise d = {.in = table,
                               .pairs = pairs_of(g),
                               .weights = run->packed,
                               .channels = (size_t)g->in_c,
                               .e = run->epilogue};
    size_t end = conv_cut(job->pixels, job->items, item + 1);
    for (size_t pixel = conv_cut(job->pixels, job->items, item); pixel < end; pixel++) {
        struct int8_position to = int8_position(run->out, pixel);
        size_t tap = 0;
        for (int r = 0; r < g->kernel_h; r++) {
            int y = to.y * g->stride_y - g->pad_y + r * g->dilation;
            for (int s = 0; s < g->kernel_w; s++) {
                int x = to.x * g->stride_x - g->pad_x + s * g->dilation;
                table[tap++] = int8_padded(run, to.n, y, x);
            }
        }
        table[tap] = table[0];
        d.out = run->out->data + pixel * run->out->stride;
        run->slots->depthwise(&d);
    }
}

void int8_depthwise_forward(const struct int8_run *run)
{
    struct job job = {.run = run, .pixels = int8_pixels(run->out)};
    size_t bytes = job.pixels * (size_t)run->g->in_c;
    job.items = conv_ceil_div(bytes, ITEM_BYTES);
    job.items = job.items < job.pixels ? job.items : job.pixels;
    parallel_for(job.items, run_item, &job);
}
