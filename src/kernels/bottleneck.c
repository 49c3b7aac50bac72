/* A pass of a thread is a few output rows. For every panel of wide channels in turn it widens the input rows that are
 * new to these and runs the depthwise convolution over them; a few panels together add their share to the sums of the
 * narrow filters. A panel's widened rows lie in a ring, so that those that the next pass needs, too, are still there; only
 * where two threads' rows meet are some widened twice. Around widened rows lie the zeros that a window reads outside the image. */
#include "kernels/bottleneck.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/conv_private.h"

enum {
    PASS_FLOATS = 49152,       /* of a panel's rows, depthwise outputs and sums */
    GROUP_CHANNELS = 96,       /* whose depthwise outputs are narrowed at once */
    KERNEL_MAX = 16,           /* rows of a window */
    ITEM_ROWS = 3,             /* at least; fewer would be mostly what is widened twice */
    NARROW_CHANNELS_MAX = 1536 /* packed without cuts along the channels */
};

/* Summed channel by channel. */
static bool is_plain_1x1(const struct kernels *kern, const struct conv_geometry *g)
{
    return conv_is_product(g) && g->in_c <= NARROW_CHANNELS_MAX && !strassen_wins(&kern->conv, g);
}

bool bottleneck_possible(const struct kernels *kern, const struct conv_geometry *widen,
                         const struct conv_geometry *depthwise, const struct conv_geometry *narrow)
{
    return (!widen || is_plain_1x1(kern, widen)) && is_plain_1x1(kern, narrow) &&
           depthwise_possible(depthwise) && depthwise->filters == depthwise->in_c &&
           depthwise->dilation == 1 && depthwise->kernel_h <= KERNEL_MAX &&
           depthwise->stride_y == depthwise->stride_x && depthwise->pad_y >= 0 &&
           depthwise->pad_x >= 0;
}

/* Floats, of one thread. */
struct layout {
    size_t panels, nr, group; /* panels that are narrowed at once */
    size_t pixel, row;        /* between the pixels and rows of a vector's widened rows */
    size_t rows, in_rows;     /* output rows of a pass, and widened ones that they see */
    size_t plane, panel;      /* between vectors and panels */
    size_t spread_stride, sums_stride;
    size_t spread, sums, all; /* where depthwise outputs and sums begin; from thread to thread */
};

static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *d,
                               const struct conv_geometry *narrow)
{
    struct layout l = {.nr = (size_t)slots->nr};
    size_t channels = (size_t)d->in_c, out_w = (size_t)d->out_w;
    l.panels = conv_ceil_div(channels, l.nr);
    l.group = conv_ceil_div(l.panels, conv_ceil_div(channels, GROUP_CHANNELS));
    size_t half = (size_t)slots->width / 2;
    l.pixel = channels == half ? half : (size_t)slots->width;
    l.row = conv_columns_seen(d) * l.pixel;
    size_t vectors = conv_ceil_div(channels < l.nr ? channels : l.nr, l.pixel);
    l.spread_stride = l.group * vectors * l.pixel;
    l.sums_stride = l.panels > l.group ? conv_round_up((size_t)narrow->filters, l.nr) : 0;
    for (l.rows = 1; l.rows < (size_t)d->out_h; l.rows++) {
        if (conv_rows_seen(d, l.rows + 1) * l.row * vectors +
                (l.rows + 1) * out_w * (l.spread_stride + l.sums_stride) >
            PASS_FLOATS) {
            break;
        }
    }
    l.in_rows = conv_rows_seen(d, l.rows);
    l.plane = conv_round_up(l.in_rows * l.row, 16);
    l.panel = vectors * l.plane;
    l.spread = l.panels * l.panel;
    l.sums = l.spread + conv_round_up(l.rows * out_w * l.spread_stride, 16);
    size_t end = l.sums + conv_round_up(l.rows * out_w * l.sums_stride, 16);
    l.all = parallel_stride(end * sizeof(float)) / sizeof(float);
    return l;
}

size_t bottleneck_scratch_bytes(const struct kernels *kern, const struct conv_geometry *depthwise,
                                const struct conv_geometry *narrow)
{
    return (size_t)parallel_threads() * layout_of(&kern->conv, depthwise, narrow).all *
           sizeof(float);
}

struct job {
    const struct conv_slots *slots;
    const struct bottleneck *b;
    const struct tensor *in, *addend, *out;
    struct layout layout;
    size_t cuts; /* of an image */
    float *scratch;
};

/* Output rows [y, y + rows) of image n; the first `kept` of the widened rows are those of the pass before. */
struct pass {
    const struct job *job;
    float *scratch;
    int n;
    size_t y, rows, kept;
    size_t slot; /* of the first widened row in the ring */
};

static float *ring_row(const struct pass *pass, float *panel, size_t i)
{
    const struct layout *l = &pass->job->layout;
    return panel + (pass->slot + i) % l->in_rows * l->row;
}

/* `count` channels from `first` on of a row of the input, as they are, to the same row of the planes. */
static void copy_row(const struct job *job, const float *in, size_t first, size_t count, float *to)
{
    const struct layout *l = &job->layout;
    for (size_t k = 0; k < count; k += l->pixel, to += l->plane) {
        const float *from = in + first + k;
        size_t bytes = (count - k < l->pixel ? count - k : l->pixel) * sizeof *to;
        for (size_t x = 0; x < (size_t)job->in->w; x++, from += job->in->stride) {
            memcpy(to + x * l->pixel, from, bytes);
        }
    }
}

/* The same, widened. */
static void widen_row(const struct job *job, const float *in, size_t first, size_t count, float *to)
{
    const struct bottleneck_part *w = &job->b->widen;
    size_t channels = (size_t)w->g->in_c;
    struct conv_pointwise p = {
        .in = in,
        .in_stride = job->in->stride,
        .channels = channels,
        .rows = 1,
        .panels = w->packed + first * channels,
        .in_fours = pointwise_in_fours(job->slots, w->g),
        .panel_stride = channels * job->layout.nr,
        .out = to,
        .out_stride = job->layout.pixel,
        .out_vector = job->layout.plane,
        .pixels = (size_t)job->in->w,
        .filters = count,
        .scale = w->epilogue.scale ? w->epilogue.scale + first : NULL,
        .shift = w->epilogue.shift ? w->epilogue.shift + first : NULL,
        .act = w->epilogue.act,
    };
    job->slots->pointwise(&p);
}

static void widen_rows(const struct pass *pass, size_t first, size_t count, float *panel)
{
    const struct job *job = pass->job;
    const struct conv_geometry *d = job->b->depthwise.g;
    const struct layout *l = &job->layout;
    ptrdiff_t top = (ptrdiff_t)pass->y * d->stride_y - d->pad_y;
    for (size_t i = pass->kept; i < conv_rows_seen(d, pass->rows); i++) {
        ptrdiff_t y = top + (ptrdiff_t)i;
        float *row = ring_row(pass, panel, i);
        if (y < 0 || y >= job->in->h) {
            for (size_t at = 0; at < l->panel; at += l->plane) {
                memset(row + at, 0, l->row * sizeof *row);
            }
            continue;
        }
        (job->b->widen.g ? widen_row : copy_row)(job, tensor_at(job->in, pass->n, (int)y, 0), first,
                                                 count, row + (size_t)d->pad_x * l->pixel);
    }
}

/* To depthwise outputs from `to` on. */
static void spread_rows(const struct pass *pass, size_t first, size_t count, float *panel,
                        float *to)
{
    const struct job *job = pass->job;
    const struct bottleneck_part *part = &job->b->depthwise;
    const struct conv_geometry *g = part->g;
    const struct layout *l = &job->layout;
    const float *in_rows[KERNEL_MAX];
    size_t tap = tensor_align((size_t)g->filters);
    struct conv_depthwise d = {
        .at = {.in_tap = l->pixel,
               .in_step = (size_t)g->stride_x * l->pixel,
               .weight_row = (size_t)g->kernel_w * tap,
               .weight_tap = tap,
               .rows = g->kernel_h,
               .columns = g->kernel_w,
               .pixels = g->out_w,
               .filters = (int)count,
               .multiplier = 1},
        .in_rows = in_rows,
        .plane = l->plane,
        .weights = part->packed + first,
        .out_stride = l->spread_stride,
        .scale = part->epilogue.scale ? part->epilogue.scale + first : NULL,
        .shift = part->epilogue.shift ? part->epilogue.shift + first : NULL,
        .act = part->epilogue.act,
    };
    for (size_t r = 0; r < pass->rows; r++) {
        for (size_t i = 0; i < (size_t)g->kernel_h; i++) {
            in_rows[i] = ring_row(pass, panel, r * (size_t)g->stride_y + i);
        }
        d.out = to + r * (size_t)g->out_w * l->spread_stride;
        job->slots->depthwise(&d);
    }
}

/* The rows of an image follow one another without gaps. */
static void narrow_rows(const struct pass *pass, size_t first, size_t count)
{
    const struct job *job = pass->job;
    const struct bottleneck_part *part = &job->b->narrow;
    const struct layout *l = &job->layout;
    bool is_last = first + count == (size_t)part->g->in_c;
    struct conv_pointwise p = {
        .in = pass->scratch + l->spread,
        .in_stride = l->spread_stride,
        .channels = count,
        .rows = 1,
        .panels = part->packed,
        .in_fours = pointwise_in_fours(job->slots, part->g),
        .first_channel = first,
        .panel_stride = (size_t)part->g->in_c * l->nr,
        .continues = first > 0,
        .unfinished = !is_last,
        .sums = l->sums_stride > 0 ? pass->scratch + l->sums : NULL,
        .sums_stride = l->sums_stride,
        .out = tensor_at(job->out, pass->n, (int)pass->y, 0),
        .out_stride = job->out->stride,
        .out_vector = (size_t)job->slots->width,
        .pixels = pass->rows * (size_t)job->out->w,
        .filters = (size_t)part->g->filters,
        .scale = part->epilogue.scale,
        .shift = part->epilogue.shift,
        .act = part->epilogue.act,
    };
    if (job->addend) {
        p.addend = tensor_at(job->addend, pass->n, (int)pass->y, 0);
        p.addend_stride = job->addend->stride;
    }
    job->slots->pointwise(&p);
}

static void run_pass(const struct pass *pass)
{
    const struct layout *l = &pass->job->layout;
    size_t channels = (size_t)pass->job->b->depthwise.g->in_c, group = l->group * l->nr;
    for (size_t begin = 0, end; begin < channels; begin = end) {
        end = begin + group < channels ? begin + group : channels;
        for (size_t first = begin; first < end; first += l->nr) {
            size_t count = end - first < l->nr ? end - first : l->nr;
            float *panel = pass->scratch + first / l->nr * l->panel;
            widen_rows(pass, first, count, panel);
            spread_rows(pass, first, count, panel, pass->scratch + l->spread + first - begin);
        }
        narrow_rows(pass, begin, end - begin);
    }
}

/* The zeros left and right of the image. */
static void clear_margins(const struct job *job, float *scratch)
{
    const struct layout *l = &job->layout;
    size_t left = (size_t)job->b->depthwise.g->pad_x * l->pixel;
    size_t end = left + (size_t)job->in->w * l->pixel;
    for (size_t at = 0; at < l->panels * l->panel; at += l->plane) {
        for (size_t r = 0; r < l->in_rows; r++) {
            float *row = scratch + at + r * l->row;
            memset(row, 0, left * sizeof *row);
            memset(row + end, 0, (l->row - end) * sizeof *row);
        }
    }
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct conv_geometry *d = job->b->depthwise.g;
    const struct layout *l = &job->layout;
    size_t cut = item % job->cuts, rows = (size_t)job->out->h;
    size_t end = conv_cut(rows, job->cuts, cut + 1);
    struct pass pass = {.job = job,
                        .scratch = job->scratch + (size_t)thread * l->all,
                        .n = (int)(item / job->cuts),
                        .y = conv_cut(rows, job->cuts, cut)};
    clear_margins(job, pass.scratch);
    for (; pass.y < end; pass.y += pass.rows) {
        pass.rows = end - pass.y < l->rows ? end - pass.y : l->rows;
        run_pass(&pass);
        pass.kept = conv_rows_kept(d);
        pass.slot = (pass.slot + pass.rows * (size_t)d->stride_y) % l->in_rows;
    }
}

void bottleneck_forward(const struct kernels *kern, const struct bottleneck *b,
                        const struct tensor *in, const struct tensor *addend,
                        const struct tensor *out, void *scratch)
{
    struct job job = {.slots = &kern->conv,
                      .b = b,
                      .in = in,
                      .addend = addend,
                      .out = out,
                      .layout = layout_of(&kern->conv, b->depthwise.g, b->narrow.g),
                      .scratch = scratch};
    size_t threads = (size_t)parallel_threads(), most = conv_ceil_div((size_t)out->h, ITEM_ROWS);
    job.cuts = threads < most ? threads : most;
    parallel_for((size_t)out->n * job.cuts, run_item, &job);
}
