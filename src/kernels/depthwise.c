/* Depthwise convolution: every filter sees one input channel, so vectors run along the channels and
 * there is nothing to pack but the order of the weights: [kernel_h][kernel_w][filters]. Taps
 * outside the image are left out, not multiplied by zero. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/parallel.h"

bool depthwise_possible(const struct conv_geometry *g)
{
    return g->groups > 1 && g->groups == g->in_c && g->filters % g->in_c == 0;
}

size_t depthwise_packed_floats(const struct conv_geometry *g)
{
    return (size_t)g->kernel_h * (size_t)g->kernel_w * (size_t)g->filters;
}

void depthwise_pack(const struct conv_geometry *g, const struct conv_weights *w, float *packed)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, filters = (size_t)g->filters;
    size_t kernel_w = (size_t)g->kernel_w, multiplier = filters / (size_t)g->groups;
    for (size_t k = 0; k < filters; k++) {
        const float *filter = w->at + k / multiplier * w->group + k % multiplier * w->filter;
        for (size_t t = 0; t < taps; t++) {
            packed[t * filters + k] =
                filter[(ptrdiff_t)(t / kernel_w) * w->row + (ptrdiff_t)(t % kernel_w) * w->column];
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
                               .out_stride = run->out_pixel,
                               .scale = e->scale,
                               .shift = e->shift,
                               .act = e->act,
                               .adds = run->adds};
    struct taps columns;
    for (int x = 0, end; x < g->out_w; x = end) {
        end = same_columns(g, x, &columns);
        d.columns = columns.end - columns.first;
        d.pixels = end - x;
        d.out = conv_run_out(run, (size_t)n, (size_t)y, (size_t)x);
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

/* Rows of output pixels are cut into chunks by the shape alone; every chunk has its own sums, which
 * are added in the chunks' order. */
enum { WEIGHTS_CHUNKS = 32 };

static size_t weights_chunks(const struct conv_geometry *g, int batch)
{
    size_t rows = (size_t)batch * (size_t)g->out_h;
    return rows < WEIGHTS_CHUNKS ? rows : WEIGHTS_CHUNKS;
}

struct weights_job {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    const struct tensor *x, *dz;
    float *sums; /* [chunks][kernel_h][kernel_w][filters] */
    size_t chunks;
};

static void weights_row(const struct weights_job *job, size_t row, float *sums)
{
    const struct conv_geometry *g = job->g;
    int y = (int)(row % (size_t)g->out_h), n = (int)(row / (size_t)g->out_h);
    int in_y = y * g->stride_y - g->pad_y;
    struct taps rows = taps_inside(in_y, g->dilation, g->kernel_h, g->in_h);
    size_t pixel = job->x->stride, filters = (size_t)g->filters;
    struct conv_depthwise_weights d = {.in_row = (size_t)g->in_w * (size_t)g->dilation * pixel,
                                       .in_tap = (size_t)g->dilation * pixel,
                                       .in_step = (size_t)g->stride_x * pixel,
                                       .dz_stride = job->dz->stride,
                                       .weight_row = (size_t)g->kernel_w * filters,
                                       .rows = rows.end - rows.first,
                                       .filters = g->filters,
                                       .multiplier = g->filters / g->in_c};
    struct taps columns;
    for (int x = 0, end; x < g->out_w; x = end) {
        end = same_columns(g, x, &columns);
        d.columns = columns.end - columns.first;
        d.pixels = end - x;
        if (d.rows > 0 && d.columns > 0) {
            int in_x = x * g->stride_x - g->pad_x + columns.first * g->dilation;
            d.in = tensor_at(job->x, n, in_y + rows.first * g->dilation, in_x);
            d.dz = tensor_at(job->dz, n, y, x);
            d.dw = sums + (size_t)(rows.first * g->kernel_w + columns.first) * filters;
            job->slots->depthwise_weights(&d);
        }
    }
}

static void weights_chunk(void *ctx, size_t chunk, int thread)
{
    (void)thread;
    const struct weights_job *job = ctx;
    size_t rows = (size_t)job->dz->n * (size_t)job->g->out_h;
    size_t count = depthwise_packed_floats(job->g);
    float *sums = job->sums + chunk * count;
    memset(sums, 0, count * sizeof *sums);
    for (size_t row = conv_cut(rows, job->chunks, chunk);
         row < conv_cut(rows, job->chunks, chunk + 1); row++) {
        weights_row(job, row, sums);
    }
}

size_t depthwise_weights_scratch_bytes(const struct conv_geometry *g, int batch)
{
    return weights_chunks(g, batch) * depthwise_packed_floats(g) * sizeof(float);
}

void depthwise_backward_weights(const struct conv_slots *slots, const struct conv_geometry *g,
                                const struct tensor *x, const struct tensor *dz, float *dw,
                                void *scratch)
{
    struct weights_job job = {.slots = slots,
                              .g = g,
                              .x = x,
                              .dz = dz,
                              .sums = scratch,
                              .chunks = weights_chunks(g, dz->n)};
    parallel_for(job.chunks, weights_chunk, &job);
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, filters = (size_t)g->filters;
    for (size_t chunk = 1; chunk < job.chunks; chunk++) {
        for (size_t i = 0; i < taps * filters; i++) {
            job.sums[i] += job.sums[chunk * taps * filters + i];
        }
    }
    for (size_t k = 0; k < filters; k++) {
        for (size_t t = 0; t < taps; t++) {
            dw[k * taps + t] += job.sums[t * filters + k];
        }
    }
}
