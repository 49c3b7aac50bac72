/* A convolution of few input channels, such as a network's first: a row of its window is one run of floats, and the next
 * pixel's begins a constant further on, so there is no table of pointers and sums go from registers to the output.
 * Input rows are copied once, with the zeros around the image. Weights are packed as igemm.c packs them, and every
 * output is summed in igemm.c's order: same bits. Where bytes are wanted, some pixels at a time go through floats in L1. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/parallel.h"

enum {
    CHANNELS_MAX = 4,
    TAPS_MAX = 81,
    WEIGHTS_MAX_FLOATS = 4096, /* half of L1 */
    PASS_FLOATS = 4096,        /* of copied rows: half of L1 */
    ROUND_FLOATS = 2048,       /* that become bytes at a time */
    ITEM_ROWS = 3,             /* at least */
    CUTS_OF_THREAD = 8,        /* it is the first loop of a pass: others may come late */
};

bool rows_win(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t filters = conv_round_up((size_t)g->filters, (size_t)slots->nr);
    return g->groups == 1 && g->dilation == 1 && g->kernel_w > 1 && g->in_c <= CHANNELS_MAX &&
           g->kernel_h * g->kernel_w <= TAPS_MAX && g->pad_y >= 0 && g->pad_x >= 0 &&
           (size_t)(g->kernel_h * g->kernel_w * g->in_c) * filters <= WEIGHTS_MAX_FLOATS;
}

/* Of one thread. */
struct layout {
    size_t row;           /* floats */
    size_t rows, in_rows; /* output rows of a pass, and rows of the input that they see */
    size_t copies;        /* floats of those */
    size_t pixel, pixels; /* that become bytes: floats of one, how many at a time */
    size_t all;           /* floats, from thread to thread */
};

static struct layout layout_of(const struct conv_geometry *g, bool gives_bytes)
{
    struct layout l = {.row = conv_columns_seen(g) * (size_t)g->in_c, .rows = 1};
    while (l.rows < (size_t)g->out_h && conv_rows_seen(g, l.rows + 1) * l.row <= PASS_FLOATS) {
        l.rows++;
    }
    l.in_rows = conv_rows_seen(g, l.rows);
    l.copies = conv_round_up(l.in_rows * l.row, 16);
    l.pixel = tensor_align((size_t)g->filters);
    l.pixels = !gives_bytes ? 0 : l.pixel < ROUND_FLOATS ? ROUND_FLOATS / l.pixel : 1;
    l.all = parallel_stride((l.copies + l.pixels * l.pixel) * sizeof(float)) / sizeof(float);
    return l;
}

size_t rows_scratch_bytes(const struct conv_geometry *g, bool gives_bytes)
{
    return (size_t)parallel_threads() * layout_of(g, gives_bytes).all * sizeof(float);
}

struct job {
    const struct conv_run *run;
    struct layout layout;
    size_t cuts; /* of an image */
};

/* The input rows that output rows [y, y + rows) of image n see; the first `kept` are there already. */
static void copy_rows(const struct job *job, size_t n, size_t y, size_t rows, size_t kept,
                      float *copies)
{
    const struct conv_geometry *g = job->run->g;
    const struct tensor *in = job->run->in;
    const struct layout *l = &job->layout;
    size_t channels = (size_t)g->in_c, width = (size_t)g->in_w;
    ptrdiff_t top = (ptrdiff_t)y * g->stride_y - g->pad_y;
    if (kept > 0) {
        memmove(copies, copies + l->rows * (size_t)g->stride_y * l->row,
                kept * l->row * sizeof *copies);
    }
    for (size_t i = kept; i < conv_rows_seen(g, rows); i++) {
        float *to = copies + i * l->row;
        ptrdiff_t from = top + (ptrdiff_t)i;
        memset(to, 0, l->row * sizeof *to);
        if (from < 0 || from >= g->in_h) {
            continue;
        }
        to += (size_t)g->pad_x * channels;
        const float *pixel = tensor_at(in, (int)n, (int)from, 0);
        if (in->stride == channels) {
            memcpy(to, pixel, width * channels * sizeof *to);
            continue;
        }
        for (size_t x = 0; x < width; x++) {
            memcpy(to + x * channels, pixel + x * in->stride, channels * sizeof *to);
        }
    }
}

/* A row of the output as bytes: p is set but for where its floats go. */
static void row_to_bytes(const struct job *job, struct conv_pointwise p, size_t n, size_t y,
                         float *floats)
{
    const struct conv_run *run = job->run;
    const struct int8_tensor *out = run->bytes;
    size_t width = (size_t)out->w;
    p.out = floats;
    p.out_stride = job->layout.pixel;
    for (size_t x = 0; x < width; x += p.pixels) {
        p.pixels = width - x < job->layout.pixels ? width - x : job->layout.pixels;
        run->slots->pointwise(&p);
        p.in += p.pixels * p.in_stride;
        const struct int8_convert c = {.floats = floats,
                                       .bytes = int8_at(out, (int)n, (int)y, (int)x),
                                       .floats_stride = p.out_stride,
                                       .bytes_stride = out->stride,
                                       .pixels = p.pixels,
                                       .channels = (size_t)out->c,
                                       .steps = out->steps,
                                       .zeros = out->zeros};
        run->bytes_slots->quantize(&c);
    }
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct conv_run *run = job->run;
    const struct conv_geometry *g = run->g;
    const struct layout *l = &job->layout;
    size_t n = item / job->cuts, cut = item % job->cuts, height = (size_t)g->out_h;
    size_t y = conv_cut(height, job->cuts, cut), end = conv_cut(height, job->cuts, cut + 1);
    float *copies = (float *)run->scratch + (size_t)thread * l->all;
    struct conv_pointwise p = {
        .in_stride = (size_t)(g->stride_x * g->in_c),
        .channels = (size_t)(g->kernel_w * g->in_c),
        .rows = (size_t)g->kernel_h,
        .in_row = l->row,
        .panels = run->packed,
        .panel_stride = (size_t)(g->kernel_h * g->kernel_w * g->in_c) * (size_t)run->slots->nr,
        .out_stride = run->out_pixel,
        .out_vector = (size_t)run->slots->width,
        .pixels = (size_t)g->out_w,
        .filters = (size_t)g->filters,
        .scale = run->epilogue->scale,
        .shift = run->epilogue->shift,
        .act = run->epilogue->act,
        .addend_stride = run->out_pixel,
    };
    for (size_t kept = 0, rows; y < end; y += rows) {
        rows = end - y < l->rows ? end - y : l->rows;
        copy_rows(job, n, y, rows, kept, copies);
        for (size_t r = 0; r < rows; r++) {
            p.in = copies + r * (size_t)g->stride_y * l->row;
            if (run->bytes) {
                row_to_bytes(job, p, n, y + r, copies + l->copies);
                continue;
            }
            p.out = conv_run_out(run, n, y + r, 0);
            p.addend = run->adds ? p.out : NULL;
            run->slots->pointwise(&p);
        }
        kept = conv_rows_kept(g);
    }
}

void rows_forward(const struct conv_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->g, run->bytes != NULL)};
    size_t threads = (size_t)parallel_threads();
    size_t most = conv_ceil_div((size_t)run->g->out_h, ITEM_ROWS);
    job.cuts = CUTS_OF_THREAD * threads < most ? CUTS_OF_THREAD * threads : most;
    parallel_for((size_t)run->out->n * job.cuts, run_item, &job);
}
