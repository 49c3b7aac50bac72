/* The weights' gradient by Winograd's transforms: the transpose of winograd.c's algorithm.
 *
 * There an output tile is A^T [(G g G^T) . (B^T d B)] A. So with V = B^T d B of the input tile and
 * W = A dY A^T of the 4x4 tile of dz, dU[xi] = sum over the tiles of V[xi]^T W[xi] are 36 matrix
 * products on the outer-product tile, and the gradient is G^T dU G: 36 multiplications for a tile's
 * 144.
 *
 * Fused, where dU fits a thread's L2: a thread takes a chunk of tiles through both transforms and
 * adds to its dU; chunks are summed after G^T dU G, in their order.
 *
 * Streamed otherwise: V and W of a block of tiles are made by all threads; then a thread takes a
 * range of channels by a range of filters, whose dU is complete in its L2. */
#include "kernels/wgrad.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    POINTS = 36,
    TAPS = 9,
    TILE = 4,    /* output pixels of a tile's side */
    XI_PAD = 16, /* floats between the 36 matrices: keeps their rows out of one cache set */
    FUSED_MAX_U_FLOATS = 150 * 1024,
    FUSED_VW_FLOATS = 100 * 1024,
    FUSED_MAX_TILES = 48,
    FUSED_MIN_TILES = 8,
    STREAMED_VW_FLOATS = 4 << 20,
    STREAMED_MIN_TILES = 64,
    STREAMED_ITEM = 4,  /* tiles transformed by a thread in a row */
    STREAMED_SIDE = 64, /* channels and filters of an item */
    RUN_TILES = 256,    /* summed at once: a panel of W stays in L1, and rounding small */
    ITEMS_WANTED = 16,
};

/* Sizes by geometry and batch alone; distances in floats. */
struct layout {
    bool fused;
    size_t image_tiles, tiles;
    size_t nr, mr, panels, channels, filters;
    size_t slice, slices; /* channels of an item */
    size_t range_panels, panel_ranges;
    size_t block_tiles, chunks;
    size_t v_row, v_xi, v_slice, w_xi, w_panel, u_xi, u_panel;
    size_t zeros, v, w, u, sums; /* floats */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void cut_fused(struct layout *l)
{
    l->slice = l->channels;
    l->range_panels = l->panels;
    size_t row = POINTS * (conv_round_up(l->channels, 16) + l->panels * l->nr);
    l->block_tiles = most(least(FUSED_VW_FLOATS / row, FUSED_MAX_TILES), FUSED_MIN_TILES);
    l->chunks = most(least(ITEMS_WANTED, l->tiles / FUSED_MIN_TILES), 1);
}

static void cut_streamed(struct layout *l)
{
    l->slice = STREAMED_SIDE;
    l->range_panels = most(STREAMED_SIDE / l->nr, 1);
    while (conv_ceil_div(l->channels, l->slice) * conv_ceil_div(l->panels, l->range_panels) <
               ITEMS_WANTED &&
           l->range_panels > 1) {
        l->range_panels /= 2;
    }
    size_t row = POINTS * (conv_round_up(l->channels, 16) + l->panels * l->nr);
    size_t fit = most(STREAMED_VW_FLOATS / row, STREAMED_MIN_TILES);
    l->chunks = conv_ceil_div(l->tiles, fit);
    l->block_tiles = least(l->tiles, fit);
}

static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g,
                               int batch)
{
    struct layout l = {.nr = (size_t)slots->nr,
                       .mr = (size_t)slots->mr,
                       .channels = (size_t)g->in_c,
                       .filters = (size_t)g->filters};
    l.panels = conv_ceil_div(l.filters, l.nr);
    l.image_tiles = conv_ceil_div((size_t)g->out_h, TILE) * conv_ceil_div((size_t)g->out_w, TILE);
    l.tiles = most(l.image_tiles * (size_t)batch, 1);
    l.fused = POINTS * l.channels * l.panels * l.nr <= FUSED_MAX_U_FLOATS;
    if (l.fused) {
        cut_fused(&l);
    } else {
        cut_streamed(&l);
    }
    l.slices = conv_ceil_div(l.channels, l.slice);
    l.panel_ranges = conv_ceil_div(l.panels, l.range_panels);
    l.v_row = conv_round_up(l.slice, 16);
    l.v_xi = l.block_tiles * l.v_row + XI_PAD;
    l.v_slice = POINTS * l.v_xi;
    l.w_xi = l.block_tiles * l.nr + XI_PAD;
    l.w_panel = POINTS * l.w_xi;
    l.u_xi = l.slice * l.nr + XI_PAD;
    l.u_panel = POINTS * l.u_xi;
    l.zeros = conv_round_up(most(l.channels, l.filters), 16);
    l.v = l.slices * l.v_slice;
    l.w = conv_round_up(l.panels * l.w_panel, 16);
    l.u = conv_round_up(l.range_panels * l.u_panel, 16);
    l.sums = conv_round_up(l.range_panels * TAPS * l.slice * l.nr, 16);
    return l;
}

/* Zeros; V and W, one copy or one a thread; dU a thread; sums a chunk (fused) or a thread. */
size_t winograd_weights_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                                      int batch)
{
    struct layout l = layout_of(slots, g, batch);
    size_t threads = (size_t)parallel_threads();
    size_t floats = l.zeros + (l.fused ? threads : 1) * (l.v + l.w) + threads * l.u +
                    (l.fused ? l.chunks : threads) * l.sums;
    return floats * sizeof(float);
}

struct job {
    const struct wgrad_run *run;
    struct layout layout;
    size_t first_tile; /* streamed: of the block on its way */
    size_t count;
    const float *zeros;
    float *v, *w, *u, *sums; /* the first thread's */
};

/* Pointers to a side x side square of pixels; zeros outside the image. */
static void square(const struct job *job, const struct tensor *t, const int at[3], int side,
                   const float **pixels)
{
    for (int r = 0; r < side; r++) {
        int y = at[1] + r;
        bool row_inside = y >= 0 && y < t->h;
        for (int s = 0; s < side; s++) {
            int x = at[2] + s;
            pixels[r * side + s] =
                row_inside && x >= 0 && x < t->w ? tensor_at(t, at[0], y, x) : job->zeros;
        }
    }
}

/* Image and first output pixel of a tile of the batch. */
static void tile_place(const struct job *job, size_t tile, int at[3])
{
    const struct layout *l = &job->layout;
    size_t in_row = conv_ceil_div((size_t)job->run->g->out_w, TILE);
    size_t in_image = tile % l->image_tiles;
    at[0] = (int)(tile / l->image_tiles);
    at[1] = (int)(in_image / in_row) * TILE;
    at[2] = (int)(in_image % in_row) * TILE;
}

static void prefetch_row(const struct tensor *t, int n, int y, int x)
{
    int end = x + TILE < t->w ? x + TILE : t->w;
    if (y < 0 || y >= t->h) {
        return;
    }
    for (x = x < 0 ? 0 : x; x < end; x++) {
        conv_prefetch_read(tensor_at(t, n, y, x), (size_t)t->c);
    }
}

/* Row r < 6 of what a tile reads, without the two columns that its left neighbour reads. */
static void prefetch_tile_row(const struct job *job, size_t tile, int r)
{
    const struct conv_geometry *g = job->run->g;
    int at[3];
    tile_place(job, tile, at);
    prefetch_row(job->run->x, at[0], at[1] - g->pad_y + r, at[2] - g->pad_x + 2);
    if (r < TILE) {
        prefetch_row(job->run->dz, at[0], at[1] + r, at[2]);
    }
}

/* Tile `tile` of the batch to row `row` of all matrices of V and W. */
static void transform(const struct job *job, size_t tile, size_t row, float *v, float *w)
{
    const struct conv_geometry *g = job->run->g;
    const struct conv_slots *slots = job->run->slots;
    const struct layout *l = &job->layout;
    const float *pixels[POINTS];
    int at[3];
    tile_place(job, tile, at);
    square(job, job->run->dz, at, TILE, pixels);
    for (size_t panel = 0; panel < l->panels; panel++) {
        struct winograd_output_gradient o = {.dz = pixels,
                                             .offset = panel * l->nr,
                                             .filters = least(l->filters - panel * l->nr, l->nr),
                                             .w = w + panel * l->w_panel + row * l->nr,
                                             .xi_stride = l->w_xi};
        slots->winograd_output_gradient(&o);
    }
    at[1] -= g->pad_y;
    at[2] -= g->pad_x;
    square(job, job->run->x, at, 6, pixels);
    for (size_t slice = 0; slice < l->slices; slice++) {
        struct winograd_input i = {.in = pixels,
                                   .offset = slice * l->slice,
                                   .channels = least(l->channels - slice * l->slice, l->slice),
                                   .v = v + slice * l->v_slice + row * l->v_row,
                                   .xi_stride = l->v_xi};
        slots->winograd_input(&i);
    }
}

/* dU (+)= V^T W of `tiles` rows for one panel. */
struct product {
    const float *v, *w; /* of the slice and the panel */
    float *u;
    size_t tiles, channels, filters;
    bool accumulate;
    bool v_is_far; /* the first product with this V */
    /* Brought closer meanwhile: rows of tiles to be transformed next; the place of the result. */
    size_t next_row, next_rows;
    const float *dw;
    size_t dw_row, dw_distance;
};

static void prefetch_part(const float *p, size_t floats, size_t parts, size_t part)
{
    size_t first = conv_cut(floats, parts, part);
    conv_prefetch_read(p + first, conv_cut(floats, parts, part + 1) - first);
}

/* One of the 36 products over rows [first, first + tiles). */
static void multiply_run(const struct job *job, const struct product *p, size_t xi, size_t first,
                         size_t tiles)
{
    const struct layout *l = &job->layout;
    const float *rows[RUN_TILES];
    for (size_t i = 0; i < tiles; i++) {
        rows[i] = p->v + xi * l->v_xi + (first + i) * l->v_row;
    }
    struct conv_outer o = {.in = rows,
                           .panel = p->w + xi * l->w_xi + first * l->nr,
                           .pixels = tiles,
                           .filters = (int)p->filters,
                           .accumulate = p->accumulate || first > 0};
    size_t parts = conv_ceil_div(p->channels, l->mr);
    bool ahead = !job->layout.fused && xi + 1 < POINTS;
    for (size_t i = 0; i < parts; i++) {
        size_t c = conv_cut(p->channels, parts, i);
        o.offset = c;
        o.rows = (int)(conv_cut(p->channels, parts, i + 1) - c);
        o.sum = p->u + xi * l->u_xi + c * l->nr;
        if (ahead) {
            prefetch_part(rows[0] + l->v_xi, p->v_is_far ? tiles * l->v_row : 0, parts, i);
            prefetch_part(o.panel + l->w_xi, tiles * l->nr, parts, i);
        }
        job->run->slots->outer(&o);
    }
}

static void prefetch_step(const struct job *job, const struct product *p, size_t xi)
{
    for (size_t i = conv_cut(p->next_rows, POINTS, xi); i < conv_cut(p->next_rows, POINTS, xi + 1);
         i++) {
        prefetch_tile_row(job, (p->next_row + i) / 6, (int)((p->next_row + i) % 6));
    }
    if (p->dw && xi < p->filters) {
        conv_prefetch_read(p->dw + xi * p->dw_distance, p->dw_row);
    }
}

static void multiply(const struct job *job, const struct product *p)
{
    size_t runs = conv_ceil_div(p->tiles, RUN_TILES);
    for (size_t xi = 0; xi < POINTS; xi++) {
        prefetch_step(job, p, xi);
        for (size_t run = 0; run < runs; run++) {
            size_t first = conv_cut(p->tiles, runs, run);
            multiply_run(job, p, xi, first, conv_cut(p->tiles, runs, run + 1) - first);
        }
    }
}

static void to_filters(const struct job *job, size_t channels, const float *u, float *sums)
{
    const struct layout *l = &job->layout;
    struct winograd_filter_gradient f = {.u = u,
                                         .xi_stride = l->u_xi,
                                         .channels = channels,
                                         .nr = l->nr,
                                         .sums = sums,
                                         .tap_stride = channels * l->nr};
    job->run->slots->winograd_filter_gradient(&f);
}

static size_t panel_filters(const struct layout *l, size_t panel)
{
    return least(l->filters - panel * l->nr, l->nr);
}

static void fused_item(void *ctx, size_t chunk, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    float *v = job->v + (size_t)thread * l->v, *w = job->w + (size_t)thread * l->w;
    float *u = job->u + (size_t)thread * l->u;
    size_t begin = conv_cut(l->tiles, l->chunks, chunk);
    size_t count = conv_cut(l->tiles, l->chunks, chunk + 1) - begin;
    size_t blocks = conv_ceil_div(count, l->block_tiles);
    for (size_t b = 0; b < blocks; b++) {
        size_t first = conv_cut(count, blocks, b);
        size_t tiles = conv_cut(count, blocks, b + 1) - first;
        size_t next = b + 1 < blocks ? 6 * (conv_cut(count, blocks, b + 2) - first - tiles) : 0;
        for (size_t i = 0; i < tiles; i++) {
            transform(job, begin + first + i, i, v, w);
        }
        for (size_t panel = 0; panel < l->panels; panel++) {
            struct product p = {.v = v,
                                .w = w + panel * l->w_panel,
                                .u = u + panel * l->u_panel,
                                .tiles = tiles,
                                .channels = l->channels,
                                .filters = panel_filters(l, panel),
                                .accumulate = b > 0};
            size_t part = conv_cut(next, l->panels, panel);
            p.next_row = 6 * (begin + first + tiles) + part;
            p.next_rows = conv_cut(next, l->panels, panel + 1) - part;
            multiply(job, &p);
        }
    }
    for (size_t panel = 0; panel < l->panels; panel++) {
        to_filters(job, l->channels, u + panel * l->u_panel,
                   job->sums + chunk * l->sums + panel * TAPS * l->channels * l->nr);
    }
}

static void fused_reduce(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t floats = TAPS * l->channels * l->nr;
    float *sums = job->sums + panel * floats;
    struct wgrad_panel p = {.sums = sums,
                            .nr = l->nr,
                            .first_filter = panel * l->nr,
                            .filters = panel_filters(l, panel),
                            .channels = l->channels};
    wgrad_reduce(sums, l->chunks, l->sums, floats);
    wgrad_scatter(job->run->g, &p, job->run->dw);
}

static void streamed_tiles(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    size_t end = least(job->count, (item + 1) * STREAMED_ITEM);
    for (size_t tile = item * STREAMED_ITEM; tile < end; tile++) {
        for (int r = 0; r < 6 && tile + 1 < end; r++) {
            prefetch_tile_row(job, job->first_tile + tile + 1, r);
        }
        transform(job, job->first_tile + tile, tile, job->v, job->w);
    }
}

static void streamed_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t slice = item % l->slices, first_panel = item / l->slices * l->range_panels;
    size_t channels = least(l->channels - slice * l->slice, l->slice);
    size_t panels = least(l->panels - first_panel, l->range_panels);
    float *u = job->u + (size_t)thread * l->u, *sums = job->sums + (size_t)thread * l->sums;
    for (size_t i = 0; i < panels; i++) {
        size_t panel = first_panel + i;
        struct product p = {.v = job->v + slice * l->v_slice,
                            .w = job->w + panel * l->w_panel,
                            .u = u,
                            .tiles = job->count,
                            .channels = channels,
                            .filters = panel_filters(l, panel),
                            .v_is_far = i == 0,
                            .dw_row = channels * TAPS,
                            .dw_distance = l->channels * TAPS};
        p.dw = job->run->dw + panel * l->nr * p.dw_distance + slice * l->slice * TAPS;
        multiply(job, &p);
        to_filters(job, channels, u, sums);
        struct wgrad_panel done = {.sums = sums,
                                   .nr = l->nr,
                                   .first_filter = panel * l->nr,
                                   .filters = p.filters,
                                   .first_channel = slice * l->slice,
                                   .channels = channels};
        wgrad_scatter(job->run->g, &done, job->run->dw);
    }
}

void winograd_backward_weights(const struct wgrad_run *run)
{
    struct job job = {
        .run = run, .layout = layout_of(run->slots, run->g, run->dz->n), .zeros = run->scratch};
    const struct layout *l = &job.layout;
    size_t threads = (size_t)parallel_threads(), copies = l->fused ? threads : 1;
    if (run->dz->n == 0) {
        return;
    }
    memset(run->scratch, 0, l->zeros * sizeof(float));
    job.v = (float *)run->scratch + l->zeros;
    job.w = job.v + copies * l->v;
    job.u = job.w + copies * l->w;
    job.sums = job.u + threads * l->u;
    if (l->fused) {
        parallel_for(l->chunks, fused_item, &job);
        parallel_for(l->panels, fused_reduce, &job);
        return;
    }
    for (size_t chunk = 0; chunk < l->chunks; chunk++) {
        job.first_tile = conv_cut(l->tiles, l->chunks, chunk);
        job.count = conv_cut(l->tiles, l->chunks, chunk + 1) - job.first_tile;
        parallel_for(conv_ceil_div(job.count, STREAMED_ITEM), streamed_tiles, &job);
        parallel_for(l->slices * l->panel_ranges, streamed_item, &job);
    }
}
