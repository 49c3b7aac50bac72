/* Gradients of what reduces or repeats pixels. */
#include <string.h>

#include "base/parallel.h"
#include "kernels/backward.h"
#include "kernels/slots.h"

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
};

/* The in-bounds part [first, first + count) of a window along one axis. */
static size_t clip(int start, int size, int limit, int *first)
{
    int end = start + size < limit ? start + size : limit;
    *first = start > 0 ? start : 0;
    return end > *first ? (size_t)(end - *first) : 0;
}

struct pool_window {
    size_t rows, cols;
    int y, x; /* its first pixel within the input */
};

struct pool_range {
    int image, y, end; /* rows of windows */
    int in_y, in_end;  /* input rows that no other item writes to */
    size_t first, count;
};

static void max_window(const struct pool_backward_job *job, const struct pool_range *r,
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
    };
    job->kern->train.max_backward(&window);
}

static void mean_window(const struct pool_backward_job *job, const struct pool_range *r,
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
    if (!job->p.adds) {
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
                max_window(job, &r, &w, pixel);
            } else {
                mean_window(job, &r, &w, pixel);
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

void op_max_pool_backward(const struct kernels *kern, const struct pool_geometry *g,
                          const struct pool_backward *p)
{
    struct pool_backward_job job = {.kern = kern, .geometry = *g, .p = *p, .is_max = true};
    pool_backward_run(&job);
}

void op_avg_pool_backward(const struct kernels *kern, const struct pool_geometry *g,
                          const struct pool_backward *p)
{
    struct pool_backward_job job = {.kern = kern, .geometry = *g, .p = *p};
    pool_backward_run(&job);
}

struct upsample_backward_job {
    const struct kernels *kern;
    struct tensor dout, din;
    int stride;
    float factor;
    bool adds;
};

/* One row of input pixels: the first of the stride x stride makes it, the others are added. */
static void upsample_backward_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct upsample_backward_job *job = ctx;
    int image = (int)(item / (size_t)job->din.h);
    int y = (int)(item % (size_t)job->din.h);
    struct op_block block = {
        .a_stride = (size_t)job->stride * job->dout.stride,
        .out = tensor_at(&job->din, image, y, 0),
        .out_stride = job->din.stride,
        .pixels = (size_t)job->din.w,
        .channels = (size_t)job->din.c,
    };
    bool adds = job->adds;
    for (int row = 0; row < job->stride; row++) {
        for (int col = 0; col < job->stride; col++) {
            block.a = tensor_at(&job->dout, image, y * job->stride + row, col);
            job->kern->train.accumulate(&block, job->factor, adds);
            adds = true;
        }
    }
}

void op_upsample_backward(const struct kernels *kern, int stride, float factor,
                          const struct tensor *dout, const struct tensor *din, bool adds)
{
    struct upsample_backward_job job = {kern, *dout, *din, stride, factor, adds};
    parallel_for((size_t)din->n * (size_t)din->h, upsample_backward_item, &job);
}
