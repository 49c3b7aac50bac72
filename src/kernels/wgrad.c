/* Gradient with respect to the weights: for every tap a matrix product x^T dz over the output
 * pixels.
 *
 * Rows are (tap, input channel), columns filters, and the inner dimension runs over the pixels. A
 * block of pixels of dz is packed into a panel of nr filters, which stays in L1 while the register
 * tile passes over all taps and channels of x behind a table of pointers, one per tap and pixel.
 * Sums lie as [tap][channel][nr] until they are added to the caller's [filter][channel][tap].
 *
 * Work is cut by the shape alone into (chunk of pixels) x (group, range of panels, range of
 * channels). If there is but one chunk of pixels, a thread keeps its item's sums to itself;
 * otherwise each item has its own and they are added in the chunks' order. */
#include "kernels/wgrad.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/conv_private.h"

enum {
    BLOCK_PIXELS = 256,
    TABLE_POINTERS = BLOCK_PIXELS * 25,
    MERGE_MAX_FLOATS = 64,     /* row of taps x channels up to which taps of a row are merged */
    SUMS_MAX_FLOATS = 1 << 16, /* of one item: stays in L2 beside a block of x */
    PARTIAL_MAX_FLOATS = 1 << 20,
    CHUNK_PIXELS = 1024, /* at least */
    ITEMS_WANTED = 24,
    SCATTER_CHANNELS = 16,
};

/* Cut by geometry and batch alone. */
struct cut {
    size_t taps, channels, filters, groups; /* channels and filters of one group */
    size_t panels, nr, mr;
    size_t pixels;
    size_t block_channels, channel_ranges;
    size_t range_panels, panel_ranges;
    size_t chunks;
    size_t block_pixels;
    size_t item_floats;
};

static struct cut cut_of(const struct conv_slots *slots, const struct conv_geometry *g, int batch)
{
    struct cut c = {.taps = (size_t)g->kernel_h * (size_t)g->kernel_w,
                    .channels = (size_t)(g->in_c / g->groups),
                    .filters = (size_t)(g->filters / g->groups),
                    .groups = (size_t)g->groups,
                    .nr = (size_t)slots->nr,
                    .mr = (size_t)slots->mr,
                    .pixels = (size_t)batch * (size_t)g->out_h * (size_t)g->out_w};
    c.panels = conv_ceil_div(c.filters, c.nr);
    size_t fit = SUMS_MAX_FLOATS / (c.taps * c.nr) / SCATTER_CHANNELS * SCATTER_CHANNELS;
    fit = fit < SCATTER_CHANNELS ? SCATTER_CHANNELS : fit;
    c.channel_ranges = conv_ceil_div(c.channels, fit);
    c.block_channels = conv_round_up(conv_ceil_div(c.channels, c.channel_ranges), SCATTER_CHANNELS);
    c.block_channels = c.block_channels < c.channels ? c.block_channels : c.channels;
    c.channel_ranges = conv_ceil_div(c.channels, c.block_channels);
    size_t panel_floats = c.taps * c.block_channels * c.nr;
    c.range_panels = panel_floats < SUMS_MAX_FLOATS ? SUMS_MAX_FLOATS / panel_floats : 1;
    c.range_panels = c.range_panels < c.panels ? c.range_panels : c.panels;
    c.panel_ranges = conv_ceil_div(c.panels, c.range_panels);
    c.range_panels = conv_ceil_div(c.panels, c.panel_ranges);
    c.item_floats = c.range_panels * panel_floats;
    size_t outputs = c.groups * c.panel_ranges * c.channel_ranges;
    c.chunks = conv_ceil_div(ITEMS_WANTED, outputs);
    size_t most = PARTIAL_MAX_FLOATS / (outputs * c.item_floats);
    c.chunks = c.chunks < most ? c.chunks : most;
    c.chunks = c.chunks < c.pixels / CHUNK_PIXELS ? c.chunks : c.pixels / CHUNK_PIXELS;
    c.chunks = c.chunks < 1 ? 1 : c.chunks;
    c.block_pixels = TABLE_POINTERS / c.taps;
    c.block_pixels = c.block_pixels < BLOCK_PIXELS ? c.block_pixels : BLOCK_PIXELS;
    c.block_pixels = c.block_pixels < 16 ? 16 : c.block_pixels;
    return c;
}

/* A row of taps of a narrow input (the first layer's 3 channels) is one run of floats in memory. */
static bool rows_merge(const struct conv_geometry *g)
{
    return g->groups == 1 && g->dilation == 1 && g->kernel_w > 1 &&
           g->kernel_w * g->in_c <= MERGE_MAX_FLOATS;
}

/* Zeros for pixels outside the image; per thread: pointers, a panel of dz, sums, copies of border
 * rows where rows merge. Then the items' sums. */
struct layout {
    size_t zeros, table, panel, sums, patch, partial;
};

static size_t lines(size_t count, size_t size)
{
    return conv_round_up(count * size, MEM_ALIGN);
}

static struct layout layout_of(const struct cut *c, const struct conv_geometry *g)
{
    size_t row = rows_merge(g) ? (size_t)(g->kernel_w * g->in_c) : 0;
    size_t items = c->chunks * c->groups * c->panel_ranges * c->channel_ranges;
    return (struct layout){
        .zeros = lines(row > c->channels ? row : c->channels, sizeof(float)),
        .table = lines(c->taps * c->block_pixels, sizeof(float *)),
        .panel = lines(c->block_pixels * c->nr, sizeof(float)),
        .sums = lines(c->item_floats, sizeof(float)),
        .patch = lines(c->block_pixels * (size_t)g->kernel_h * row, sizeof(float)),
        .partial = c->chunks > 1 ? lines(items * c->item_floats, sizeof(float)) : 0};
}

static size_t thread_bytes(const struct layout *l)
{
    return l->table + l->panel + l->sums + l->patch;
}

size_t wgrad_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g, int batch)
{
    if (depthwise_possible(g)) {
        return depthwise_weights_scratch_bytes(g, batch);
    }
    if (winograd_wins(slots, g)) {
        return winograd_weights_scratch_bytes(slots, g, batch);
    }
    struct cut cut = cut_of(slots, g, batch);
    struct layout l = layout_of(&cut, g);
    return l.zeros + (size_t)parallel_threads() * thread_bytes(&l) + l.partial;
}

struct job {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    const struct tensor *x, *dz;
    float *dw;
    struct cut cut;
    struct layout layout;
    bool merged;
    size_t outputs; /* groups x panel ranges x channel ranges */
    const float *zeros;
    char *threads;
    float *partial;
};

/* What the next block will read first, brought closer in `parts` steps. */
struct ahead {
    const float *x, *dz;
    size_t x_floats, dz_floats;
    size_t part, parts;
};

/* One item: what it computes, and where. */
struct piece {
    const struct job *job;
    size_t group, first_panel, panel_count, first_channel, channel_count;
    size_t first_pixel, pixels; /* the block on its way */
    const float **table;        /* [tap][block_pixels] */
    float *panel, *patch;
    float *sums; /* [panel][tap][channel][nr] */
    struct ahead ahead;
};

static void output_of(const struct job *job, size_t output, struct piece *p)
{
    const struct cut *c = &job->cut;
    size_t channel_range = output % c->channel_ranges;
    size_t panel_range = output / c->channel_ranges % c->panel_ranges;
    p->job = job;
    p->group = output / c->channel_ranges / c->panel_ranges;
    p->first_panel = panel_range * c->range_panels;
    p->panel_count = c->panels - p->first_panel;
    p->panel_count = p->panel_count < c->range_panels ? p->panel_count : c->range_panels;
    p->first_channel = channel_range * c->block_channels;
    p->channel_count = c->channels - p->first_channel;
    p->channel_count = p->channel_count < c->block_channels ? p->channel_count : c->block_channels;
}

/* Where the window of an output pixel starts. */
struct window {
    const float *image;
    ptrdiff_t y, x;
};

static struct window window_first(const struct piece *p)
{
    const struct conv_geometry *g = p->job->g;
    size_t pixel = p->first_pixel, out_w = (size_t)g->out_w, out_h = (size_t)g->out_h;
    size_t n = pixel / out_w / out_h;
    const float *image = tensor_at(p->job->x, (int)n, 0, 0) + p->group * p->job->cut.channels;
    return (struct window){.image = image,
                           .y = (ptrdiff_t)(pixel / out_w % out_h) * g->stride_y - g->pad_y,
                           .x = (ptrdiff_t)(pixel % out_w) * g->stride_x - g->pad_x};
}

static void window_next(const struct piece *p, struct window *w)
{
    const struct conv_geometry *g = p->job->g;
    const struct tensor *x = p->job->x;
    w->x += g->stride_x;
    if (w->x < (ptrdiff_t)g->out_w * g->stride_x - g->pad_x) {
        return;
    }
    w->x = -(ptrdiff_t)g->pad_x;
    w->y += g->stride_y;
    if (w->y == (ptrdiff_t)g->out_h * g->stride_y - g->pad_y) {
        w->y = -(ptrdiff_t)g->pad_y;
        w->image += (size_t)x->h * (size_t)x->w * x->stride;
    }
}

static bool inside(ptrdiff_t at, ptrdiff_t limit)
{
    return at >= 0 && at < limit;
}

static void build_table(const struct piece *p)
{
    const struct conv_geometry *g = p->job->g;
    const struct tensor *x = p->job->x;
    size_t step = p->job->cut.block_pixels;
    struct window w = window_first(p);
    for (size_t i = 0; i < p->pixels; i++, window_next(p, &w)) {
        const float **to = p->table + i;
        for (ptrdiff_t r = 0; r < g->kernel_h; r++) {
            ptrdiff_t at_y = w.y + r * g->dilation;
            for (ptrdiff_t s = 0; s < g->kernel_w; s++, to += step) {
                ptrdiff_t at_x = w.x + s * g->dilation;
                *to = inside(at_y, x->h) && inside(at_x, x->w)
                          ? w.image + (at_y * x->w + at_x) * (ptrdiff_t)x->stride
                          : p->job->zeros;
            }
        }
    }
}

/* As build_table where a row of taps is one run of floats; runs that cross the image's edge are
 * copied with their zeros. */
static void build_merged(const struct piece *p)
{
    const struct conv_geometry *g = p->job->g;
    const struct tensor *x = p->job->x;
    size_t step = p->job->cut.block_pixels, run = (size_t)(g->kernel_w * g->in_c);
    ptrdiff_t channels = g->in_c;
    float *patch = p->patch;
    struct window w = window_first(p);
    for (size_t i = 0; i < p->pixels; i++, window_next(p, &w)) {
        ptrdiff_t from = w.x < 0 ? -w.x : 0;
        ptrdiff_t to = w.x + g->kernel_w > x->w ? x->w - w.x : g->kernel_w;
        bool whole = from == 0 && to == g->kernel_w;
        for (ptrdiff_t r = 0; r < g->kernel_h; r++, patch += run) {
            const float *row = w.image + ((w.y + r) * x->w + w.x) * channels;
            const float **entry = p->table + (size_t)r * step + i;
            if (!inside(w.y + r, x->h) || to <= from) {
                *entry = p->job->zeros;
            } else if (whole) {
                *entry = row;
            } else {
                memset(patch, 0, run * sizeof *patch);
                memcpy(patch + from * channels, row + from * channels,
                       (size_t)((to - from) * channels) * sizeof *patch);
                *entry = patch;
            }
        }
    }
}

static size_t panel_filters(const struct cut *c, size_t panel)
{
    size_t left = c->filters - panel * c->nr;
    return left < c->nr ? left : c->nr;
}

static void pack_panel(const struct piece *p, size_t panel)
{
    const struct cut *c = &p->job->cut;
    const struct tensor *dz = p->job->dz;
    size_t filters = panel_filters(c, panel);
    const float *from =
        dz->data + p->first_pixel * dz->stride + p->group * c->filters + panel * c->nr;
    float *to = p->panel;
    for (size_t i = 0; i < p->pixels; i++, from += dz->stride, to += c->nr) {
        size_t k = 0;
        for (; k + 16 <= filters; k += 16) {
            memcpy(to + k, from + k, 16 * sizeof *to);
        }
        for (; k < filters; k++) {
            to[k] = from[k];
        }
        for (; k < c->nr; k++) {
            to[k] = 0.0f;
        }
    }
}

/* How many pixels of x lie before the last ones that the outputs before `pixel` read, roughly. */
static size_t x_frontier(const struct job *job, size_t pixel)
{
    const struct conv_geometry *g = job->g;
    const struct tensor *x = job->x;
    size_t out_w = (size_t)g->out_w, out_h = (size_t)g->out_h, all = tensor_pixels(x);
    ptrdiff_t below = (ptrdiff_t)(g->kernel_h - 1) * g->dilation - g->pad_y;
    size_t row = pixel / out_w % out_h * (size_t)g->stride_y + (size_t)(below > 0 ? below : 0);
    size_t in_image = row * (size_t)x->w + pixel % out_w * (size_t)g->stride_x;
    size_t at = pixel / out_w / out_h * (size_t)x->h * (size_t)x->w + in_image;
    return at < all ? at : all;
}

/* The block after the piece's, of an item that ends at pixel `end`. Items that see a part of the
 * channels or filters only compute long on what they read. */
static void ahead_begin(struct piece *p, size_t end)
{
    const struct job *job = p->job;
    const struct cut *c = &job->cut;
    size_t first = p->first_pixel + p->pixels;
    size_t next = first + p->pixels < end ? first + p->pixels : end;
    p->ahead = (struct ahead){.x = job->x->data, .dz = job->dz->data};
    if (job->outputs > 1 || next <= first) {
        return;
    }
    size_t from = x_frontier(job, first), to = x_frontier(job, next);
    size_t row_floats = c->channels * (job->merged ? (size_t)job->g->kernel_w : 1);
    size_t steps = job->merged ? (size_t)job->g->kernel_h : c->taps;
    p->ahead.parts = c->panels * steps * conv_ceil_div(row_floats, c->mr);
    p->ahead.x += from * job->x->stride;
    p->ahead.x_floats = (to > from ? to - from : 0) * job->x->stride;
    p->ahead.dz += first * job->dz->stride;
    p->ahead.dz_floats = (next - first) * job->dz->stride;
}

static void prefetch_step(struct ahead *a)
{
    if (a->part == a->parts) {
        return;
    }
    size_t x = conv_cut(a->x_floats, a->parts, a->part);
    size_t dz = conv_cut(a->dz_floats, a->parts, a->part);
    a->part++;
    conv_prefetch_read(a->x + x, conv_cut(a->x_floats, a->parts, a->part) - x);
    conv_prefetch_read(a->dz + dz, conv_cut(a->dz_floats, a->parts, a->part) - dz);
}

/* The block's pixels, one panel: all taps and channels of the piece. */
static void run_panel(struct piece *p, size_t panel, bool accumulate)
{
    const struct job *job = p->job;
    const struct cut *c = &job->cut;
    size_t rows = p->channel_count, steps = c->taps;
    if (job->merged) {
        rows *= (size_t)job->g->kernel_w;
        steps = (size_t)job->g->kernel_h;
    }
    size_t tiles = conv_ceil_div(rows, c->mr);
    struct conv_outer o = {.panel = p->panel,
                           .pixels = p->pixels,
                           .filters = (int)panel_filters(c, p->first_panel + panel),
                           .accumulate = accumulate};
    float *sums = p->sums + panel * c->taps * p->channel_count * c->nr;
    for (size_t t = 0; t < steps; t++) {
        o.in = p->table + t * c->block_pixels;
        for (size_t i = 0; i < tiles; i++) {
            size_t first = conv_cut(rows, tiles, i);
            o.rows = (int)(conv_cut(rows, tiles, i + 1) - first);
            o.offset = p->first_channel + first;
            o.sum = sums + (t * rows + first) * c->nr;
            prefetch_step(&p->ahead);
            job->slots->outer(&o);
        }
    }
}

/* Channels [first, end) of a panel. */
static void scatter(const struct conv_geometry *g, const struct wgrad_panel *p, float *dw,
                    size_t first, size_t end)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    size_t channels = (size_t)(g->in_c / g->groups), tap_step = p->channels * p->nr;
    for (size_t k = 0; k < p->filters; k++) {
        float *to = dw + ((p->first_filter + k) * channels + p->first_channel + first) * taps;
        for (size_t c = first; c < end; c++) {
            const float *from = p->sums + c * p->nr + k;
            for (size_t t = 0; t < taps; t++) {
                *to++ += from[t * tap_step];
            }
        }
    }
}

void wgrad_scatter(const struct conv_geometry *g, const struct wgrad_panel *panel, float *dw)
{
    for (size_t first = 0; first < panel->channels; first += SCATTER_CHANNELS) {
        size_t end = first + SCATTER_CHANNELS;
        scatter(g, panel, dw, first, end < panel->channels ? end : panel->channels);
    }
}

void wgrad_reduce(float *copies, size_t count, size_t distance, size_t floats)
{
    for (size_t copy = 1; copy < count; copy++) {
        const float *more = copies + copy * distance;
        for (size_t i = 0; i < floats; i++) {
            copies[i] += more[i];
        }
    }
}

static void scatter_panel(const struct piece *p, size_t panel)
{
    const struct cut *c = &p->job->cut;
    struct wgrad_panel w = {.sums = p->sums + panel * c->taps * p->channel_count * c->nr,
                            .nr = c->nr,
                            .first_filter =
                                p->group * c->filters + (p->first_panel + panel) * c->nr,
                            .filters = panel_filters(c, p->first_panel + panel),
                            .first_channel = p->first_channel,
                            .channels = p->channel_count};
    wgrad_scatter(p->job->g, &w, p->job->dw);
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct cut *c = &job->cut;
    const struct layout *l = &job->layout;
    char *mine = job->threads + (size_t)thread * thread_bytes(l);
    struct piece p = {.table = (const float **)(void *)mine,
                      .panel = (float *)(void *)(mine + l->table),
                      .patch = (float *)(void *)(mine + l->table + l->panel),
                      .sums = (float *)(void *)(mine + l->table + l->panel + l->patch)};
    output_of(job, item % job->outputs, &p);
    if (c->chunks > 1) {
        p.sums = job->partial + item * c->item_floats;
    }
    size_t pixels = tensor_pixels(job->dz), chunk = item / job->outputs;
    size_t begin = conv_cut(pixels, c->chunks, chunk);
    size_t count = conv_cut(pixels, c->chunks, chunk + 1) - begin;
    size_t blocks = conv_ceil_div(count, c->block_pixels);
    for (size_t b = 0; b < blocks; b++) {
        p.first_pixel = begin + conv_cut(count, blocks, b);
        p.pixels = begin + conv_cut(count, blocks, b + 1) - p.first_pixel;
        if (job->merged) {
            build_merged(&p);
        } else {
            build_table(&p);
        }
        ahead_begin(&p, begin + count);
        for (size_t panel = 0; panel < p.panel_count; panel++) {
            pack_panel(&p, p.first_panel + panel);
            run_panel(&p, panel, b > 0);
        }
    }
    for (size_t panel = 0; c->chunks == 1 && panel < p.panel_count; panel++) {
        scatter_panel(&p, panel);
    }
}

/* One panel of one output: the chunks' sums into the first's, then to the caller. */
static void reduce_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct cut *c = &job->cut;
    struct piece p;
    size_t output = item / c->range_panels, panel = item % c->range_panels;
    output_of(job, output, &p);
    if (panel >= p.panel_count) {
        return;
    }
    size_t floats = c->taps * p.channel_count * c->nr;
    p.sums = job->partial + output * c->item_floats;
    wgrad_reduce(p.sums + panel * floats, c->chunks, job->outputs * c->item_floats, floats);
    scatter_panel(&p, panel);
}

void conv_backward_weights(const struct kernels *kern, const struct conv_geometry *g,
                           const struct tensor *x, const struct tensor *dz, float *dw,
                           void *scratch)
{
    if (depthwise_possible(g)) {
        depthwise_backward_weights(&kern->conv, g, x, dz, dw, scratch);
        return;
    }
    if (winograd_wins(&kern->conv, g)) {
        struct wgrad_run run = {
            .slots = &kern->conv, .g = g, .x = x, .dz = dz, .dw = dw, .scratch = scratch};
        winograd_backward_weights(&run);
        return;
    }
    struct job job = {.slots = &kern->conv,
                      .g = g,
                      .x = x,
                      .dz = dz,
                      .dw = dw,
                      .cut = cut_of(&kern->conv, g, dz->n),
                      .merged = rows_merge(g) && x->stride == (size_t)x->c,
                      .zeros = scratch};
    if (job.cut.pixels == 0) {
        return;
    }
    job.merged = job.merged && job.cut.channel_ranges == 1;
    job.layout = layout_of(&job.cut, g);
    job.outputs = job.cut.groups * job.cut.panel_ranges * job.cut.channel_ranges;
    job.threads = (char *)scratch + job.layout.zeros;
    job.partial =
        (float *)(void *)(job.threads + (size_t)parallel_threads() * thread_bytes(&job.layout));
    memset(scratch, 0, job.layout.zeros);
    parallel_for(job.cut.chunks * job.outputs, run_item, &job);
    if (job.cut.chunks > 1) {
        parallel_for(job.outputs * job.cut.range_panels, reduce_item, &job);
    }
}
