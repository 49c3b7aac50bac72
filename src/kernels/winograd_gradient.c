/* The gradient of the weights of a 3x3 convolution of stride 1 or 2, the transpose of Winograd's forward pass (winograd.c): with
 * V = B^T d B of the 6x6 tiles of the input and W = A dY A^T of the 4x4 tiles of dz, dU[xi] = sum over the tiles of
 * V[xi]^T W[xi] are 36 matrix products on the outer-product tile, and the gradient is G^T dU G. With stride 2 there are 81, of which those
 * of the odd samples share a point of dU.
 *
 * Threads make V and W of a block of tiles, which stays in the cache that they share. V lies in strips of 16
 * channels, W in panels of nr filters: a tile's part of them is a line or two, so the products of a strip and a panel
 * read two runs of memory that fit L1. Then
 *
 *   by points   for few channels: a thread takes one of the 36 products, or a part of it. dU of all points is added to block
 *               by block, and transformed in the end.
 *   by chunks   where a core's L2 has room for dU and there are many tiles: then a thread takes a chunk of them, and makes of
 *               it all sums by itself, which are transformed at once and added in the end.
 *   by ranges   for many channels, where dU would be four times the weights: there is one block of all tiles if they
 *               are few enough, and a thread takes a range of channels by a range of filters through all 36 products;
 *               its part of dU stays in its L2 and is transformed at once. */
#include "kernels/winograd_tiles.h"

#include <string.h>

#include "base/parallel.h"

enum {
    POINTS = WINOGRAD_POINTS, /* of dU */
    MAX_POINTS = WINOGRAD_STRIDE2_INPUT * WINOGRAD_STRIDE2_INPUT,
    U_LINE = WINOGRAD_INPUT,
    TAPS = WINOGRAD_TAPS,
    TILE = WINOGRAD_TILE,
    STRIP = CONV_STRIP,
    XI_PAD = 16, /* floats between the 36 matrices: keeps their rows out of one cache set */
    POINTS_FEW_FLOATS = 5 << 18, /* of dU: by points up to here, */
    POINTS_MAX_FLOATS = 6 << 20, /* or, where L2 is small, up to here with as many tiles as this */
    POINTS_MIN_TILES = 128,
    POINTS_BLOCK_FLOATS = 3 << 18, /* of V and W */
    LARGE_BLOCK_FLOATS = 1 << 20,
    RANGES_BLOCK_FLOATS = 5 << 20,
    RANGES_MIN_TILES = 64,
    RANGE_STRIPS = 4,
    RANGE_FILTERS = 32,
    LARGE_L2_NR = 32,            /* of AVX-512, whose processors have 1 MB and more of L2 a core */
    CHUNKS_MAX_FLOATS = 5 << 15, /* of dU: by chunks up to here */
    CHUNKS_BLOCK_SHARE = 4,      /* V and W to dU, which is added to block by block */
    CHUNKS = 16,
    CHUNK_MIN_TILES = 96,
    RUN_TILES = 192,      /* summed at once, at most: rounding stays small, */
    RUN_FLOATS = 7 << 10, /* of a panel: beside a strip it fits L1 */
    ITEM_TILES = 4,       /* tiles transformed by a thread in a row */
    ITEMS_WANTED = 16,
};

/* Sizes by geometry and batch alone; distances in floats. */
struct layout {
    bool by_points;
    size_t input, points; /* of V and W in a line, and in all */
    size_t nr, channels, filters;
    size_t strips, panels;
    size_t range_strips, strip_ranges; /* that are transformed at once */
    size_t range_panels, panel_ranges; /* of an item */
    size_t tiles, blocks, block_tiles;
    size_t v_strip, v_xi, w_panel, w_xi, u_panel, u_xi;
    size_t zeros, v, w, u, sums, thread_sums; /* floats; thread_sums: from thread to thread */
    size_t chunks, partial; /* by chunks: how many, and floats of the sums of each */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void cut_panels(struct layout *l, size_t panels)
{
    l->panel_ranges = conv_ceil_div(l->panels, panels);
    l->range_panels = conv_ceil_div(l->panels, l->panel_ranges);
    l->panel_ranges = conv_ceil_div(l->panels, l->range_panels);
}

static int input_of(const struct conv_geometry *g)
{
    return g->stride_y == 2 ? WINOGRAD_STRIDE2_INPUT : WINOGRAD_INPUT;
}

static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g,
                               int batch)
{
    struct layout l = {.input = (size_t)input_of(g),
                       .nr = (size_t)slots->nr,
                       .channels = (size_t)g->in_c,
                       .filters = (size_t)g->filters,
                       .tiles = most(winograd_tiles(g) * (size_t)batch, 1)};
    l.points = l.input * l.input;
    l.strips = conv_ceil_div(l.channels, STRIP);
    l.panels = conv_ceil_div(l.filters, l.nr);
    size_t products = POINTS * l.strips * STRIP * l.panels * l.nr;
    bool has_large_l2 = l.nr >= LARGE_L2_NR;
    l.by_points = products <= POINTS_FEW_FLOATS ||
                  (!has_large_l2 && products <= POINTS_MAX_FLOATS && l.tiles >= POINTS_MIN_TILES);
    l.range_strips = least(RANGE_STRIPS, l.strips);
    l.strip_ranges = conv_ceil_div(l.strips, l.range_strips);
    cut_panels(&l, l.by_points ? conv_ceil_div(l.panels, 2) : most(RANGE_FILTERS / l.nr, 1));
    if (!l.by_points && l.strip_ranges * l.panel_ranges < ITEMS_WANTED) {
        cut_panels(&l, 1);
    }
    size_t tile = l.points * (l.strips * STRIP + l.panels * l.nr);
    size_t fit = !l.by_points   ? RANGES_BLOCK_FLOATS
                 : has_large_l2 ? LARGE_BLOCK_FLOATS
                                : POINTS_BLOCK_FLOATS;
    l.blocks = conv_ceil_div(l.tiles, most(fit / tile, RANGES_MIN_TILES));
    if (has_large_l2 && products <= CHUNKS_MAX_FLOATS && l.tiles >= CHUNKS * CHUNK_MIN_TILES) {
        l.chunks = CHUNKS;
        size_t chunk = conv_ceil_div(l.tiles, l.chunks);
        l.blocks = l.chunks * conv_ceil_div(chunk, CHUNKS_BLOCK_SHARE * products / tile);
    }
    l.block_tiles = conv_ceil_div(l.tiles, l.blocks);
    l.v_strip = l.block_tiles * STRIP;
    l.v_xi = l.strips * l.v_strip + XI_PAD;
    l.w_panel = l.block_tiles * l.nr;
    l.w_xi = l.panels * l.w_panel + XI_PAD;
    l.u_panel = (l.by_points ? l.strips : l.range_strips) * STRIP * l.nr;
    l.u_xi = (l.by_points ? l.panels : l.range_panels) * l.u_panel + XI_PAD;
    l.zeros = conv_round_up(most(l.channels, l.filters), 16);
    l.v = conv_round_up(l.points * l.v_xi, 16);
    l.w = conv_round_up(l.points * l.w_xi, 16);
    l.u = parallel_stride(POINTS * l.u_xi * sizeof(float)) / sizeof(float);
    l.sums = conv_round_up(TAPS * l.range_strips * STRIP * l.nr, 16);
    l.thread_sums = parallel_stride(l.sums * sizeof(float)) / sizeof(float);
    l.partial = l.panels * l.strip_ranges * l.sums;
    return l;
}

/* Zeros; V and W; dU, one or one a thread; sums a thread; by chunks V, W and dU a thread, sums a chunk. Fewer images may
 * go another way, and need more. */
size_t winograd_weights_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                                      int batch)
{
    size_t threads = (size_t)parallel_threads(), floats = 0;
    for (int images = 1; images <= batch; images++) {
        struct layout l = layout_of(slots, g, images);
        size_t needed = l.v + l.w + (l.by_points ? 1 : threads) * l.u + threads * l.thread_sums;
        if (l.chunks > 0) {
            needed = threads * (l.v + l.w + l.u) + l.chunks * l.partial;
        }
        floats = most(floats, l.zeros + needed);
    }
    return floats * sizeof(float);
}

/* All tiles of a batch. Those of one or two columns (narrow) or rows (low) of pixels do not need all points, so their order
 * is: narrow, whole, low, low and narrow. Then the tiles of each of the 36 matrices are a run. */
struct order {
    size_t input; /* points of a line */
    bool (*needs)(int outputs, int point);
    size_t rows, columns; /* of an image, without low and narrow tiles */
    size_t first[5];      /* of each kind, and the end */
    int low, narrow;      /* rows and columns of pixels */
};

static struct order order_of(const struct conv_geometry *g, size_t images)
{
    struct order o = {.input = (size_t)input_of(g),
                      .needs = g->stride_y == 2 ? winograd_stride2_needs : winograd_needs,
                      .rows = conv_ceil_div((size_t)g->out_h, TILE),
                      .columns = conv_ceil_div((size_t)g->out_w, TILE),
                      .low = g->out_h % TILE,
                      .narrow = g->out_w % TILE};
    size_t low = o.low == 1 || o.low == 2, narrow = o.narrow == 1 || o.narrow == 2;
    o.rows -= low;
    o.columns -= narrow;
    o.first[1] = images * o.rows * narrow;
    o.first[2] = o.first[1] + images * o.rows * o.columns;
    o.first[3] = o.first[2] + images * low * o.columns;
    o.first[4] = o.first[3] + images * low * narrow;
    return o;
}

/* The tiles that need this matrix: [*begin, end). */
static size_t order_run(const struct order *o, size_t xi, size_t *begin)
{
    bool low = o->needs(o->low ? o->low : TILE, (int)(xi / o->input));
    bool narrow = o->needs(o->narrow ? o->narrow : TILE, (int)(xi % o->input));
    *begin = o->first[narrow ? 0 : 1];
    return o->first[!low ? 2 : narrow ? 4 : 3];
}

/* The tiles [first, first + count) on their way through V and W. */
struct block {
    size_t first, count;
    size_t since; /* dU has the sums of the tiles from here on to `first` */
    bool is_last; /* that dU will have */
    float *v, *w;
};

struct job {
    const struct conv_weights_run *run;
    void (*transform_input)(const struct winograd_input *w);
    const struct winograd_gradient *gradient;
    struct layout layout;
    struct order order;
    struct block block; /* of all threads; not by chunks */
    size_t items;       /* in which its tiles are transformed */
    const float *zeros;
    float *u, *sums;          /* the first thread's; by points there is but one dU */
    float *threads, *partial; /* by chunks: V, W and dU of each thread, sums of each chunk */
};

/* ---- the transforms of a block ---- */

static struct winograd_place place_of(const struct job *job, size_t tile)
{
    const struct order *o = &job->order;
    size_t kind = 0;
    while (tile >= o->first[kind + 1]) {
        kind++;
    }
    bool is_low = kind > 1, is_narrow = kind % 3 == 0;
    size_t rows = is_low ? 1 : o->rows, columns = is_narrow ? 1 : o->columns;
    size_t at = tile - o->first[kind], in_image = at % (rows * columns);
    size_t y = is_low ? o->rows : in_image / columns;
    size_t x = is_narrow ? o->columns : in_image % columns;
    struct winograd_place place = {
        .n = (int)(at / (rows * columns)), .y = (int)y * TILE, .x = (int)x * TILE};
    winograd_clip(job->run->g, &place);
    return place;
}

/* A tile's pixels; zeros outside the image. */
struct pixels {
    struct winograd_place at;
    const float *dz[TILE * TILE], *x[MAX_POINTS];
};

static void find_pixels(const struct job *job, size_t tile, struct pixels *p)
{
    const struct conv_geometry *g = job->run->g;
    p->at = place_of(job, tile);
    winograd_square(job->run->dz, p->at.n, p->at.y, p->at.x, TILE, job->zeros, p->dz);
    winograd_square(job->run->x, p->at.n, p->at.y * g->stride_y - g->pad_y,
                    p->at.x * g->stride_x - g->pad_x, input_of(g), job->zeros, p->x);
}

/* What a panel and a strip of a tile read; the left neighbour reads the first columns of x. Asked for panel by panel and
 * strip by strip, between the transforms of the tile before: all of a tile at once fills the queue of misses. */
static void prefetch_panel(const struct pixels *p, size_t offset, size_t filters)
{
    for (size_t i = 0; i < TILE * TILE; i++) {
        conv_prefetch_read(p->dz[i] + offset, filters);
    }
}

static void prefetch_strip(const struct conv_geometry *g, const struct pixels *p, size_t offset)
{
    int input = input_of(g), step = winograd_step(g);
    for (int y = 0; y < input; y++) {
        for (int x = input - step; x < input; x++) {
            conv_prefetch_read(p->x[y * input + x] + offset, STRIP);
        }
    }
}

/* To row `row` of all matrices of V and W. */
static void transform(const struct job *job, const struct block *block, size_t row,
                      const struct pixels *p, const struct pixels *next)
{
    const struct layout *l = &job->layout;
    for (size_t panel = 0; panel < l->panels; panel++) {
        struct winograd_output_gradient w = {.dz = p->dz,
                                             .rows = p->at.rows,
                                             .columns = p->at.columns,
                                             .offset = panel * l->nr,
                                             .filters = conv_range_size(l->filters, l->nr, panel),
                                             .w = block->w + panel * l->w_panel + row * l->nr,
                                             .xi_stride = l->w_xi};
        prefetch_panel(next, w.offset, w.filters);
        job->gradient->output(&w);
    }
    for (size_t strip = 0; strip < l->strips; strip++) {
        struct winograd_input v = {.in = p->x,
                                   .rows = p->at.rows,
                                   .columns = p->at.columns,
                                   .offset = strip * STRIP,
                                   .channels = conv_range_size(l->channels, STRIP, strip),
                                   .v = block->v + strip * l->v_strip + row * STRIP,
                                   .xi_stride = l->v_xi};
        prefetch_strip(job->run->g, next, v.offset);
        job->transform_input(&v);
    }
}

static void transform_rows(const struct job *job, const struct block *block, size_t row, size_t end)
{
    struct pixels pixels[2];
    if (row < end) {
        find_pixels(job, block->first + row, &pixels[row % 2]);
    }
    for (; row < end; row++) {
        size_t next = row + 1 < end ? row + 1 : row;
        find_pixels(job, block->first + next, &pixels[next % 2]);
        transform(job, block, row, &pixels[row % 2], &pixels[next % 2]);
    }
}

static void transform_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    size_t count = job->block.count;
    transform_rows(job, &job->block, conv_cut(count, job->items, item),
                   conv_cut(count, job->items, item + 1));
}

/* ---- the products ---- */

/* Of the strips and panels. */
struct range {
    size_t first_strip, strips, first_panel, panels;
};

/* Tiles of a matrix that are summed at once, and those after them. */
struct run {
    const float *v, *w; /* the range's first strip and panel of them */
    size_t tiles;
    const float *next_v, *next_w;
};

/* Register tiles that a panel takes. */
static size_t register_tiles(const struct layout *l, const struct range *range, size_t rows)
{
    size_t count = 0;
    for (size_t strip = 0; strip < range->strips; strip++) {
        size_t channels = conv_range_size(l->channels, STRIP, range->first_strip + strip);
        count += conv_ceil_div(channels, rows);
    }
    return count;
}

/* The sums of a run. V and W come from L3: each register tile asks for a part of the strip and of the panel that follow. */
static void multiply_run(const struct job *job, const struct range *range, const struct run *run,
                         float *u, bool accumulate)
{
    const struct layout *l = &job->layout;
    struct conv_outer o = {.pixels = run->tiles, .accumulate = accumulate};
    for (size_t panel = 0; panel < range->panels; panel++) {
        bool is_last = panel + 1 == range->panels;
        o.panel = run->w + panel * l->w_panel;
        const float *next_panel = is_last ? run->next_w : o.panel + l->w_panel;
        size_t filters = conv_range_size(l->filters, l->nr, range->first_panel + panel);
        size_t tile_rows = conv_outer_rows(job->run->slots, filters);
        size_t tiles = register_tiles(l, range, tile_rows), tile = 0;
        o.filters = (int)filters;
        for (size_t strip = 0; strip < range->strips; strip++) {
            size_t channels = conv_range_size(l->channels, STRIP, range->first_strip + strip);
            size_t parts = conv_ceil_div(channels, tile_rows);
            float *sums = u + panel * l->u_panel + strip * STRIP * l->nr;
            o.strip = run->v + strip * l->v_strip;
            const float *next_strip = strip + 1 < range->strips ? o.strip + l->v_strip
                                      : is_last                 ? run->next_v
                                                                : run->v;
            for (size_t i = 0; i < parts; i++, tile++) {
                o.offset = conv_cut(channels, parts, i);
                o.rows = (int)(conv_cut(channels, parts, i + 1) - o.offset);
                o.sum = sums + o.offset * l->nr;
                o.ahead[0] = next_strip + conv_cut(run->tiles, parts, i) * STRIP;
                o.ahead_step[0] = conv_ceil_div(STRIP, parts);
                o.ahead[1] = next_panel + conv_cut(run->tiles, tiles, tile) * l->nr;
                o.ahead_step[1] = conv_ceil_div(l->nr, tiles);
                job->run->slots->outer(&o);
            }
        }
    }
}

/* V[xi]^T W[xi] of a range over the tiles of the block that need this matrix to u, or onto it. Had any tile before sums in u, or has one
 * now? */
static bool multiply_point(const struct job *job, const struct block *block,
                           const struct range *range, size_t xi, float *u, bool accumulate)
{
    const struct layout *l = &job->layout;
    size_t begin, end = order_run(&job->order, xi, &begin);
    size_t first = most(begin, block->first) - block->first;
    size_t after = most(least(end, block->first + block->count), block->first) - block->first;
    if (first >= after) {
        return accumulate;
    }
    const float *v = block->v + xi * l->v_xi + range->first_strip * l->v_strip;
    const float *w = block->w + xi * l->w_xi + range->first_panel * l->w_panel;
    size_t runs = conv_ceil_div(after - first, least(RUN_TILES, RUN_FLOATS / l->nr));
    for (size_t i = 0; i < runs; i++) {
        size_t at = first + conv_cut(after - first, runs, i);
        size_t then = first + conv_cut(after - first, runs, i + 1);
        struct run run = {.v = v + at * STRIP,
                          .w = w + at * l->nr,
                          .tiles = then - at,
                          .next_v = v + then * STRIP,
                          .next_w = w + then * l->nr};
        if (i + 1 == runs) { /* the next matrix */
            run.next_v = v + l->v_xi + first * STRIP;
            run.next_w = w + l->w_xi + first * l->nr;
        }
        multiply_run(job, range, &run, u, accumulate || i > 0);
    }
    return true;
}

/* dU of a point, of a range over the tiles of the block; u is the place of its first sum. It is added to that of earlier blocks. */
static void multiply(const struct job *job, const struct block *block, const struct range *range,
                     size_t point, float *u)
{
    const struct layout *l = &job->layout;
    size_t row = point / U_LINE, column = point % U_LINE;
    size_t row_end = winograd_lines_end(l->input, row);
    size_t column_end = winograd_lines_end(l->input, column);
    bool accumulate = false;
    for (size_t i = row; i < row_end; i++) {
        for (size_t j = column; j < column_end; j++) {
            size_t begin, end = order_run(&job->order, i * l->input + j, &begin);
            accumulate |= most(begin, block->since) < least(end, block->first);
        }
    }
    for (size_t i = row; i < row_end; i++) {
        for (size_t j = column; j < column_end; j++) {
            accumulate = multiply_point(job, block, range, i * l->input + j, u, accumulate);
        }
    }
    for (size_t i = 0; !accumulate && block->is_last && i < range->panels; i++) {
        memset(u + i * l->u_panel, 0, range->strips * STRIP * l->nr * sizeof *u);
    }
}

/* G^T dU G of a range of strips of one panel. */
static void untransform(const struct job *job, size_t range, const float *u, float *sums)
{
    const struct layout *l = &job->layout;
    size_t channels = conv_range_size(l->channels, l->range_strips * STRIP, range);
    struct winograd_filter_gradient f = {.u = u,
                                         .xi_stride = l->u_xi,
                                         .channels = channels,
                                         .nr = l->nr,
                                         .sums = sums,
                                         .tap_stride = channels * l->nr};
    job->gradient->filter(&f);
}

/* Into the caller's gradient. */
static void deliver(const struct job *job, size_t range, size_t panel, const float *sums)
{
    const struct layout *l = &job->layout;
    struct conv_weights_panel done = {
        .sums = sums,
        .nr = l->nr,
        .first_filter = panel * l->nr,
        .filters = conv_range_size(l->filters, l->nr, panel),
        .first_channel = range * l->range_strips * STRIP,
        .channels = conv_range_size(l->channels, l->range_strips * STRIP, range)};
    conv_weights_scatter(job->run->slots, job->run->g, &done, job->run->dw);
}

static void finish(const struct job *job, size_t range, size_t panel, const float *u, float *sums)
{
    untransform(job, range, u, sums);
    deliver(job, range, panel, sums);
}

/* Where dU of a range of strips of a panel lies, where dU is of all. */
static size_t u_of(const struct layout *l, size_t range, size_t panel)
{
    return panel * l->u_panel + range * l->range_strips * STRIP * l->nr;
}

static void points_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t xi = item / l->panel_ranges, panels = item % l->panel_ranges;
    struct range range = {.strips = l->strips,
                          .first_panel = panels * l->range_panels,
                          .panels = conv_range_size(l->panels, l->range_panels, panels)};
    multiply(job, &job->block, &range, xi, job->u + xi * l->u_xi + range.first_panel * l->u_panel);
}

static void points_finish(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t panel = item / l->strip_ranges, range = item % l->strip_ranges;
    finish(job, range, panel, job->u + u_of(l, range, panel),
           job->sums + (size_t)thread * l->thread_sums);
}

static void ranges_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t strips = item % l->strip_ranges, panels = item / l->strip_ranges;
    struct range range = {.first_strip = strips * l->range_strips,
                          .strips = conv_range_size(l->strips, l->range_strips, strips),
                          .first_panel = panels * l->range_panels,
                          .panels = conv_range_size(l->panels, l->range_panels, panels)};
    float *u = job->u + (size_t)thread * l->u;
    for (size_t xi = 0; xi < POINTS; xi++) {
        multiply(job, &job->block, &range, xi, u + xi * l->u_xi);
    }
    for (size_t panel = 0; panel < range.panels; panel++) {
        finish(job, strips, range.first_panel + panel, u + panel * l->u_panel,
               job->sums + (size_t)thread * l->thread_sums);
    }
}

/* A chunk of tiles, block by block, to sums of its own. */
static void chunk_item(void *ctx, size_t chunk, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    float *v = job->threads + (size_t)thread * (l->v + l->w + l->u), *u = v + l->v + l->w;
    float *partial = job->partial + chunk * l->partial;
    size_t begin = conv_cut(l->tiles, l->chunks, chunk);
    size_t count = conv_cut(l->tiles, l->chunks, chunk + 1) - begin;
    struct range all = {.strips = l->strips, .panels = l->panels};
    size_t blocks = conv_ceil_div(count, l->block_tiles);
    for (size_t i = 0; i < blocks; i++) {
        struct block block = {.first = begin + conv_cut(count, blocks, i),
                              .since = begin,
                              .is_last = i + 1 == blocks,
                              .v = v,
                              .w = v + l->v};
        block.count = begin + conv_cut(count, blocks, i + 1) - block.first;
        transform_rows(job, &block, 0, block.count);
        for (size_t xi = 0; xi < POINTS; xi++) {
            multiply(job, &block, &all, xi, u + xi * l->u_xi);
        }
    }
    for (size_t panel = 0; panel < l->panels; panel++) {
        for (size_t range = 0; range < l->strip_ranges; range++, partial += l->sums) {
            untransform(job, range, u + u_of(l, range, panel), partial);
        }
    }
}

static void chunks_finish(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    float *sums = job->partial + item * l->sums;
    conv_weights_reduce(sums, l->chunks, l->partial, l->sums);
    deliver(job, item % l->strip_ranges, item / l->strip_ranges, sums);
}

static void run_chunks(struct job *job, float *memory)
{
    const struct layout *l = &job->layout;
    job->threads = memory;
    job->partial = memory + (size_t)parallel_threads() * (l->v + l->w + l->u);
    parallel_for(l->chunks, chunk_item, job);
    parallel_for(l->panels * l->strip_ranges, chunks_finish, job);
}

static void run_blocks(struct job *job, float *memory)
{
    const struct layout *l = &job->layout;
    job->block.v = memory;
    job->block.w = memory + l->v;
    job->u = job->block.w + l->w;
    job->sums = job->u + (l->by_points ? 1 : (size_t)parallel_threads()) * l->u;
    for (size_t block = 0; block < l->blocks; block++) {
        size_t first = conv_cut(l->tiles, l->blocks, block);
        job->block.first = first;
        job->block.since = l->by_points ? 0 : first;
        job->block.is_last = !l->by_points || block + 1 == l->blocks;
        job->block.count = conv_cut(l->tiles, l->blocks, block + 1) - first;
        job->items = conv_even_items(conv_ceil_div(job->block.count, ITEM_TILES), job->block.count);
        parallel_for(job->items, transform_item, job);
        if (l->by_points) {
            parallel_for(POINTS * l->panel_ranges, points_item, job);
        } else {
            parallel_for(l->strip_ranges * l->panel_ranges, ranges_item, job);
        }
    }
    if (l->by_points) {
        parallel_for(l->panels * l->strip_ranges, points_finish, job);
    }
}

void winograd_backward_weights(const struct conv_weights_run *run)
{
    bool is_stride2 = run->g->stride_y == 2;
    const struct conv_slots *slots = run->slots;
    struct job job = {
        .run = run,
        .transform_input = is_stride2 ? slots->winograd_stride2.input : slots->winograd.input,
        .gradient = is_stride2 ? &slots->winograd_stride2_gradient : &slots->winograd_gradient,
        .layout = layout_of(run->slots, run->g, run->dz->n),
        .order = order_of(run->g, (size_t)run->dz->n),
        .zeros = run->scratch};
    memset(run->scratch, 0, job.layout.zeros * sizeof(float));
    float *memory = (float *)run->scratch + job.layout.zeros;
    if (job.layout.chunks > 0) {
        run_chunks(&job, memory);
    } else {
        run_blocks(&job, memory);
    }
}
