/* Direct convolution as an indirect matrix product.
 *
 * Rows are output pixels, columns filters, and the inner dimension runs over (tap, channel). No row
 * is ever copied: a block of mr pixels has a table of pointers, one per tap and pixel, to input
 * pixels (to a row of zeros outside the image), and the register tile walks the channels behind
 * each pointer.
 *
 * Packed weights: per group and panel of nr filters, inner blocks one after the other, each
 * [tap][channel][nr]. An inner block is a range of taps by a range of channels, small enough that a
 * panel's slice stays in L2 while all pixel blocks of an item pass over it. The blocks depend on
 * the geometry alone, so every output element is summed in one order.
 *
 * Work items are (group, chunk of pixel blocks, range of panels). */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    INNER_TARGET = 1536,   /* taps x channels of an inner block */
    INNER_MAX_TAPS = 81,   /* bounds the pointer table */
    CHUNK_BLOCKS = 16,     /* pixel blocks an item passes over a panel slice */
    MERGE_MAX_FLOATS = 64, /* row of taps x channels up to which taps of a row are merged */
    ITEMS_WANTED = 32,
    LARGE_INPUT_FLOATS = 1 << 21,
};

/* How the inner dimension is cut: by geometry alone. */
struct inner {
    size_t taps, channels; /* of the whole convolution, per group */
    size_t filters, panels;
    size_t block_taps, block_channels;
    size_t tap_ranges, channel_ranges;
};

static struct inner inner_of(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct inner in = {.taps = (size_t)g->kernel_h * (size_t)g->kernel_w,
                       .channels = (size_t)(g->in_c / g->groups),
                       .filters = (size_t)(g->filters / g->groups)};
    in.panels = conv_ceil_div(in.filters, (size_t)slots->nr);
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

static size_t range_size(size_t total, size_t step, size_t index)
{
    size_t left = total - index * step;
    return left < step ? left : step;
}

size_t igemm_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct inner in = inner_of(slots, g);
    return (size_t)g->groups * in.panels * in.taps * in.channels * (size_t)slots->nr;
}

struct pack_job {
    struct inner inner;
    size_t nr;
    size_t kernel_w;
    const struct conv_weights *weights;
    float *packed;
};

static void pack_panel(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    const struct inner *in = &job->inner;
    size_t group = item / in->panels;
    size_t first = item % in->panels * job->nr;
    size_t filters = range_size(in->filters, job->nr, item % in->panels);
    float *to = job->packed + item * in->taps * in->channels * job->nr;
    const struct conv_weights *w = job->weights;
    const float *panel = w->at + group * w->group + first * w->filter;
    for (size_t tr = 0; tr < in->tap_ranges; tr++) {
        size_t tap_end = tr * in->block_taps + range_size(in->taps, in->block_taps, tr);
        for (size_t cr = 0; cr < in->channel_ranges; cr++) {
            size_t c_end =
                cr * in->block_channels + range_size(in->channels, in->block_channels, cr);
            for (size_t t = tr * in->block_taps; t < tap_end; t++) {
                const float *tap = panel + (ptrdiff_t)(t / job->kernel_w) * w->row +
                                   (ptrdiff_t)(t % job->kernel_w) * w->column;
                for (size_t c = cr * in->block_channels; c < c_end; c++) {
                    for (size_t k = 0; k < filters; k++) {
                        to[k] = tap[k * w->filter + c * w->channel];
                    }
                    memset(to + filters, 0, (job->nr - filters) * sizeof *to);
                    to += job->nr;
                }
            }
        }
    }
}

void igemm_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                const struct conv_weights *w, float *packed)
{
    struct pack_job job = {.inner = inner_of(slots, g),
                           .nr = (size_t)slots->nr,
                           .kernel_w = (size_t)g->kernel_w,
                           .weights = w,
                           .packed = packed};
    parallel_for((size_t)g->groups * job.inner.panels, pack_panel, &job);
}

/* A row of taps of a narrow input (the first layer's 3 channels) is one run of floats in memory. */
static bool rows_merge(const struct conv_geometry *g)
{
    int row = g->kernel_w * g->in_c;
    return g->groups == 1 && g->dilation == 1 && g->kernel_w > 1 && row <= MERGE_MAX_FLOATS &&
           g->kernel_h * row <= INNER_TARGET && g->kernel_h * g->kernel_w <= INNER_MAX_TAPS;
}

/* Per thread: pointer table, accumulators, and where rows merge the padded copies of border rows.
 */
struct workspace_size {
    size_t zeros, table, acc, patch;
};

static struct workspace_size workspace_size(const struct conv_slots *slots,
                                            const struct conv_geometry *g)
{
    struct inner in = inner_of(slots, g);
    size_t rows = CHUNK_BLOCKS * (size_t)slots->mr;
    struct workspace_size size = {
        .zeros = in.channels < MERGE_MAX_FLOATS ? MERGE_MAX_FLOATS : in.channels,
        .table = rows * in.block_taps,
        .acc = rows * (size_t)slots->nr,
        .patch = rows_merge(g) ? rows * (size_t)g->kernel_h * (size_t)(g->kernel_w * g->in_c) : 0};
    size.zeros = conv_round_up(size.zeros * sizeof(float), MEM_ALIGN);
    size.table = conv_round_up(size.table * sizeof(float *), MEM_ALIGN);
    size.acc = conv_round_up(size.acc * sizeof(float), MEM_ALIGN);
    size.patch = conv_round_up(size.patch * sizeof(float), MEM_ALIGN);
    return size;
}

size_t igemm_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct workspace_size size = workspace_size(slots, g);
    return size.zeros + (size_t)parallel_threads() * (size.table + size.acc + size.patch);
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

/* Where an output pixel's window starts in the input. */
struct window {
    const float *image;
    ptrdiff_t y, x;
};

static void block_windows(const struct piece *p, size_t first, size_t count, struct window *windows)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *in = p->job->run->in;
    size_t out_w = (size_t)g->out_w, out_h = (size_t)g->out_h;
    size_t x = first % out_w, y = first / out_w % out_h, n = first / out_w / out_h;
    for (size_t i = 0; i < count; i++) {
        windows[i].image = tensor_at(in, (int)n, 0, 0) + p->group * p->job->inner.channels;
        windows[i].y = (ptrdiff_t)y * g->stride_y - g->pad_y;
        windows[i].x = (ptrdiff_t)x * g->stride_x - g->pad_x;
        if (++x == out_w) {
            x = 0;
            if (++y == out_h) {
                y = 0;
                n++;
            }
        }
    }
}

static bool inside(ptrdiff_t start, ptrdiff_t length, ptrdiff_t limit)
{
    return start >= 0 && start + length <= limit;
}

/* The whole block's windows lie inside the image: pointers are base + one offset per tap. */
static bool table_inside(const struct piece *p, const struct window *windows, size_t count,
                         size_t first_tap, size_t taps, const float **table)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *in = p->job->run->in;
    size_t mr = (size_t)p->job->run->slots->mr;
    ptrdiff_t stride = (ptrdiff_t)in->stride, row = (ptrdiff_t)in->w * stride;
    ptrdiff_t reach_y = (ptrdiff_t)(g->kernel_h - 1) * g->dilation + 1;
    ptrdiff_t reach_x = (ptrdiff_t)(g->kernel_w - 1) * g->dilation + 1;
    const float *base[CONV_MAX_MR];
    for (size_t i = 0; i < count; i++) {
        if (!inside(windows[i].y, reach_y, in->h) || !inside(windows[i].x, reach_x, in->w)) {
            return false;
        }
        base[i] = windows[i].image + windows[i].y * row + windows[i].x * stride;
    }
    ptrdiff_t r = (ptrdiff_t)first_tap / g->kernel_w, s = (ptrdiff_t)first_tap % g->kernel_w;
    for (size_t t = 0; t < taps; t++) {
        ptrdiff_t offset = (r * row + s * stride) * g->dilation;
        for (size_t i = 0; i < count; i++) {
            table[t * mr + i] = base[i] + offset;
        }
        if (++s == g->kernel_w) {
            s = 0;
            r++;
        }
    }
    return true;
}

static void table_block(const struct piece *p, size_t block, size_t first_tap, size_t taps,
                        const float **table)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *in = p->job->run->in;
    size_t mr = (size_t)p->job->run->slots->mr;
    size_t first = block_start(p->job, block), count = block_start(p->job, block + 1) - first;
    struct window windows[CONV_MAX_MR];
    block_windows(p, first, count, windows);
    if (table_inside(p, windows, count, first_tap, taps, table)) {
        return;
    }
    for (size_t t = 0; t < taps; t++) {
        ptrdiff_t r = (ptrdiff_t)(first_tap + t) / g->kernel_w * g->dilation;
        ptrdiff_t s = (ptrdiff_t)(first_tap + t) % g->kernel_w * g->dilation;
        for (size_t i = 0; i < count; i++) {
            ptrdiff_t y = windows[i].y + r, x = windows[i].x + s;
            bool in_image = inside(y, 1, in->h) && inside(x, 1, in->w);
            table[t * mr + i] = in_image
                                    ? windows[i].image + (y * in->w + x) * (ptrdiff_t)in->stride
                                    : p->job->zeros;
        }
    }
}

/* As table_block where a row of taps is one run of floats; runs that cross the image's edge are
 * copied with their zeros. */
static void table_merged(const struct piece *p, size_t block, const float **table)
{
    const struct conv_geometry *g = p->job->run->g;
    const struct tensor *in = p->job->run->in;
    size_t mr = (size_t)p->job->run->slots->mr;
    size_t first = block_start(p->job, block), count = block_start(p->job, block + 1) - first;
    size_t run = (size_t)(g->kernel_w * g->in_c), kernel_h = (size_t)g->kernel_h;
    ptrdiff_t channels = g->in_c;
    struct window windows[CONV_MAX_MR];
    block_windows(p, first, count, windows);
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t x = windows[i].x;
        bool whole = inside(x, g->kernel_w, in->w);
        ptrdiff_t from = x < 0 ? -x : 0;
        ptrdiff_t to = x + g->kernel_w > in->w ? in->w - x : g->kernel_w;
        float *patch =
            p->patch + (first - block_start(p->job, p->first_block) + i) * kernel_h * run;
        for (size_t r = 0; r < kernel_h; r++, patch += run) {
            ptrdiff_t y = windows[i].y + (ptrdiff_t)r;
            const float *row = windows[i].image + (y * in->w + x) * channels;
            if (!inside(y, 1, in->h) || to <= from) {
                table[r * mr + i] = p->job->zeros;
            } else if (whole) {
                table[r * mr + i] = row;
            } else {
                memset(patch, 0, run * sizeof *patch);
                memcpy(patch + from * channels, row + from * channels,
                       (size_t)((to - from) * channels) * sizeof *patch);
                table[r * mr + i] = patch;
            }
        }
    }
}

static void build_tables(const struct piece *p, size_t tap_range)
{
    const struct inner *in = &p->job->inner;
    size_t mr = (size_t)p->job->run->slots->mr;
    size_t taps = range_size(in->taps, in->block_taps, tap_range);
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
                            .filters = (int)range_size(in->filters, nr, panel),
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
    size_t mr = (size_t)slots->mr, nr = (size_t)slots->nr;
    size_t first_tap = tap_range * in->block_taps, first_c = channel_range * in->block_channels;
    size_t taps = range_size(in->taps, in->block_taps, tap_range);
    size_t panel_at = (p->group * in->panels + panel) * in->taps * in->channels;
    struct conv_tile t = {.taps = taps,
                          .channels = range_size(in->channels, in->block_channels, channel_range),
                          .offset = first_c,
                          .panel = p->job->run->packed +
                                   (panel_at + first_tap * in->channels + taps * first_c) * nr,
                          .acc_stride = nr,
                          .filters = (int)range_size(in->filters, nr, panel),
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
        if (last) {
            size_t count;
            float *out = output_run(p->job, first, (size_t)t.pixels, &count);
            conv_prefetch_rows(out + p->group * in->filters + panel * nr, p->job->run->out_pixel,
                               count, (size_t)t.filters);
        }
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
    char *mine =
        job->threads + (size_t)thread * (job->size.table + job->size.acc + job->size.patch);
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
    job->blocks = conv_ceil_div(job->pixels, (size_t)job->run->slots->mr);
    job->chunks = conv_ceil_div(job->blocks, CHUNK_BLOCKS);
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
                      .merged = rows_merge(run->g) && run->in->stride == (size_t)run->in->c,
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
