/* Pooling over windows, and its gradients. Forward, a row of output is an item; large overlapping
 * windows of a maximum (SPP: 5, 9 and 13 with stride 1) go through the maxima of the columns, which
 * neighbouring windows share. */
#include "kernels/pool.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/elementwise.h"
#include "kernels/slots.h"

/* Work below SMALL floats read runs without waking a thread. COLUMN_FLOATS hold the column maxima
 * of one row, in parts of the channels that are at least COLUMN_LANES wide. */
enum { SMALL = 32 * 1024, COLUMN_FLOATS = 8 * 1024, COLUMN_LANES = 16, MEAN_PART = 64 };

struct pool_job {
    const struct kernels *kern;
    struct pool_geometry geometry;
    struct tensor in, out;
    void (*window)(const struct kernels *kern, const struct op_window *window);
    size_t column_channels; /* 0: every window by itself */
};

static void max_window(const struct kernels *kern, const struct op_window *window)
{
    kern->ops.max_window(window);
}

/* Summed in double, in row-major order. An empty window gives 0. */
static void mean_window(const struct kernels *kern, const struct op_window *window)
{
    size_t pixels = window->rows * window->cols;
    double divisor = pixels > 0 ? (double)pixels : 1;
    for (size_t first = 0; first < window->channels; first += MEAN_PART) {
        double sums[MEAN_PART] = {0};
        size_t left = window->channels - first, count = left < MEAN_PART ? left : MEAN_PART;
        struct op_block row = {
            .a_stride = window->col_step, .pixels = window->cols, .channels = count};
        for (size_t y = 0; y < window->rows; y++) {
            row.a = window->in + y * window->row_step + first;
            kern->train.sum(&row, sums);
        }
        for (size_t c = 0; c < count; c++) {
            window->out[first + c] = (float)(sums[c] / divisor);
        }
    }
}

/* The in-bounds part [first, first + count) of a window along one axis. */
static size_t clip(int start, int size, int limit, int *first)
{
    int end = start + size < limit ? start + size : limit;
    *first = start > 0 ? start : 0;
    return end > *first ? (size_t)(end - *first) : 0;
}

static void pool_row_direct(const struct pool_job *job, int image, int y)
{
    const struct pool_geometry *g = &job->geometry;
    const struct tensor *in = &job->in;
    int first_y, first_x;
    struct op_window window = {
        .row_step = (size_t)in->w * in->stride, .col_step = in->stride, .channels = (size_t)in->c};
    window.rows = clip(y * g->stride_y - g->offset, g->size, in->h, &first_y);
    for (int x = 0; x < job->out.w; x++) {
        window.cols = clip(x * g->stride_x - g->offset, g->size, in->w, &first_x);
        bool empty = window.rows == 0 || window.cols == 0;
        window.in = empty ? in->data : tensor_at(in, image, first_y, first_x);
        window.out = tensor_at(&job->out, image, y, x);
        job->window(job->kern, &window);
    }
}

/* Maxima of `count` channels from `channel`: first down the columns, then along the row. */
static void pool_row_columns(const struct pool_job *job, int image, int y, int channel,
                             size_t count)
{
    const struct pool_geometry *g = &job->geometry;
    const struct tensor *in = &job->in;
    _Alignas(64) float columns[COLUMN_FLOATS];
    int first_y, first_x;
    size_t rows = clip(y * g->stride_y - g->offset, g->size, in->h, &first_y);
    struct op_window down = {
        .rows = rows, .row_step = (size_t)in->w * in->stride, .cols = 1, .channels = count};
    for (int x = 0; x < in->w; x++) {
        down.in = rows > 0 ? tensor_at(in, image, first_y, x) + channel : in->data;
        down.out = columns + (size_t)x * count;
        job->window(job->kern, &down);
    }
    struct op_window along = {.rows = 1, .col_step = count, .channels = count};
    for (int x = 0; x < job->out.w; x++) {
        along.cols = clip(x * g->stride_x - g->offset, g->size, in->w, &first_x);
        along.in = columns + (along.cols > 0 ? (size_t)first_x * count : 0);
        along.out = tensor_at(&job->out, image, y, x) + channel;
        job->window(job->kern, &along);
    }
}

static void pool_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct pool_job *job = ctx;
    int image = (int)(item / (size_t)job->out.h);
    int y = (int)(item % (size_t)job->out.h);
    if (job->column_channels == 0) {
        pool_row_direct(job, image, y);
        return;
    }
    size_t channels = (size_t)job->in.c;
    for (size_t first = 0; first < channels; first += job->column_channels) {
        size_t left = channels - first;
        size_t count = left < job->column_channels ? left : job->column_channels;
        pool_row_columns(job, image, y, (int)first, count);
    }
}

static void pool_run(struct pool_job *job)
{
    size_t items = (size_t)job->out.n * (size_t)job->out.h;
    size_t reads = items * (size_t)job->out.w * (size_t)job->out.c * (size_t)job->geometry.size;
    if (reads > SMALL) {
        parallel_for(items, pool_item, job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        pool_item(job, i, 0);
    }
}

void op_max_pool(const struct kernels *kern, const struct pool_geometry *g, const struct tensor *in,
                 const struct tensor *out)
{
    struct pool_job job = {
        .kern = kern, .geometry = *g, .in = *in, .out = *out, .window = max_window};
    /* Reads per output: size^2 by windows, (stride + 1) size by columns. */
    size_t part = COLUMN_FLOATS / (size_t)in->w;
    if (g->size > g->stride_x + 1 && part >= COLUMN_LANES) {
        part -= part % COLUMN_LANES;
        job.column_channels = part < (size_t)in->c ? part : (size_t)in->c;
    }
    pool_run(&job);
}

void op_avg_pool(const struct kernels *kern, const struct pool_geometry *g, const struct tensor *in,
                 const struct tensor *out)
{
    struct pool_job job = {
        .kern = kern, .geometry = *g, .in = *in, .out = *out, .window = mean_window};
    pool_run(&job);
}

struct global_job {
    const struct kernels *kern;
    struct tensor in, out;
    size_t parts; /* of MEAN_PART channels */
};

static void global_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct global_job *job = ctx;
    int image = (int)(item / job->parts);
    size_t first = item % job->parts * MEAN_PART;
    size_t left = (size_t)job->in.c - first;
    struct op_window window = {
        .in = tensor_at(&job->in, image, 0, 0) + first,
        .out = tensor_at(&job->out, image, 0, 0) + first,
        .rows = (size_t)job->in.h,
        .row_step = (size_t)job->in.w * job->in.stride,
        .cols = (size_t)job->in.w,
        .col_step = job->in.stride,
        .channels = left < MEAN_PART ? left : MEAN_PART,
    };
    mean_window(job->kern, &window);
}

void op_global_avg(const struct kernels *kern, const struct tensor *in, const struct tensor *out)
{
    struct global_job job = {kern, *in, *out, ((size_t)in->c + MEAN_PART - 1) / MEAN_PART};
    size_t items = (size_t)in->n * job.parts;
    if (tensor_pixels(in) * (size_t)in->c > SMALL) {
        parallel_for(items, global_item, &job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        global_item(&job, i, 0);
    }
}

/* ---- gradients ---- */

/* Where the rows of windows do not overlap, an item is a row of them and the input rows from its
 * first to the next one's. Else an item owns some channels of a whole image: wide parts of them, or
 * narrow ones where wide ones would be few. */
enum { WIDE_PART = 64, NARROW_PART = 16, FEW_ITEMS = 16 };

struct pool_backward_job {
    const struct kernels *kern;
    struct pool_geometry geometry;
    struct pool_backward p;
    size_t bands; /* items along the rows of windows: all of them, or 1 */
    size_t parts, part;
    bool is_max;
    bool
        writes; /* windows of 2x2 that meet no pixel twice and leave none out: nothing is cleared */
};

struct pool_window {
    size_t rows, cols;
    int y, x; /* its first pixel within the input */
};

struct pool_range {
    int image, y, end; /* rows of windows */
    int in_y, in_end;  /* input rows that no other item writes to */
    size_t first, count;
};

static void max_window_backward(const struct pool_backward_job *job, const struct pool_range *r,
                                const struct pool_window *w, size_t out_pixel)
{
    const struct pool_backward *p = &job->p;
    struct max_backward window = {
        .in = tensor_at(p->in, r->image, w->y, w->x) + r->first,
        .largest = p->out->data + out_pixel * p->out->stride + r->first,
        .dout = p->dout->data + out_pixel * p->dout->stride + r->first,
        .din = tensor_at(p->din, r->image, w->y, w->x) + r->first,
        .rows = w->rows,
        .in_row = (size_t)p->in->w * p->in->stride,
        .din_row = (size_t)p->din->w * p->din->stride,
        .cols = w->cols,
        .in_col = p->in->stride,
        .din_col = p->din->stride,
        .channels = r->count,
        .writes = job->writes,
    };
    job->kern->train.max_backward(&window);
}

static void mean_window_backward(const struct pool_backward_job *job, const struct pool_range *r,
                                 const struct pool_window *w, size_t out_pixel)
{
    const struct pool_backward *p = &job->p;
    float factor = 1.0f / (float)(w->rows * w->cols);
    for (size_t row = 0; row < w->rows; row++) {
        struct op_block block = {
            .a = p->dout->data + out_pixel * p->dout->stride + r->first,
            .out = tensor_at(p->din, r->image, w->y + (int)row, w->x) + r->first,
            .out_stride = p->din->stride,
            .pixels = w->cols,
            .channels = r->count,
        };
        job->kern->train.accumulate(&block, factor, true);
    }
}

static int bounded(int y, int limit)
{
    return y < 0 ? 0 : y > limit ? limit : y;
}

static struct pool_range range_of(const struct pool_backward_job *job, size_t item)
{
    const struct pool_geometry *g = &job->geometry;
    const struct tensor *dout = job->p.dout, *din = job->p.din;
    size_t part = item % job->parts, band = item / job->parts % job->bands;
    size_t left = (size_t)din->c - part * job->part;
    struct pool_range r = {
        .image = (int)(item / job->parts / job->bands),
        .end = dout->h,
        .in_end = din->h,
        .first = part * job->part,
        .count = left < job->part ? left : job->part,
    };
    if (job->bands > 1) {
        r.y = (int)band;
        r.end = r.y + 1;
        r.in_y = r.y == 0 ? 0 : bounded(r.y * g->stride_y - g->offset, din->h);
        r.in_end = r.end == dout->h ? din->h : bounded(r.end * g->stride_y - g->offset, din->h);
    }
    return r;
}

static void range_clear(const struct tensor *t, const struct pool_range *r)
{
    size_t pixels = (size_t)(r->in_end - r->in_y) * (size_t)t->w;
    float *data = tensor_at(t, r->image, r->in_y, 0) + r->first;
    for (size_t p = 0; p < pixels; p++) {
        memset(data + p * t->stride, 0, r->count * sizeof(*data));
    }
}

static void pool_backward_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct pool_backward_job *job = ctx;
    const struct pool_geometry *g = &job->geometry;
    const struct tensor *dout = job->p.dout, *din = job->p.din;
    struct pool_range r = range_of(job, item);
    if (!job->p.adds && !job->writes) {
        range_clear(din, &r);
    }
    for (int y = r.y; y < r.end; y++) {
        for (int x = 0; x < dout->w; x++) {
            struct pool_window w;
            size_t row = (size_t)r.image * (size_t)dout->h + (size_t)y;
            size_t pixel = row * (size_t)dout->w + (size_t)x;
            w.rows = clip(y * g->stride_y - g->offset, g->size, din->h, &w.y);
            w.cols = clip(x * g->stride_x - g->offset, g->size, din->w, &w.x);
            if (w.rows == 0 || w.cols == 0) {
                continue;
            }
            if (job->is_max) {
                max_window_backward(job, &r, &w, pixel);
            } else {
                mean_window_backward(job, &r, &w, pixel);
            }
        }
    }
}

static void pool_backward_run(struct pool_backward_job *job)
{
    size_t images = (size_t)job->p.din->n, channels = (size_t)job->p.din->c;
    size_t wide = (channels + WIDE_PART - 1) / WIDE_PART;
    job->bands = 1;
    job->part = images * wide < FEW_ITEMS ? NARROW_PART : WIDE_PART;
    if (job->geometry.size <= job->geometry.stride_y && job->p.dout->h > 1) {
        job->bands = (size_t)job->p.dout->h;
        job->part = channels;
    }
    job->parts = (channels + job->part - 1) / job->part;
    parallel_for(images * job->bands * job->parts, pool_backward_item, job);
}

/* By windows of 2x2. */
static bool is_tiled(const struct pool_geometry *g, const struct pool_backward *p)
{
    return g->size == 2 && g->stride_y == 2 && g->stride_x == 2 && g->offset == 0 &&
           p->din->h == 2 * p->dout->h && p->din->w == 2 * p->dout->w;
}

void op_max_pool_backward(const struct kernels *kern, const struct pool_geometry *g,
                          const struct pool_backward *p)
{
    struct pool_backward_job job = {.kern = kern,
                                    .geometry = *g,
                                    .p = *p,
                                    .is_max = true,
                                    .writes = !p->adds && is_tiled(g, p)};
    pool_backward_run(&job);
}

void op_avg_pool_backward(const struct kernels *kern, const struct pool_geometry *g,
                          const struct pool_backward *p)
{
    struct pool_backward_job job = {.kern = kern, .geometry = *g, .p = *p};
    pool_backward_run(&job);
}

void op_global_avg_backward(const struct kernels *kern, const struct tensor *dout,
                            const struct tensor *din, bool adds)
{
    size_t pixels = (size_t)din->h * (size_t)din->w;
    op_accumulate(kern, (float)(1 / (double)pixels), dout, din, adds);
}
