/* A convolution of few input channels, such as a network's first: a row of its window is one run of floats, and the next
 * pixel's begins a constant further on, so there is no table of pointers and sums go from registers to the output.
 * Windows that reach over the image's edge read a copy with the zeros around it. Weights are packed, and every output is summed, as in
 * pointwise.c. Where bytes are wanted, some pixels at a time go through floats in L1. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/parallel.h"

enum {
    CHANNELS_MAX = 16,
    TAPS_MAX = 81,
    WEIGHTS_MAX_FLOATS = 9216, /* counting a whole panel, which the filters need not fill */
    COPY_FLOATS = 4096,        /* that are copied at once, if a row takes no more: half of L1 */
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
    size_t copies;        /* floats of copied rows */
    size_t pixel, pixels; /* that become bytes: floats of one, how many at a time */
    size_t all;           /* floats, from thread to thread */
};

/* Floats of an input row that so many neighbouring outputs see. */
static size_t row_seen(const struct conv_geometry *g, size_t columns)
{
    return ((columns - 1) * (size_t)g->stride_x + (size_t)g->kernel_w) * (size_t)g->in_c;
}

static struct layout layout_of(const struct conv_geometry *g, bool gives_bytes)
{
    size_t least = (size_t)g->kernel_h * row_seen(g, (size_t)g->out_w);
    struct layout l = {.copies = conv_round_up(least > COPY_FLOATS ? least : COPY_FLOATS, 16)};
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
    bool is_far; /* as in conv_pointwise; never of bytes, which have no floats to write */
};

/* On its way through an image. */
struct walk {
    const struct job *job;
    size_t n;
    struct conv_pointwise p; /* but for its pixels, input and output */
    float *copies, *floats;
};

/* A part of the output. */
struct piece {
    size_t y, rows, x, columns;
};

/* Neighbouring pixels of the output as bytes. */
static void run_bytes(const struct walk *w, const float *in, size_t y, size_t x, size_t columns)
{
    const struct conv_run *run = w->job->run;
    const struct int8_tensor *out = run->bytes;
    struct conv_pointwise p = w->p;
    p.in = in;
    p.out = w->floats;
    p.out_stride = w->job->layout.pixel;
    for (size_t end = x + columns; x < end; x += p.pixels) {
        p.pixels = end - x < w->job->layout.pixels ? end - x : w->job->layout.pixels;
        run->slots->pointwise(&p);
        p.in += p.pixels * p.in_stride;
        const struct int8_convert c = {.floats = p.out,
                                       .bytes = int8_at(out, (int)w->n, (int)y, (int)x),
                                       .floats_stride = p.out_stride,
                                       .bytes_stride = out->stride,
                                       .pixels = p.pixels,
                                       .channels = (size_t)out->c,
                                       .steps = out->steps,
                                       .zeros = out->zeros};
        run->bytes_slots->quantize(&c);
    }
}

/* Of a piece whose first window begins at `in`; input rows are in_row floats apart. A narrow one goes down its columns. */
static void run_piece(const struct walk *w, const struct piece *piece, const float *in,
                      size_t in_row)
{
    const struct conv_run *run = w->job->run;
    size_t down = (size_t)run->g->stride_y * in_row, right = w->p.in_stride;
    bool by_columns = piece->columns < piece->rows && !run->bytes;
    struct conv_pointwise p = w->p;
    p.in_row = in_row;
    p.pixels = by_columns ? piece->rows : piece->columns;
    p.in_stride = by_columns ? down : right;
    p.out_stride = p.addend_stride = by_columns ? run->out_row : run->out_pixel;
    for (size_t i = 0; i < (by_columns ? piece->columns : piece->rows); i++) {
        p.in = in + i * (by_columns ? right : down);
        if (run->bytes) {
            struct walk row = *w;
            row.p = p;
            run_bytes(&row, p.in, piece->y + i, piece->x, piece->columns);
            continue;
        }
        p.out = conv_run_out(run, w->n, piece->y + (by_columns ? 0 : i),
                             piece->x + (by_columns ? i : 0));
        p.addend = run->adds ? p.out : NULL;
        run->slots->pointwise(&p);
    }
}

/* What a piece sees of the image, and zeros around it. */
static void copy_seen(const struct walk *w, const struct piece *piece, size_t row)
{
    const struct conv_geometry *g = w->job->run->g;
    const struct tensor *in = w->job->run->in;
    size_t channels = (size_t)g->in_c;
    ptrdiff_t top = (ptrdiff_t)piece->y * g->stride_y - g->pad_y;
    ptrdiff_t left = (ptrdiff_t)piece->x * g->stride_x - g->pad_x;
    ptrdiff_t end = left + (ptrdiff_t)(row / channels), x = left > 0 ? left : 0;
    end = end < g->in_w ? end : g->in_w;
    size_t together = in->stride == channels ? (size_t)(end > x ? end - x : 1) : 1;
    for (size_t i = 0; i < conv_rows_seen(g, piece->rows); i++) {
        float *to = w->copies + i * row;
        ptrdiff_t y = top + (ptrdiff_t)i;
        memset(to, 0, row * sizeof *to);
        for (ptrdiff_t k = x; k < end && y >= 0 && y < g->in_h; k += (ptrdiff_t)together) {
            memcpy(to + (size_t)(k - left) * channels, tensor_at(in, (int)w->n, (int)y, (int)k),
                   together * channels * sizeof *to);
        }
    }
}

static void run_copied(const struct walk *w, const struct piece *piece)
{
    const struct conv_geometry *g = w->job->run->g;
    if (piece->rows == 0 || piece->columns == 0) {
        return;
    }
    size_t row = row_seen(g, piece->columns), end = piece->y + piece->rows;
    struct piece part = *piece;
    for (; part.y < end; part.y += part.rows) {
        part.rows = 1;
        while (part.y + part.rows < end &&
               conv_rows_seen(g, part.rows + 1) * row <= w->job->layout.copies) {
            part.rows++;
        }
        copy_seen(w, &part, row);
        run_piece(w, &part, w->copies, row);
    }
}

/* Outputs along one axis, first <= i < end, whose windows lie inside. */
struct inside {
    size_t first, end;
};

static struct inside inside_of(int in, int out, int kernel, int stride, int pad)
{
    size_t first = conv_ceil_div((size_t)pad, (size_t)stride), last = (size_t)out;
    size_t end = in + pad < kernel ? 0 : (size_t)((in + pad - kernel) / stride) + 1;
    end = end < last ? end : last;
    return (struct inside){first < end ? first : end, end};
}

static void run_rows(const struct walk *w, size_t y, size_t end)
{
    const struct conv_geometry *g = w->job->run->g;
    const struct tensor *in = w->job->run->in;
    struct inside rows = inside_of(g->in_h, g->out_h, g->kernel_h, g->stride_y, g->pad_y);
    struct inside columns = inside_of(g->in_w, g->out_w, g->kernel_w, g->stride_x, g->pad_x);
    size_t width = (size_t)g->out_w, first = rows.first > y ? rows.first : y;
    size_t last = rows.end < end ? rows.end : end;
    bool is_dense = in->stride == (size_t)g->in_c && columns.first < columns.end;
    if (!is_dense || first >= last) {
        run_copied(w, &(struct piece){y, end - y, 0, width});
        return;
    }
    struct piece direct = {first, last - first, columns.first, columns.end - columns.first};
    run_copied(w, &(struct piece){y, first - y, 0, width});
    run_copied(w, &(struct piece){first, direct.rows, 0, columns.first});
    run_copied(w, &(struct piece){first, direct.rows, columns.end, width - columns.end});
    run_copied(w, &(struct piece){last, end - last, 0, width});
    run_piece(w, &direct,
              tensor_at(in, (int)w->n, (int)first * g->stride_y - g->pad_y,
                        (int)columns.first * g->stride_x - g->pad_x),
              (size_t)in->w * in->stride);
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct conv_run *run = job->run;
    const struct conv_geometry *g = run->g;
    size_t cut = item % job->cuts, height = (size_t)g->out_h;
    size_t window = (size_t)(g->kernel_h * g->kernel_w * g->in_c);
    float *scratch = (float *)run->scratch + (size_t)thread * job->layout.all;
    struct walk w = {.job = job,
                     .n = item / job->cuts,
                     .p = {.in_stride = (size_t)(g->stride_x * g->in_c),
                           .channels = (size_t)(g->kernel_w * g->in_c),
                           .rows = (size_t)g->kernel_h,
                           .panels = run->packed,
                           .in_fours = pointwise_in_fours(run->slots, g),
                           .panel_stride = window * (size_t)run->slots->nr,
                           .out_vector = (size_t)run->slots->width,
                           .filters = (size_t)g->filters,
                           .is_far = job->is_far,
                           .scale = run->epilogue->scale,
                           .shift = run->epilogue->shift,
                           .act = run->epilogue->act},
                     .copies = scratch,
                     .floats = scratch + job->layout.copies};
    run_rows(&w, conv_cut(height, job->cuts, cut), conv_cut(height, job->cuts, cut + 1));
}

void rows_forward(const struct conv_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->g, run->bytes != NULL)};
    size_t threads = (size_t)parallel_threads();
    size_t most = conv_ceil_div((size_t)run->g->out_h, ITEM_ROWS);
    job.is_far = tensor_pixels(run->out) * run->out_pixel > run->slots->l2_floats;
    job.cuts = CUTS_OF_THREAD * threads < most ? CUTS_OF_THREAD * threads : most;
    parallel_for((size_t)run->out->n * job.cuts, run_item, &job);
}
