/* Depthwise convolution: every filter sees one input channel, so vectors run along the channels and
 * there is nothing to pack but the order of the weights: [kernel_h][kernel_w][filters in whole vectors]. Taps
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
    return (size_t)g->kernel_h * (size_t)g->kernel_w * tensor_align((size_t)g->filters);
}

void depthwise_pack(const struct conv_geometry *g, const struct conv_weights *w, float *packed)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, filters = (size_t)g->filters;
    size_t kernel_w = (size_t)g->kernel_w, multiplier = filters / (size_t)g->groups;
    size_t padded = tensor_align(filters);
    memset(packed, 0, depthwise_packed_floats(g) * sizeof *packed);
    for (size_t k = 0; k < filters; k++) {
        const float *filter = w->at + k / multiplier * w->group + k % multiplier * w->filter;
        for (size_t t = 0; t < taps; t++) {
            packed[t * padded + k] =
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

/* Neighbouring pixels (n, y, x ..) and what they read; `weight` is the first of its weights. */
typedef void visit_span(void *ctx, const struct depthwise_span *span, int n, int y, int x,
                        size_t weight);

/* One row of output pixels, cut where the taps that lie inside the image change. */
static void for_every_span(const struct conv_geometry *g, const struct tensor *in, size_t row,
                           visit_span *visit, void *ctx)
{
    int y = (int)(row % (size_t)g->out_h), n = (int)(row / (size_t)g->out_h);
    int in_y = y * g->stride_y - g->pad_y;
    struct taps rows = taps_inside(in_y, g->dilation, g->kernel_h, g->in_h), columns;
    size_t pixel = in->stride, tap = tensor_align((size_t)g->filters);
    struct depthwise_span span = {.in_row = (size_t)g->in_w * (size_t)g->dilation * pixel,
                                  .in_tap = (size_t)g->dilation * pixel,
                                  .in_step = (size_t)g->stride_x * pixel,
                                  .weight_row = (size_t)g->kernel_w * tap,
                                  .weight_tap = tap,
                                  .rows = rows.end - rows.first,
                                  .filters = g->filters,
                                  .multiplier = g->filters / g->in_c};
    for (int x = 0, end; x < g->out_w; x = end) {
        end = same_columns(g, x, &columns);
        span.columns = columns.end - columns.first;
        span.pixels = end - x;
        span.in = tensor_at(in, n, 0, 0);
        if (span.rows > 0 && span.columns > 0) {
            int in_x = x * g->stride_x - g->pad_x + columns.first * g->dilation;
            span.in = tensor_at(in, n, in_y + rows.first * g->dilation, in_x);
        }
        visit(ctx, &span, n, y, x, (size_t)(rows.first * g->kernel_w + columns.first) * tap);
    }
}

static void run_span(void *ctx, const struct depthwise_span *span, int n, int y, int x,
                     size_t weight)
{
    const struct conv_run *run = ctx;
    const struct conv_epilogue *e = run->epilogue;
    struct conv_depthwise d = {.at = *span,
                               .weights = run->packed + weight,
                               .out = conv_run_out(run, (size_t)n, (size_t)y, (size_t)x),
                               .out_stride = run->out_pixel,
                               .scale = e->scale,
                               .shift = e->shift,
                               .act = e->act,
                               .adds = run->adds};
    run->slots->depthwise(&d);
}

static void run_row(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct conv_run *run = ctx;
    for_every_span(run->g, run->in, item, run_span, ctx);
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
    const struct conv_weights_run *run;
    float *sums; /* [chunks] of the weights as packed */
    size_t chunks;
};

/* A chunk on its way. */
struct chunk {
    const struct conv_weights_run *run;
    float *sums;
};

static void weights_span(void *ctx, const struct depthwise_span *span, int n, int y, int x,
                         size_t weight)
{
    const struct chunk *chunk = ctx;
    const struct tensor *dz = chunk->run->dz;
    struct conv_depthwise_weights d = {.at = *span,
                                       .dz = tensor_at(dz, n, y, x),
                                       .dz_stride = dz->stride,
                                       .dw = chunk->sums + weight};
    if (span->rows > 0 && span->columns > 0) {
        chunk->run->slots->depthwise_weights(&d);
    }
}

static void weights_chunk(void *ctx, size_t chunk, int thread)
{
    (void)thread;
    const struct weights_job *job = ctx;
    size_t rows = (size_t)job->run->dz->n * (size_t)job->run->g->out_h;
    size_t count = depthwise_packed_floats(job->run->g);
    struct chunk at = {.run = job->run, .sums = job->sums + chunk * count};
    memset(at.sums, 0, count * sizeof *at.sums);
    for (size_t row = conv_cut(rows, job->chunks, chunk);
         row < conv_cut(rows, job->chunks, chunk + 1); row++) {
        for_every_span(job->run->g, job->run->x, row, weights_span, &at);
    }
}

size_t depthwise_weights_scratch_bytes(const struct conv_geometry *g, int batch)
{
    return weights_chunks(g, batch) * depthwise_packed_floats(g) * sizeof(float);
}

void depthwise_backward_weights(const struct conv_weights_run *run)
{
    const struct conv_geometry *g = run->g;
    struct weights_job job = {
        .run = run, .sums = run->scratch, .chunks = weights_chunks(g, run->dz->n)};
    parallel_for(job.chunks, weights_chunk, &job);
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, filters = (size_t)g->filters;
    size_t padded = tensor_align(filters), floats = taps * padded;
    conv_weights_reduce(job.sums, job.chunks, floats, floats);
    for (size_t k = 0; k < filters; k++) {
        for (size_t t = 0; t < taps; t++) {
            run->dw[k * taps + t] = job.sums[t * padded + k];
        }
    }
}
