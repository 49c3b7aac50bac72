/* Direct convolution as an indirect matrix product, and the gradient of its weights. No row of the input is ever
 * copied: a block of output pixels has a table of pointers, one per tap and pixel, to input pixels (to a row of
 * zeros outside the image).
 *
 * Forward. Rows are output pixels, columns filters, and the inner dimension runs over (tap, channel): for a block
 * of mr pixels the register tile walks the channels behind each pointer.
 *
 * Packed weights: per group and panel of nr filters, inner blocks one after the other, each
 * [tap][channel][nr]. An inner block is a range of taps by a range of channels, small enough that a
 * panel's slice stays in L2 while all pixel blocks of an item pass over it. The blocks depend on
 * the geometry alone, so every output element is summed in one order.
 *
 * Work items are (group, chunk of pixel blocks, range of panels).
 *
 * The weights' gradient is for every tap a matrix product x^T dz over the output pixels. Rows are (tap, input
 * channel), columns filters, and the inner dimension runs over the pixels. A block of pixels of dz is packed into
 * a panel of nr filters, which stays in L1 while the register tile passes over all taps and channels of x behind
 * the table. Sums lie as [tap][channel][nr] until they are added to the caller's [filter][channel][tap].
 *
 * Work is cut by the shape alone into (chunk of pixels) x (group, range of panels, range of
 * channels). If there is but one chunk of pixels, a thread keeps its item's sums to itself;
 * otherwise each item has its own and they are added in the chunks' order. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    MERGE_MAX_FLOATS = 64, /* row of taps x channels up to which taps of a row are merged */
};

/* A row of taps of a narrow input (the first layer's 3 channels) is one run of floats in memory. */
static bool rows_merge(const struct conv_geometry *g)
{
    return g->groups == 1 && g->dilation == 1 && g->kernel_w > 1 &&
           g->kernel_w * g->in_c <= MERGE_MAX_FLOATS;
}

/* Where an output pixel's window starts in the input. */
struct window {
    const float *image; /* from the group's first channel on */
    ptrdiff_t y, x;
};

static struct window window_first(const struct conv_geometry *g, const struct tensor *in,
                                  size_t pixel, size_t channel)
{
    size_t out_w = (size_t)g->out_w, out_h = (size_t)g->out_h;
    return (struct window){.image = tensor_at(in, (int)(pixel / out_w / out_h), 0, 0) + channel,
                           .y = (ptrdiff_t)(pixel / out_w % out_h) * g->stride_y - g->pad_y,
                           .x = (ptrdiff_t)(pixel % out_w) * g->stride_x - g->pad_x};
}

static void window_next(const struct conv_geometry *g, const struct tensor *in, struct window *w)
{
    w->x += g->stride_x;
    if (w->x < (ptrdiff_t)g->out_w * g->stride_x - g->pad_x) {
        return;
    }
    w->x = -(ptrdiff_t)g->pad_x;
    w->y += g->stride_y;
    if (w->y == (ptrdiff_t)g->out_h * g->stride_y - g->pad_y) {
        w->y = -(ptrdiff_t)g->pad_y;
        w->image += (size_t)in->h * (size_t)in->w * in->stride;
    }
}

static bool inside(ptrdiff_t start, ptrdiff_t length, ptrdiff_t limit)
{
    return start >= 0 && start + length <= limit;
}

/* What a tap of the window reads. */
static inline const float *tap_at(const struct tensor *in, const struct window *w, ptrdiff_t r,
                                  ptrdiff_t s, const float *zeros)
{
    ptrdiff_t y = w->y + r, x = w->x + s;
    return inside(y, 1, in->h) && inside(x, 1, in->w)
               ? w->image + (y * in->w + x) * (ptrdiff_t)in->stride
               : zeros;
}

/* Pointers to the rows of taps of a window where each is one run of floats, `step` pointers apart. Runs that cross
 * the image's edge are copied with their zeros to patch, which has room for all of the window's. */
static void merge_rows(const struct conv_geometry *g, const struct tensor *in,
                       const struct window *w, const float *zeros, float *patch, const float **rows,
                       size_t step)
{
    size_t run = (size_t)(g->kernel_w * g->in_c);
    ptrdiff_t channels = g->in_c, from = w->x < 0 ? -w->x : 0;
    ptrdiff_t to = w->x + g->kernel_w > in->w ? in->w - w->x : g->kernel_w;
    bool whole = from == 0 && to == g->kernel_w;
    for (ptrdiff_t r = 0; r < g->kernel_h; r++, patch += run, rows += step) {
        const float *row = w->image + ((w->y + r) * in->w + w->x) * channels;
        if (!inside(w->y + r, 1, in->h) || to <= from) {
            *rows = zeros;
        } else if (whole) {
            *rows = row;
        } else {
            memset(patch, 0, run * sizeof *patch);
            memcpy(patch + from * channels, row + from * channels,
                   (size_t)((to - from) * channels) * sizeof *patch);
            *rows = patch;
        }
    }
}

/* ---- forward ---- */

enum {
    INNER_TARGET = 1536, /* taps x channels of an inner block */
    INNER_MAX_TAPS = 81, /* bounds the pointer table */
    CHUNK_BLOCKS = 16,   /* pixel blocks an item passes over a panel slice: chunk_blocks */
    ITEMS_WANTED = 32,
    LARGE_INPUT_FLOATS = 1 << 21,
};

/* How the inner dimension is cut: by geometry alone. */
struct inner {
    size_t taps, channels;           /* of the whole convolution, per group */
    size_t filters, panels, columns; /* of all panels */
    size_t mr;                       /* pixels of a block */
    size_t block_taps, block_channels;
    size_t tap_ranges, channel_ranges;
};

static struct inner inner_of(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct inner in = {.taps = (size_t)g->kernel_h * (size_t)g->kernel_w,
                       .channels = (size_t)(g->in_c / g->groups),
                       .filters = (size_t)(g->filters / g->groups)};
    in.panels = conv_ceil_div(in.filters, (size_t)slots->nr);
    in.columns = conv_round_up(in.filters, (size_t)slots->width);
    in.mr = conv_mr(slots, in.filters);
    size_t max_taps = INNER_MAX_TAPS;
    if (g->out_h == 1 && g->out_w == 1) {
        /* No pixel is read twice, so long runs of channels matter and sharing of pixels does not.
         */
        max_taps = conv_ceil_div(INNER_TARGET, in.channels);
        max_taps = max_taps > INNER_MAX_TAPS ? INNER_MAX_TAPS : max_taps;
    }
    in.block_taps = in.taps < max_taps ? in.taps : max_taps;
    in.tap_ranges = conv_ceil_div(in.taps, in.block_taps);
    size_t cuts = conv_ceil_div(in.block_taps * in.channels, INNER_TARGET);
    in.block_channels = conv_round_up(conv_ceil_div(in.channels, cuts), 16);
    if (in.block_channels > in.channels) {
        in.block_channels = in.channels;
    }
    in.channel_ranges = conv_ceil_div(in.channels, in.block_channels);
    return in;
}

size_t igemm_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct inner in = inner_of(slots, g);
    return (size_t)g->groups * in.columns * in.taps * in.channels;
}

struct pack_job {
    const struct conv_slots *slots;
    struct inner inner;
    size_t kernel_w;
    const struct conv_weights *weights;
    float *packed;
};

static void pack_panel(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    const struct inner *in = &job->inner;
    size_t nr = (size_t)job->slots->nr, group = item / in->panels, first = item % in->panels * nr;
    size_t width = conv_panel_width(job->slots, in->filters, item % in->panels);
    struct conv_weights w = *job->weights;
    const float *panel = w.at + group * w.group + first * w.filter;
    struct conv_pack p = {.weights = &w,
                          .kernel_w = job->kernel_w,
                          .filters = conv_range_size(in->filters, nr, item % in->panels),
                          .nr = width,
                          .channel_step = width};
    float *to = job->packed + (group * in->columns + first) * in->taps * in->channels;
    for (size_t tr = 0; tr < in->tap_ranges; tr++) {
        p.first_tap = tr * in->block_taps;
        p.taps = conv_range_size(in->taps, in->block_taps, tr);
        for (size_t cr = 0; cr < in->channel_ranges; cr++) {
            size_t c_first = cr * in->block_channels;
            size_t channels = conv_range_size(in->channels, in->block_channels, cr);
            p.tap_step = channels * width;
            for (size_t c = 0; c < channels; c += CONV_PACK_CHANNELS) {
                p.channels = conv_range_size(channels, CONV_PACK_CHANNELS, c / CONV_PACK_CHANNELS);
                p.to = to + c * width;
                w.at = panel + (c_first + c) * w.channel;
                conv_pack_block(job->slots, &p);
            }
            to += p.taps * p.tap_step;
        }
    }
}

void igemm_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                const struct conv_weights *w, float *packed)
{
    struct pack_job job = {.slots = slots,
                           .inner = inner_of(slots, g),
                           .kernel_w = (size_t)g->kernel_w,
                           .weights = w,
                           .packed = packed};
    parallel_for((size_t)g->groups * job.inner.panels, pack_panel, &job);
}

/* Where rows merge there is one inner block. */
static bool inner_merges(const struct conv_geometry *g)
{
    return rows_merge(g) && g->kernel_h * g->kernel_w * g->in_c <= INNER_TARGET &&
           g->kernel_h * g->kernel_w <= INNER_MAX_TAPS;
}

/* Bytes of count elements up to the next cache line. */
static size_t lines(size_t count, size_t size)
{
    return conv_round_up(count * size, MEM_ALIGN);
}

static size_t chunk_blocks(const struct conv_slots *slots)
{
    return slots->l2_floats >= CONV_LARGE_L2_FLOATS ? 2 * CHUNK_BLOCKS : CHUNK_BLOCKS;
}

/* Per thread: pointer table, accumulators, and where rows merge the padded copies of border rows; from thread to thread. */
struct workspace_size {
    size_t zeros, table, acc, patch, thread;
};

static struct workspace_size workspace_size(const struct conv_slots *slots,
                                            const struct conv_geometry *g)
{
    struct inner in = inner_of(slots, g);
    size_t rows = chunk_blocks(slots) * in.mr;
    struct workspace_size size = {
        .zeros =
            lines(in.channels < MERGE_MAX_FLOATS ? MERGE_MAX_FLOATS : in.channels, sizeof(float)),
        .table = lines(rows * in.block_taps, sizeof(float *)),
        .acc = lines(rows * (size_t)slots->nr, sizeof(float)),
        .patch = lines(
            inner_merges(g) ? rows * (size_t)g->kernel_h * (size_t)(g->kernel_w * g->in_c) : 0,
            sizeof(float))};
    size.thread = parallel_stride(size.table + size.acc + size.patch);
    return size;
}

size_t igemm_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct workspace_size size = workspace_size(slots, g);
    return size.zeros + (size_t)parallel_threads() * size.thread;
}

struct job {
    const struct conv_run *run;
    struct inner inner;
    bool merged, large;
    bool dense; /* output rows follow one another without gaps */
    size_t pixels, blocks, chunks;
    size_t panel_ranges;
    const float *zeros;
    char *threads;
    struct workspace_size size;
};

/* One item's view of its work. */
struct piece {
    const struct job *job;
    size_t group;
    size_t first_block, block_count, first_panel;
    const float **table; /* [block][tap][mr] */
    float *acc;          /* [block][mr][nr] */
    float *patch;        /* [pixel of the chunk][kernel_h][kernel_w * in_c] */
};

static size_t block_start(const struct job *job, size_t block)
{
    return conv_cut(job->pixels, job->blocks, block);
}

/* Do the windows of `count` neighbours from the first on lie in one row, and inside the image? */
static bool run_inside(const struct conv_geometry *g, const struct tensor *in,
                       const struct window *first, size_t count)
{
    ptrdiff_t reach_y = (ptrdiff_t)(g->kernel_h - 1) * g->dilation + 1;
    ptrdiff_t reach_x = (ptrdiff_t)(g->kernel_w - 1) * g->dilation + 1;
    ptrdiff_t further = (ptrdiff_t)(count - 1) * g->stride_x;
    return inside(first->y, reach_y, in->h) && inside(first->x, further + reach_x, in->w) &&
           first->x + further < (ptrdiff_t)g->out_w * g->stride_x - g->pad_x;
}

/* Their pointers for taps from first_tap on, those of a tap `step` pointers from the last one's. */
static void table_run(const struct conv_geometry *g, const struct tensor *in,
                      const struct window *first, size_t count, size_t first_tap, size_t taps,
                      const float **table, size_t step)
{
    size_t pixel = (size_t)g->stride_x * in->stride;
    ptrdiff_t r = (ptrdiff_t)first_tap / g->kernel_w, s = (ptrdiff_t)first_tap % g->kernel_w;
    for (size_t t = 0; t < taps; t++, table += step) {
        ptrdiff_t y = first->y + r * g->dilation, x = first->x + s * g->dilation;
        const float *from = first->image + (y * in->w + x) * (ptrdiff_t)in->stride;
        for (size_t i = 0; i < count; i++) {
            table[i] = from + i * pixel;
        }
        if (++s == g->kernel_w) {
            s = 0;
            r++;
        }
    }
}

static void table_block(const struct piece *p, size_t block, size_t first_tap, size_t taps,
                        const float **table)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *in = p->job->run->in;
    size_t mr = p->job->inner.mr;
    size_t first = block_start(p->job, block), count = block_start(p->job, block + 1) - first;
    struct window windows[CONV_MAX_MR];
    windows[0] = window_first(g, in, first, p->group * p->job->inner.channels);
    if (run_inside(g, in, &windows[0], count)) {
        table_run(g, in, &windows[0], count, first_tap, taps, table, mr);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        windows[i] = windows[i - 1];
        window_next(g, in, &windows[i]);
    }
    for (size_t t = 0; t < taps; t++) {
        ptrdiff_t r = (ptrdiff_t)(first_tap + t) / g->kernel_w * g->dilation;
        ptrdiff_t s = (ptrdiff_t)(first_tap + t) % g->kernel_w * g->dilation;
        for (size_t i = 0; i < count; i++) {
            table[t * mr + i] = tap_at(in, &windows[i], r, s, p->job->zeros);
        }
    }
}

/* As table_block where a row of taps is one run of floats. */
static void table_merged(const struct piece *p, size_t block, const float **table)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *in = p->job->run->in;
    size_t first = block_start(p->job, block), end = block_start(p->job, block + 1);
    size_t window_floats = (size_t)g->kernel_h * (size_t)(g->kernel_w * g->in_c);
    float *patch = p->patch + (first - block_start(p->job, p->first_block)) * window_floats;
    struct window w = window_first(g, in, first, 0);
    for (; first < end; first++, patch += window_floats, window_next(g, in, &w)) {
        merge_rows(g, in, &w, p->job->zeros, patch, table++, p->job->inner.mr);
    }
}

static void build_tables(const struct piece *p, size_t tap_range)
{
    const struct inner *in = &p->job->inner;
    size_t mr = p->job->inner.mr;
    size_t taps = conv_range_size(in->taps, in->block_taps, tap_range);
    for (size_t b = 0; b < p->block_count; b++) {
        const float **table = p->table + b * in->block_taps * mr;
        if (p->job->merged) {
            table_merged(p, p->first_block + b, table);
        } else {
            table_block(p, p->first_block + b, tap_range * in->block_taps, taps, table);
        }
    }
}

/* Where an output pixel lies, and how many of it and its `left - 1` successors follow at even
 * distances. */
static float *output_run(const struct job *job, size_t pixel, size_t left, size_t *count)
{
    const struct conv_run *run = job->run;
    *count = left;
    if (job->dense) {
        return run->out->data + pixel * run->out_pixel;
    }
    size_t out_w = (size_t)run->out->w, out_h = (size_t)run->out->h, x = pixel % out_w;
    *count = out_w - x < left ? out_w - x : left;
    return conv_run_out(run, pixel / out_w / out_h, pixel / out_w % out_h, x);
}

static void finish_block(const struct piece *p, size_t block, size_t panel, const float *acc)
{
    const struct conv_run *run = p->job->run;
    const struct inner *in = &p->job->inner;
    size_t nr = (size_t)run->slots->nr, k = p->group * in->filters + panel * nr;
    size_t first = block_start(p->job, block);
    const struct conv_epilogue *e = run->epilogue;
    struct conv_finish f = {.acc = acc,
                            .acc_stride = nr,
                            .out_stride = run->out_pixel,
                            .filters = (int)conv_range_size(in->filters, nr, panel),
                            .scale = e->scale ? e->scale + k : NULL,
                            .shift = e->shift ? e->shift + k : NULL,
                            .act = e->act,
                            .adds = run->adds};
    for (size_t left = block_start(p->job, block + 1) - first; left > 0; left -= (size_t)f.pixels) {
        size_t pixels;
        f.out = output_run(p->job, first, left, &pixels) + k;
        f.pixels = (int)pixels;
        run->slots->finish(&f);
        f.acc += pixels * nr;
        first += pixels;
    }
}

/* All pixel blocks of the piece against one inner block of one panel. */
static void inner_block(const struct piece *p, size_t panel, size_t tap_range, size_t channel_range)
{
    const struct conv_slots *slots = p->job->run->slots;
    const struct inner *in = &p->job->inner;
    size_t mr = in->mr, nr = (size_t)slots->nr;
    size_t first_tap = tap_range * in->block_taps, first_c = channel_range * in->block_channels;
    size_t taps = conv_range_size(in->taps, in->block_taps, tap_range);
    size_t panel_at = (p->group * in->columns + panel * nr) * in->taps * in->channels;
    size_t width = conv_panel_width(slots, in->filters, panel);
    struct conv_tile t = {.step = mr,
                          .taps = taps,
                          .channels =
                              conv_range_size(in->channels, in->block_channels, channel_range),
                          .offset = first_c,
                          .panel = p->job->run->packed + panel_at +
                                   (first_tap * in->channels + taps * first_c) * width,
                          .acc_stride = nr,
                          .filters = (int)conv_range_size(in->filters, nr, panel),
                          .accumulate = first_tap + first_c > 0};
    if (p->job->merged) {
        t.channels *= (size_t)p->job->run->g->kernel_w;
        t.taps = (size_t)p->job->run->g->kernel_h;
    }
    bool only = in->tap_ranges * in->channel_ranges == 1;
    bool last = tap_range + 1 == in->tap_ranges && channel_range + 1 == in->channel_ranges;
    /* A 1x1 convolution of a large image waits for its input; the first panel asks one block ahead.
     */
    bool fresh = in->taps == 1 && panel == p->first_panel && p->job->large;
    for (size_t b = 0; b < p->block_count; b++) {
        size_t block = p->first_block + b;
        t.in = p->table + b * in->block_taps * mr;
        t.acc = p->acc + (only ? 0 : b * mr * nr);
        size_t first = block_start(p->job, block);
        t.pixels = (int)(block_start(p->job, block + 1) - first);
        if (fresh && b + 1 < p->block_count) {
            for (size_t i = 0; i < (size_t)t.pixels; i++) {
                conv_prefetch_read(t.in[in->block_taps * mr + i] + first_c, t.channels);
            }
        }
        slots->tile(&t);
        if (last) {
            finish_block(p, block, panel, t.acc);
        }
    }
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct inner *in = &job->inner;
    size_t chunk = item / job->panel_ranges % job->chunks;
    size_t panel_range = item % job->panel_ranges;
    char *mine = job->threads + (size_t)thread * job->size.thread;
    struct piece p = {.job = job,
                      .group = item / job->panel_ranges / job->chunks,
                      .first_block = conv_cut(job->blocks, job->chunks, chunk),
                      .table = (const float **)(void *)mine,
                      .acc = (float *)(void *)(mine + job->size.table),
                      .patch = (float *)(void *)(mine + job->size.table + job->size.acc)};
    p.block_count = conv_cut(job->blocks, job->chunks, chunk + 1) - p.first_block;
    p.first_panel = conv_cut(in->panels, job->panel_ranges, panel_range);
    if (in->tap_ranges == 1) {
        build_tables(&p, 0);
    }
    size_t panel_end = conv_cut(in->panels, job->panel_ranges, panel_range + 1);
    for (size_t panel = p.first_panel; panel < panel_end; panel++) {
        for (size_t tr = 0; tr < in->tap_ranges; tr++) {
            if (in->tap_ranges > 1) {
                build_tables(&p, tr);
            }
            for (size_t cr = 0; cr < in->channel_ranges; cr++) {
                inner_block(&p, panel, tr, cr);
            }
        }
    }
}

/* Large images are cut into chunks of pixels that see all panels (pointer tables are built once);
 * small ones with many filters into ranges of panels as well, so that every thread finds work. */
static void cut_work(struct job *job)
{
    size_t groups = (size_t)job->run->g->groups;
    job->blocks = conv_ceil_div(job->pixels, job->inner.mr);
    job->chunks = conv_ceil_div(job->blocks, chunk_blocks(job->run->slots));
    size_t have = job->chunks * groups;
    job->panel_ranges = have < ITEMS_WANTED ? conv_ceil_div(ITEMS_WANTED, have) : 1;
    if (job->panel_ranges > job->inner.panels) {
        job->panel_ranges = job->inner.panels;
    }
    while (job->chunks * groups * job->panel_ranges < ITEMS_WANTED / 2 &&
           job->chunks * 2 <= job->blocks) {
        job->chunks *= 2;
    }
}

void igemm_forward(const struct conv_run *run)
{
    struct job job = {.run = run,
                      .inner = inner_of(run->slots, run->g),
                      .merged = inner_merges(run->g) && run->in->stride == (size_t)run->in->c,
                      .large = tensor_pixels(run->in) * run->in->stride >= LARGE_INPUT_FLOATS,
                      .pixels = tensor_pixels(run->out),
                      .size = workspace_size(run->slots, run->g)};
    memset(run->scratch, 0, job.size.zeros);
    job.dense = run->out_row == (size_t)run->out->w * run->out_pixel &&
                run->out_image == (size_t)run->out->h * run->out_row;
    job.zeros = run->scratch;
    job.threads = (char *)run->scratch + job.size.zeros;
    cut_work(&job);
    parallel_for((size_t)run->g->groups * job.chunks * job.panel_ranges, run_item, &job);
}

/* ---- the weights' gradient ---- */

enum {
    BLOCK_PIXELS = 128,
    TABLE_POINTERS = BLOCK_PIXELS * 25,
    TABLE_RUN = 8,             /* pointers that are made at once */
    SUMS_MAX_FLOATS = 1 << 16, /* of one item: stays in L2 beside a block of x */
    PARTIAL_MAX_FLOATS = 1 << 20,
    CHUNK_PIXELS = 1024, /* at least */
    GRADIENT_ITEMS_WANTED = 24,
};

/* Chunks and blocks of pixels, along which sums go, are cut by geometry and batch alone; panels and channels, which are apart,
 * also by the number of threads. */
struct gradient_cut {
    size_t taps, channels, filters, groups; /* channels and filters of one group */
    size_t panels, nr;
    size_t pixels;
    size_t block_channels, channel_ranges;
    size_t range_panels, panel_ranges;
    size_t chunks;
    size_t block_pixels;
    size_t item_floats;
};

/* Ranges of panels, then of channels, until there is something for every thread. Whole rows of a window are read only
 * where all channels are. */
static void share_outputs(struct gradient_cut *c, bool merges)
{
    size_t others = c->chunks * c->groups * c->channel_ranges;
    c->range_panels = conv_even_range(c->panels, c->range_panels, others);
    c->panel_ranges = conv_ceil_div(c->panels, c->range_panels);
    others = c->chunks * c->groups * c->panel_ranges;
    if (!merges && c->range_panels == 1) {
        size_t step = conv_ceil_div(c->block_channels, CONV_SCATTER_CHANNELS);
        size_t most = conv_ceil_div(c->channels, CONV_SCATTER_CHANNELS);
        step = conv_even_range(most, step, others) * CONV_SCATTER_CHANNELS;
        c->block_channels = step < c->channels ? step : c->channels;
        c->channel_ranges = conv_ceil_div(c->channels, c->block_channels);
    }
    c->item_floats = c->range_panels * c->taps * c->block_channels * c->nr;
}

static struct gradient_cut gradient_cut_of(const struct conv_slots *slots,
                                           const struct conv_geometry *g, int batch)
{
    struct gradient_cut c = {.taps = (size_t)g->kernel_h * (size_t)g->kernel_w,
                             .channels = (size_t)(g->in_c / g->groups),
                             .filters = (size_t)(g->filters / g->groups),
                             .groups = (size_t)g->groups,
                             .nr = (size_t)slots->nr,
                             .pixels = (size_t)batch * (size_t)g->out_h * (size_t)g->out_w};
    c.panels = conv_ceil_div(c.filters, c.nr);
    size_t fit = SUMS_MAX_FLOATS / (c.taps * c.nr) / CONV_SCATTER_CHANNELS * CONV_SCATTER_CHANNELS;
    fit = fit < CONV_SCATTER_CHANNELS ? CONV_SCATTER_CHANNELS : fit;
    c.channel_ranges = conv_ceil_div(c.channels, fit);
    c.block_channels =
        conv_round_up(conv_ceil_div(c.channels, c.channel_ranges), CONV_SCATTER_CHANNELS);
    c.block_channels = c.block_channels < c.channels ? c.block_channels : c.channels;
    c.channel_ranges = conv_ceil_div(c.channels, c.block_channels);
    size_t panel_floats = c.taps * c.block_channels * c.nr;
    c.range_panels = panel_floats < SUMS_MAX_FLOATS ? SUMS_MAX_FLOATS / panel_floats : 1;
    c.range_panels = c.range_panels < c.panels ? c.range_panels : c.panels;
    c.panel_ranges = conv_ceil_div(c.panels, c.range_panels);
    c.range_panels = conv_ceil_div(c.panels, c.panel_ranges);
    c.item_floats = c.range_panels * panel_floats;
    size_t outputs = c.groups * c.panel_ranges * c.channel_ranges;
    c.chunks = conv_ceil_div(GRADIENT_ITEMS_WANTED, outputs);
    size_t most = PARTIAL_MAX_FLOATS / (outputs * c.item_floats);
    c.chunks = c.chunks < most ? c.chunks : most;
    c.chunks = c.chunks < c.pixels / CHUNK_PIXELS ? c.chunks : c.pixels / CHUNK_PIXELS;
    c.chunks = c.chunks < 1 ? 1 : c.chunks;
    c.block_pixels = TABLE_POINTERS / c.taps;
    c.block_pixels = c.block_pixels < BLOCK_PIXELS ? c.block_pixels : BLOCK_PIXELS;
    c.block_pixels = c.block_pixels < 16 ? 16 : c.block_pixels;
    share_outputs(&c, rows_merge(g));
    return c;
}

/* Zeros for pixels outside the image; per thread: pointers, a panel of dz, sums, copies of border
 * rows where rows merge. Then the items' sums. */
struct gradient_layout {
    size_t zeros, table, panel, sums, patch, partial;
};

static struct gradient_layout gradient_layout_of(const struct gradient_cut *c,
                                                 const struct conv_geometry *g)
{
    size_t row = rows_merge(g) ? (size_t)(g->kernel_w * g->in_c) : 0;
    size_t items = c->chunks * c->groups * c->panel_ranges * c->channel_ranges;
    return (struct gradient_layout){
        .zeros = lines(row > c->channels ? row : c->channels, sizeof(float)),
        .table = lines(c->taps * c->block_pixels, sizeof(float *)),
        .panel = lines(c->block_pixels * c->nr, sizeof(float)),
        .sums = lines(c->item_floats, sizeof(float)),
        .patch = lines(c->block_pixels * (size_t)g->kernel_h * row, sizeof(float)),
        .partial = c->chunks > 1 ? lines(items * c->item_floats, sizeof(float)) : 0};
}

static size_t thread_bytes(const struct gradient_layout *l)
{
    return parallel_stride(l->table + l->panel + l->sums + l->patch);
}

/* For every number of images up to the batch: fewer may be cut otherwise, and need more. */
size_t igemm_weights_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                                   int batch)
{
    size_t most = 0;
    for (int images = 1; images <= batch; images++) {
        struct gradient_cut cut = gradient_cut_of(slots, g, images);
        struct gradient_layout l = gradient_layout_of(&cut, g);
        size_t bytes = l.zeros + (size_t)parallel_threads() * thread_bytes(&l) + l.partial;
        most = bytes > most ? bytes : most;
    }
    return most;
}

struct gradient_job {
    const struct conv_weights_run *run;
    struct gradient_cut cut;
    struct gradient_layout layout;
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
struct gradient_piece {
    const struct gradient_job *job;
    size_t group, first_panel, panel_count, first_channel, channel_count;
    size_t first_pixel, pixels; /* the block on its way */
    const float **table;        /* [tap][block_pixels] */
    float *panel, *patch;
    float *sums; /* [panel][tap][channel][nr] */
    struct ahead ahead;
};

static void output_of(const struct gradient_job *job, size_t output, struct gradient_piece *p)
{
    const struct gradient_cut *c = &job->cut;
    size_t channel_range = output % c->channel_ranges;
    size_t panel_range = output / c->channel_ranges % c->panel_ranges;
    p->job = job;
    p->group = output / c->channel_ranges / c->panel_ranges;
    p->first_panel = panel_range * c->range_panels;
    p->panel_count = conv_range_size(c->panels, c->range_panels, panel_range);
    p->first_channel = channel_range * c->block_channels;
    p->channel_count = conv_range_size(c->channels, c->block_channels, channel_range);
}

/* All pointers of the block. */
static void build_table(const struct gradient_piece *p)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *x = p->job->run->x;
    size_t step = p->job->cut.block_pixels, run = (size_t)(g->kernel_w * g->in_c);
    struct window w = window_first(g, x, p->first_pixel, p->group * p->job->cut.channels);
    for (size_t i = 0; i < p->pixels; i++, window_next(g, x, &w)) {
        const float **to = p->table + i;
        if (!p->job->merged && i + TABLE_RUN <= p->pixels && run_inside(g, x, &w, TABLE_RUN)) {
            table_run(g, x, &w, TABLE_RUN, 0, p->job->cut.taps, to, step);
            i += TABLE_RUN - 1;
            w.x += (TABLE_RUN - 1) * g->stride_x;
            continue;
        }
        if (p->job->merged && inside(w.y, g->kernel_h, x->h) && inside(w.x, g->kernel_w, x->w)) {
            const float *row = w.image + (w.y * x->w + w.x) * (ptrdiff_t)x->stride;
            for (int r = 0; r < g->kernel_h; r++, to += step) {
                *to = row;
                row += (size_t)x->w * x->stride;
            }
            continue;
        }
        if (p->job->merged) {
            merge_rows(g, x, &w, p->job->zeros, p->patch + i * (size_t)g->kernel_h * run, to, step);
            continue;
        }
        for (ptrdiff_t r = 0; r < g->kernel_h; r++) {
            for (ptrdiff_t s = 0; s < g->kernel_w; s++, to += step) {
                *to = tap_at(x, &w, r * g->dilation, s * g->dilation, p->job->zeros);
            }
        }
    }
}

static void gradient_pack_panel(const struct gradient_piece *p, size_t panel)
{
    const struct gradient_cut *c = &p->job->cut;
    const struct tensor *dz = p->job->run->dz;
    size_t filters = conv_range_size(c->filters, c->nr, panel);
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

/* Of whole vectors of one panel nothing is packed. */
static void set_panel(const struct gradient_piece *p, size_t panel, struct conv_outer *o)
{
    const struct gradient_cut *c = &p->job->cut;
    const struct tensor *dz = p->job->run->dz;
    o->filters = (int)conv_range_size(c->filters, c->nr, panel);
    if (c->panels == 1 && c->filters % CONV_STRIP == 0) {
        o->panel = dz->data + p->first_pixel * dz->stride + p->group * c->filters;
        o->panel_stride = dz->stride;
        return;
    }
    gradient_pack_panel(p, panel);
    o->panel = p->panel;
    o->panel_stride = c->nr;
}

/* How many pixels of x lie before the last ones that the outputs before `pixel` read, roughly. */
static size_t x_frontier(const struct gradient_job *job, size_t pixel)
{
    const struct conv_geometry *g = job->run->g;
    const struct tensor *x = job->run->x;
    size_t out_w = (size_t)g->out_w, out_h = (size_t)g->out_h, all = tensor_pixels(x);
    ptrdiff_t below = (ptrdiff_t)(g->kernel_h - 1) * g->dilation - g->pad_y;
    size_t row = pixel / out_w % out_h * (size_t)g->stride_y + (size_t)(below > 0 ? below : 0);
    size_t in_image = row * (size_t)x->w + pixel % out_w * (size_t)g->stride_x;
    size_t at = pixel / out_w / out_h * (size_t)x->h * (size_t)x->w + in_image;
    return at < all ? at : all;
}

static size_t outer_rows(const struct gradient_job *job, size_t panel)
{
    return conv_outer_rows(job->run->slots, conv_range_size(job->cut.filters, job->cut.nr, panel));
}

/* The block after the piece's, of an item that ends at pixel `end`. Items that see a part of the
 * channels or filters only compute long on what they read. */
static void ahead_begin(struct gradient_piece *p, size_t end)
{
    const struct gradient_job *job = p->job;
    const struct gradient_cut *c = &job->cut;
    size_t first = p->first_pixel + p->pixels;
    size_t next = first + p->pixels < end ? first + p->pixels : end;
    p->ahead = (struct ahead){.x = job->run->x->data, .dz = job->run->dz->data};
    if (job->outputs > 1 || next <= first) {
        return;
    }
    size_t from = x_frontier(job, first), to = x_frontier(job, next);
    size_t row_floats = c->channels * (job->merged ? (size_t)job->run->g->kernel_w : 1);
    size_t steps = job->merged ? (size_t)job->run->g->kernel_h : c->taps;
    p->ahead.parts = 0;
    for (size_t panel = 0; panel < c->panels; panel++) {
        p->ahead.parts += steps * conv_ceil_div(row_floats, outer_rows(job, panel));
    }
    p->ahead.x += from * job->run->x->stride;
    p->ahead.x_floats = (to > from ? to - from : 0) * job->run->x->stride;
    p->ahead.dz += first * job->run->dz->stride;
    p->ahead.dz_floats = (next - first) * job->run->dz->stride;
}

/* The next part of it is for this tile to ask for. */
static void ahead_step(struct ahead *a, struct conv_outer *o)
{
    if (a->part == a->parts) {
        o->ahead[0] = NULL;
        return;
    }
    const float *first[2] = {a->x, a->dz};
    size_t floats[2] = {a->x_floats, a->dz_floats};
    for (int i = 0; i < 2; i++) {
        size_t at = conv_cut(floats[i], a->parts, a->part);
        o->ahead[i] = first[i] + at;
        o->ahead_step[i] =
            conv_ceil_div(conv_cut(floats[i], a->parts, a->part + 1) - at, o->pixels);
    }
    a->part++;
}

/* The block's pixels, one panel: all taps and channels of the piece. */
static void run_panel(struct gradient_piece *p, size_t panel, bool accumulate)
{
    const struct gradient_job *job = p->job;
    const struct gradient_cut *c = &job->cut;
    size_t rows = p->channel_count, steps = c->taps;
    if (job->merged) {
        rows *= (size_t)job->run->g->kernel_w;
        steps = (size_t)job->run->g->kernel_h;
    }
    size_t tiles = conv_ceil_div(rows, outer_rows(job, p->first_panel + panel));
    struct conv_outer o = {.pixels = p->pixels, .accumulate = accumulate};
    set_panel(p, p->first_panel + panel, &o);
    float *sums = p->sums + panel * c->taps * p->channel_count * c->nr;
    for (size_t t = 0; t < steps; t++) {
        o.in = p->table + t * c->block_pixels;
        for (size_t i = 0; i < tiles; i++) {
            size_t first = conv_cut(rows, tiles, i);
            o.rows = (int)(conv_cut(rows, tiles, i + 1) - first);
            o.offset = p->first_channel + first;
            o.sum = sums + (t * rows + first) * c->nr;
            ahead_step(&p->ahead, &o);
            job->run->slots->outer(&o);
        }
    }
}

static void scatter_panel(const struct gradient_piece *p, size_t panel)
{
    const struct gradient_cut *c = &p->job->cut;
    struct conv_weights_panel w = {
        .sums = p->sums + panel * c->taps * p->channel_count * c->nr,
        .nr = c->nr,
        .first_filter = p->group * c->filters + (p->first_panel + panel) * c->nr,
        .filters = conv_range_size(c->filters, c->nr, p->first_panel + panel),
        .first_channel = p->first_channel,
        .channels = p->channel_count};
    conv_weights_scatter(p->job->run->slots, p->job->run->g, &w, p->job->run->dw);
}

static void gradient_run_item(void *ctx, size_t item, int thread)
{
    const struct gradient_job *job = ctx;
    const struct gradient_cut *c = &job->cut;
    const struct gradient_layout *l = &job->layout;
    char *mine = job->threads + (size_t)thread * thread_bytes(l);
    struct gradient_piece p = {.table = (const float **)(void *)mine,
                               .panel = (float *)(void *)(mine + l->table),
                               .patch = (float *)(void *)(mine + l->table + l->panel),
                               .sums = (float *)(void *)(mine + l->table + l->panel + l->patch)};
    output_of(job, item % job->outputs, &p);
    if (c->chunks > 1) {
        p.sums = job->partial + item * c->item_floats;
    }
    size_t pixels = tensor_pixels(job->run->dz), chunk = item / job->outputs;
    size_t begin = conv_cut(pixels, c->chunks, chunk);
    size_t count = conv_cut(pixels, c->chunks, chunk + 1) - begin;
    size_t blocks = conv_ceil_div(count, c->block_pixels);
    for (size_t b = 0; b < blocks; b++) {
        p.first_pixel = begin + conv_cut(count, blocks, b);
        p.pixels = begin + conv_cut(count, blocks, b + 1) - p.first_pixel;
        build_table(&p);
        ahead_begin(&p, begin + count);
        for (size_t panel = 0; panel < p.panel_count; panel++) {
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
    const struct gradient_job *job = ctx;
    const struct gradient_cut *c = &job->cut;
    struct gradient_piece p;
    size_t output = item / c->range_panels, panel = item % c->range_panels;
    output_of(job, output, &p);
    if (panel >= p.panel_count) {
        return;
    }
    size_t floats = c->taps * p.channel_count * c->nr;
    p.sums = job->partial + output * c->item_floats;
    conv_weights_reduce(p.sums + panel * floats, c->chunks, job->outputs * c->item_floats, floats);
    scatter_panel(&p, panel);
}

void igemm_backward_weights(const struct conv_weights_run *run)
{
    struct gradient_job job = {.run = run,
                               .cut = gradient_cut_of(run->slots, run->g, run->dz->n),
                               .merged = rows_merge(run->g) && run->x->stride == (size_t)run->x->c,
                               .zeros = run->scratch};
    job.merged = job.merged && job.cut.channel_ranges == 1;
    job.layout = gradient_layout_of(&job.cut, run->g);
    job.outputs = job.cut.groups * job.cut.panel_ranges * job.cut.channel_ranges;
    job.threads = (char *)run->scratch + job.layout.zeros;
    job.partial =
        (float *)(void *)(job.threads + (size_t)parallel_threads() * thread_bytes(&job.layout));
    memset(run->scratch, 0, job.layout.zeros);
    parallel_for(job.cut.chunks * job.outputs, gradient_run_item, &job);
    if (job.cut.chunks > 1) {
        parallel_for(job.outputs * job.cut.range_panels, reduce_item, &job);
    }
}
