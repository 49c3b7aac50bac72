/* Depthwise convolution: every filter sees one input channel, so vectors run along the channels and
 * there is nothing to pack but the order of the weights: [kernel_h][kernel_w][filters]. Taps
 * outside the image are left out, not multiplied by zero. */
#include "base/parallel.h"
#include "kernels/conv_private.h"

bool depthwise_possible(const struct conv_geometry *g)
{
    return g->groups > 1 && g->groups == g->in_c && g->filters % g->in_c == 0;
}

size_t depthwise_packed_floats(const struct conv_geometry *g)
{
    return (size_t)g->kernel_h * (size_t)g->kernel_w * (size_t)g->filters;
}

void depthwise_pack(const struct conv_geometry *g, const float *weights, float *packed)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, filters = (size_t)g->filters;
    for (size_t k = 0; k < filters; k++) {
        for (size_t t = 0; t < taps; t++) {
            packed[t * filters + k] = weights[k * taps + t];
        }
    }
}

/* The taps first <= t < end of a kernel side that lie in [0, limit) when the window starts at
 * `start`. */
struct taps {
    int first, end;
};

static struct taps taps_inside(int start, int dilation, int kernel, int limit)
{
    struct taps taps = {0, kernel};
    if (start < 0) {
        taps.first = (-start + dilation - 1) / dilation;
    }
    if (start + (kernel - 1) * dilation >= limit) {
        taps.end = limit > start ? (limit - start + dilation - 1) / dilation : 0;
    }
    if (taps.first > taps.end) {
        taps.first = taps.end;
    }
    return taps;
}

/* Neighbouring output pixels first <= x < end of a row that count the same columns of taps. */
static int same_columns(const struct conv_geometry *g, int first, struct taps *columns)
{
    *columns = taps_inside(first * g->stride_x - g->pad_x, g->dilation, g->kernel_w, g->in_w);
    int end = first + 1;
    for (; end < g->out_w; end++) {
        struct taps next =
            taps_inside(end * g->stride_x - g->pad_x, g->dilation, g->kernel_w, g->in_w);
        if (next.first != columns->first || next.end != columns->end) {
            break;
        }
    }
    return end;
}

/* One row of output pixels. */
static void run_row(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct conv_run *run = ctx;
    const struct conv_geometry *g = run->g;
    const struct conv_epilogue *e = run->epilogue;
    int y = (int)(item % (size_t)g->out_h), n = (int)(item / (size_t)g->out_h);
    int in_y = y * g->stride_y - g->pad_y;
    struct taps rows = taps_inside(in_y, g->dilation, g->kernel_h, g->in_h);
    size_t pixel = run->in->stride, filters = (size_t)g->filters;
    struct conv_depthwise d = {.in_row = (size_t)g->in_w * (size_t)g->dilation * pixel,
                               .in_tap = (size_t)g->dilation * pixel,
                               .in_step = (size_t)g->stride_x * pixel,
                               .weight_row = (size_t)g->kernel_w * filters,
                               .rows = rows.end - rows.first,
                               .filters = g->filters,
                               .multiplier = g->filters / g->in_c,
                               .out_stride = run->out->stride,
                               .scale = e->scale,
                               .shift = e->shift,
                               .act = e->act};
    struct taps columns;
    for (int x = 0, end; x < g->out_w; x = end) {
        end = same_columns(g, x, &columns);
        d.columns = columns.end - columns.first;
        d.pixels = end - x;
        d.out = tensor_at(run->out, n, y, x);
        d.weights = run->packed + (size_t)(rows.first * g->kernel_w + columns.first) * filters;
        d.in = tensor_at(run->in, n, 0, 0);
        if (d.rows > 0 && d.columns > 0) {
            int in_x = x * g->stride_x - g->pad_x + columns.first * g->dilation;
            d.in = tensor_at(run->in, n, in_y + rows.first * g->dilation, in_x);
        }
        run->slots->depthwise(&d);
    }
}

void depthwise_forward(const struct conv_run *run)
{
    parallel_for((size_t)run->out->n * (size_t)run->g->out_h, run_row, (void *)run);
}
