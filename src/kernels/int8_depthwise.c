/* A filter for each channel. An item is some output rows: the rows of the input that they see are copied between margins of
 * zeros, so that every window is whole, and go through the slot, which multiplies their taps in pairs. */
#include "kernels/int8_conv_private.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/conv_private.h"

enum {
    MAX_TAPS = 81,
    ITEMS_OF_IMAGE = 8,
    ITEM_BYTES = 65536 /* of copied rows */
};

bool int8_depthwise_possible(const struct conv_geometry *g)
{
    return g->groups > 1 && g->groups == g->in_c && g->filters == g->in_c &&
           (long long)g->kernel_h * g->kernel_w <= MAX_TAPS;
}

static size_t pairs_of(const struct conv_geometry *g)
{
    return int8_depthwise_pairs(g->kernel_h, g->kernel_w);
}

size_t int8_depthwise_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g)
{
    return conv_round_up((size_t)g->in_c, (size_t)slots->lanes) * pairs_of(g) * sizeof(uint32_t);
}

/* The taps of a pair; -1: none. */
static void taps_of(const struct conv_geometry *g, size_t pair, int *first, int *second)
{
    int columns = g->kernel_w, row = (int)pair / columns * 2, column = (int)pair % columns;
    if (row + 1 < g->kernel_h) {
        *first = row * columns + column;
        *second = *first + columns;
        return;
    }
    int at = 2 * ((int)pair - g->kernel_h / 2 * columns);
    *first = (g->kernel_h - 1) * columns + at;
    *second = at + 1 < columns ? *first + 1 : -1;
}

void int8_depthwise_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                         const int8_t *weights, void *packed)
{
    size_t lanes = (size_t)slots->lanes, channels = (size_t)g->in_c;
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    uint32_t *to = packed;
    for (size_t c = 0; c < channels; c += lanes) {
        for (size_t p = 0; p < pairs_of(g); p++) {
            int first, second;
            taps_of(g, p, &first, &second);
            for (size_t i = 0; i < lanes; i++) {
                const int8_t *w = weights + (c + i) * taps;
                bool is_there = c + i < channels;
                int low = is_there ? w[first] : 0, high = is_there && second >= 0 ? w[second] : 0;
                *to++ = (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
            }
        }
    }
}

/* Bytes. */
struct layout {
    size_t rows, in_rows, row; /* output rows of an item, those that they see, and between these */
    size_t all;                /* from thread to thread */
};

/* The same windows without dilation: what they span. */
static struct conv_geometry span_of(const struct conv_geometry *g)
{
    struct conv_geometry span = *g;
    span.kernel_h = (g->kernel_h - 1) * g->dilation + 1;
    span.kernel_w = (g->kernel_w - 1) * g->dilation + 1;
    return span;
}

static struct layout layout_of(const struct conv_geometry *g)
{
    const struct conv_geometry span = span_of(g);
    size_t channels = (size_t)g->in_c, most = conv_ceil_div((size_t)g->out_h, ITEMS_OF_IMAGE);
    struct layout l = {.rows = 1, .row = conv_columns_seen(&span) * channels};
    while (l.rows < most && conv_rows_seen(&span, l.rows + 1) * l.row <= ITEM_BYTES) {
        l.rows++;
    }
    l.in_rows = conv_rows_seen(&span, l.rows);
    size_t behind = (size_t)g->dilation * channels + INT8_MAX_NR;
    l.all = parallel_stride(l.in_rows * l.row + behind);
    return l;
}

size_t int8_depthwise_scratch_bytes(const struct conv_geometry *g)
{
    return (size_t)parallel_threads() * layout_of(g).all;
}

struct job {
    const struct int8_run *run;
    struct layout layout;
    size_t cuts; /* of an image */
};

static void fill_pixels(uint8_t *to, const uint8_t *zeros, size_t channels, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++, to += channels) {
        memcpy(to, zeros, channels);
    }
}

/* Row y of the input, which may lie outside, between its margins. */
static void copy_row(const struct job *job, int n, ptrdiff_t y, uint8_t *to)
{
    const struct int8_run *run = job->run;
    const struct int8_tensor *in = run->in;
    size_t channels = (size_t)run->g->in_c, pixels = job->layout.row / channels;
    size_t left = (size_t)run->g->pad_x, width = (size_t)run->g->in_w;
    if (y < 0 || y >= run->g->in_h) {
        fill_pixels(to, run->zeros, channels, pixels);
        return;
    }
    const uint8_t *from = int8_at(in, n, (int)y, 0);
    fill_pixels(to, run->zeros, channels, left);
    to += left * channels;
    if (in->stride == channels) {
        memcpy(to, from, width * channels);
    } else {
        for (size_t x = 0; x < width; x++) {
            memcpy(to + x * channels, from + x * in->stride, channels);
        }
    }
    fill_pixels(to + width * channels, run->zeros, channels, pixels - left - width);
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct int8_run *run = job->run;
    const struct conv_geometry *g = run->g;
    const struct conv_geometry span = span_of(g);
    const struct layout *l = &job->layout;
    uint8_t *rows = (uint8_t *)run->scratch + (size_t)thread * l->all;
    const uint8_t *in[MAX_TAPS];
    size_t channels = (size_t)g->in_c, tap = (size_t)g->dilation * channels;
    size_t first = item % job->cuts * l->rows;
    size_t count = conv_range_size((size_t)g->out_h, l->rows, item % job->cuts);
    int n = (int)(item / job->cuts);
    struct int8_depthwise d = {.in = in,
                               .in_tap = tap,
                               .in_step = (size_t)g->stride_x * channels,
                               .rows = g->kernel_h,
                               .columns = g->kernel_w,
                               .pixels = (size_t)g->out_w,
                               .channels = channels,
                               .weights = run->packed,
                               .e = run->epilogue,
                               .out_stride = run->out->stride};
    ptrdiff_t top = (ptrdiff_t)first * g->stride_y - g->pad_y;
    for (size_t i = 0; i < conv_rows_seen(&span, count); i++) {
        copy_row(job, n, top + (ptrdiff_t)i, rows + i * l->row);
    }
    for (size_t y = 0; y < count; y++) {
        for (size_t r = 0; r < (size_t)g->kernel_h; r++) {
            in[r] = rows + (y * (size_t)g->stride_y + r * (size_t)g->dilation) * l->row;
        }
        d.out = int8_at(run->out, n, (int)(first + y), 0);
        run->slots->depthwise(&d);
    }
}

void int8_depthwise_forward(const struct int8_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->g)};
    job.cuts = conv_ceil_div((size_t)run->g->out_h, job.layout.rows);
    parallel_for((size_t)run->out->n * job.cuts, run_item, &job);
}
