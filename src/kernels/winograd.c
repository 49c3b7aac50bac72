/* Winograd convolution F(4x4, 3x3): Lavin & Gray 2015, arXiv:1509.09308; and the gradient of its weights.
 *
 * Forward. An output tile of 4x4 pixels costs 36 multiplications a channel instead of 144. Every 6x6 input
 * tile becomes 36 rows V[xi][tile][c] (B^T d B), the weights 36 matrices U[xi][c][k] (G g G^T),
 * M[xi] = V[xi] U[xi] are 36 matrix products on the register tile, and A^T M A is the output tile.
 * The matrices stand in winograd_slots.c. Two ways through memory:
 *
 *   fused      for large images with few channels. U is made when packing and small enough to stay in
 *              cache. A thread takes a chunk of tiles through all steps; its V and one panel of M stay in L2.
 *   streamed   for small images with many channels. U would be four times the weights, and reading it
 *              would take longer than making it: so the packed weights stay 3x3. All threads share V. A thread takes
 *              a group of panels and some rows of the 36 matrices at a time: a slice of V of those and M of the
 *              group stay in its L2, and one row of U, which it makes from the weights, in its L1.
 *
 * A tile at the image's edge with one or two rows or columns of pixels needs only some of the points (winograd_needs):
 * its transforms differ, U does not. A 13x13 image so takes 21 x 21 products a channel instead of 24 x 24.
 *
 * The weights' gradient is the transpose of that: with V as above and W = A dY A^T of the 4x4 tile of dz,
 * dU[xi] = sum over the tiles of V[xi]^T W[xi] are 36 matrix products on the outer-product tile, and the
 * gradient is G^T dU G. Again
 *
 *   fused      where dU fits a thread's L2: a thread takes a chunk of tiles through both transforms and
 *              adds to its dU; chunks are summed after G^T dU G, in their order.
 *   streamed   otherwise: all threads make V and W of a block of tiles; then a thread takes a range of
 *              channels by a range of filters, whose dU is complete in its L2. */
#include "kernels/winograd_tiles.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    POINTS = WINOGRAD_POINTS,
    TAPS = WINOGRAD_TAPS,
    TILE = WINOGRAD_TILE,
    INPUT = WINOGRAD_INPUT,
    XI_PAD = 16, /* floats between the 36 matrices: keeps their rows out of one cache set */
    FUSED_MAX_TILES = 48, /* that a thread has in its L2 */
};

bool winograd_possible(const struct conv_geometry *g)
{
    return g->kernel_h == 3 && g->kernel_w == 3 && g->stride_y == 1 && g->stride_x == 1 &&
           g->dilation == 1 && g->groups == 1;
}

bool winograd_pays(const struct conv_geometry *g)
{
    return winograd_possible(g) && g->in_c >= 16 && g->filters >= 16 && winograd_tiles(g) >= 9;
}

bool winograd_wins(const struct conv_slots *slots, const struct conv_geometry *g)
{
    return !slots->is_direct && winograd_pays(g);
}

/* Pointers to a side x side square of pixels from (y, x) on; zeros outside the image. */
static void square(const struct tensor *t, int n, int y, int x, int side, const float *zeros,
                   const float **pixels)
{
    for (int r = 0; r < side; r++) {
        bool row_inside = y + r >= 0 && y + r < t->h;
        for (int s = 0; s < side; s++) {
            pixels[r * side + s] =
                row_inside && x + s >= 0 && x + s < t->w ? tensor_at(t, n, y + r, x + s) : zeros;
        }
    }
}

/* ---- forward ---- */

enum {
    MAX_TILES = 64, /* of a block */
    FUSED_MAX_U_BYTES = 5 << 20,
    FUSED_V_FLOATS = POINTS * 24 * 128,
    STREAMED_MAX_TILES = MAX_TILES,
    STREAMED_MAX_CHANNELS = 64,
    STREAMED_U_FLOATS = 6 << 10,   /* of one row of points: stays in L1 */
    STREAMED_L2_FLOATS = 90 << 10, /* of V and M, of the 128 of half a megabyte */
    STREAMED_MAX_PANELS = 8,
};

/* Tiles that go through the steps together. Those with one or two columns (narrow) or rows (low) of pixels do not need
 * all points, so their order is: narrow, whole, low, low and narrow. Then the tiles of each matrix are a run. */
struct block {
    size_t first[5]; /* of each kind, and the end */
    int low, narrow; /* rows and columns of those */
    struct winograd_place places[MAX_TILES];
};

static size_t kind_of(const struct winograd_place *place)
{
    bool is_low = place->rows <= 2, is_narrow = place->columns <= 2;
    return is_low ? (is_narrow ? 3 : 2) : is_narrow ? 0 : 1;
}

static void block_fill(struct block *b, const struct conv_geometry *g, size_t first, size_t count)
{
    size_t filled = 0;
    b->low = g->out_h % TILE;
    b->narrow = g->out_w % TILE;
    for (size_t kind = 0; kind < 4; kind++) {
        b->first[kind] = filled;
        for (size_t i = 0; i < count; i++) {
            struct winograd_place place = winograd_place_of(g, first + i);
            if (kind_of(&place) == kind) {
                b->places[filled++] = place;
            }
        }
    }
    b->first[4] = filled;
}

/* The tiles that need this matrix: [*begin, end). */
static size_t block_run(const struct block *b, size_t xi, size_t *begin)
{
    bool low = winograd_needs(b->low, (int)(xi / INPUT));
    bool narrow = winograd_needs(b->narrow, (int)(xi % INPUT));
    *begin = b->first[narrow ? 0 : 1];
    return b->first[!low ? 2 : narrow ? 4 : 3];
}

/* Sizes by geometry and number of tiles; none of them changes a sum. Distances in floats: between the 36 matrices (_xi), between tiles
 * (_row), between panels; V lies in slices of `slice` channels. */
struct layout {
    bool fused;
    size_t image_tiles, chunk_tiles;
    size_t channels, panels, slice, slices;
    size_t rows,
        group_panels; /* streamed: what a thread takes at a time, of the 6 rows of points */
    size_t v_row, v_xi, v_slice, m_row, m_xi, m_panel, u_xi;
    size_t zeros_bytes, v_bytes, m_bytes, u_bytes;
};

/* As many rows of points as leave room for two panels of M, and as many panels as fit then. */
static void cut_l2(struct layout *l)
{
    l->rows = INPUT;
    while (l->rows > 1 && l->rows * INPUT * (l->v_xi + 2 * l->m_xi) > STREAMED_L2_FLOATS) {
        l->rows = l->rows == INPUT ? INPUT / 2 : l->rows - 1;
    }
    size_t v = l->rows * INPUT * l->v_xi, m = l->rows * INPUT * l->m_xi;
    size_t fit = v + m < STREAMED_L2_FLOATS ? (STREAMED_L2_FLOATS - v) / m : 1;
    l->group_panels = fit < STREAMED_MAX_PANELS ? fit : STREAMED_MAX_PANELS;
}

/* tiles: of the whole batch. What is packed does not depend on them. */
static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g,
                               size_t tiles)
{
    size_t nr = (size_t)slots->nr, mr = (size_t)slots->mr;
    struct layout l = {.image_tiles = winograd_tiles(g),
                       .channels = (size_t)g->in_c,
                       .panels = conv_ceil_div((size_t)g->filters, nr)};
    size_t whole_row = conv_round_up(l.channels, 16);
    size_t fit = FUSED_V_FLOATS / (POINTS * whole_row) / mr * mr;
    l.fused = fit >= mr && l.image_tiles > STREAMED_MAX_TILES &&
              POINTS * l.channels * l.panels * nr * sizeof(float) <= FUSED_MAX_U_BYTES;
    size_t streamed = STREAMED_U_FLOATS / (INPUT * nr) / 16 * 16;
    streamed = streamed < STREAMED_MAX_CHANNELS ? streamed : STREAMED_MAX_CHANNELS;
    l.slice = l.fused ? l.channels : streamed;
    l.slices = conv_ceil_div(l.channels, l.slice);
    l.chunk_tiles = l.fused ? (fit < FUSED_MAX_TILES ? fit : FUSED_MAX_TILES)
                            : conv_ceil_div(tiles, conv_ceil_div(tiles, STREAMED_MAX_TILES));
    l.v_row = conv_round_up(l.slice, 16);
    l.v_xi = l.chunk_tiles * l.v_row + XI_PAD;
    l.v_slice = POINTS * l.v_xi;
    l.m_row = conv_round_up(nr, 16);
    l.m_xi = l.chunk_tiles * l.m_row + XI_PAD;
    l.m_panel = POINTS * l.m_xi;
    l.u_xi = l.fused ? l.channels * nr : l.slice * nr + XI_PAD;
    cut_l2(&l);
    l.zeros_bytes = whole_row * sizeof(float);
    l.v_bytes = l.slices * l.v_slice * sizeof(float);
    l.m_bytes = (l.fused ? 1 : l.group_panels) * l.m_panel * sizeof(float);
    l.u_bytes = l.fused ? 0 : conv_round_up(INPUT * l.u_xi * sizeof(float), MEM_ALIGN);
    return l;
}

size_t winograd_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct layout l = layout_of(slots, g, 1);
    return (l.fused ? POINTS : TAPS) * l.channels * l.panels * (size_t)slots->nr;
}

size_t winograd_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t threads = (size_t)parallel_threads(), most = 0;
    for (size_t tiles = 1; tiles <= STREAMED_MAX_TILES; tiles++) {
        struct layout l = layout_of(slots, g, tiles);
        size_t bytes =
            l.zeros_bytes + (l.fused ? threads : 1) * l.v_bytes + threads * (l.m_bytes + l.u_bytes);
        most = bytes > most ? bytes : most;
    }
    return most;
}

struct pack_job {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    struct layout layout;
    const struct conv_weights *weights;
    float *packed;
};

/* One panel: [xi][c][nr] fused, [c][tap][nr] streamed. */
static void pack_panel(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    const struct layout *l = &job->layout;
    size_t nr = (size_t)job->slots->nr, first = panel * nr;
    size_t filters = conv_range_size((size_t)job->g->filters, nr, panel);
    float *packed = job->packed + panel * (l->fused ? POINTS : TAPS) * l->channels * nr;
    float gathered[TAPS * CONV_MAX_NR] = {0};
    for (size_t c = 0; c < l->channels; c++) {
        float *taps = l->fused ? gathered : packed + c * TAPS * nr;
        const struct conv_weights *w = job->weights;
        for (ptrdiff_t t = 0; t < TAPS; t++) {
            const float *tap =
                w->at + first * w->filter + c * w->channel + t / 3 * w->row + t % 3 * w->column;
            for (size_t k = 0; k < nr; k++) {
                taps[(size_t)t * nr + k] = k < filters ? tap[k * w->filter] : 0.0f;
            }
        }
        if (l->fused) {
            struct winograd_filter f = {.weights = gathered,
                                        .channels = 1,
                                        .nr = nr,
                                        .rows = INPUT,
                                        .u = packed + c * nr,
                                        .xi_stride = l->u_xi};
            job->slots->winograd_filter(&f);
        }
    }
}

void winograd_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                   const struct conv_weights *w, float *packed)
{
    struct pack_job job = {
        .slots = slots, .g = g, .layout = layout_of(slots, g, 1), .weights = w, .packed = packed};
    parallel_for(job.layout.panels, pack_panel, &job);
}

struct job {
    const struct conv_run *run;
    struct layout layout;
    size_t tiles, chunks; /* of the whole batch */
    size_t groups;        /* streamed: of panels */
    struct block block;   /* streamed: on its way */
    const float *zeros;
    float *v; /* shared (streamed) or the first thread's (fused) */
    char *threads;
};

/* v points at the tile's row of the first matrix of the first slice. */
static void transform_input(const struct job *job, const struct winograd_place *place, float *v)
{
    const struct conv_geometry *g = job->run->g;
    const struct layout *l = &job->layout;
    const float *pixels[POINTS];
    square(job->run->in, place->n, place->y - g->pad_y, place->x - g->pad_x, INPUT, job->zeros,
           pixels);
    struct winograd_input w = {
        .in = pixels, .rows = place->rows, .columns = place->columns, .xi_stride = l->v_xi};
    for (size_t c = 0; c < l->channels; c += l->slice) {
        w.offset = c;
        w.channels = conv_range_size(l->channels, l->slice, c / l->slice);
        w.v = v;
        job->run->slots->winograd_input(&w);
        v += l->v_slice;
    }
}

/* M[xi] (+)= V[xi] U[xi] for the tiles of a block over `channels` channels. */
struct product {
    const struct block *block;
    const float *v, *u; /* of the first matrix; u of `row` */
    float *m;
    size_t channels;
    int filters;
    bool accumulate;
    const float *next; /* next_count floats to bring closer meanwhile */
    size_t next_count;
};

/* The six matrices of one row of points. While a run of pixels is multiplied, what its successors read comes closer. */
static void multiply_row(const struct job *job, const struct product *p, size_t row)
{
    const struct conv_slots *slots = job->run->slots;
    const struct layout *l = &job->layout;
    size_t panel = l->fused ? p->channels * (size_t)slots->nr : 0; /* else it is in L1 */
    const float *table[CONV_MAX_MR];
    struct conv_tile t = {.in = table,
                          .taps = 1,
                          .channels = p->channels,
                          .acc_stride = l->m_row,
                          .filters = p->filters,
                          .accumulate = p->accumulate};
    for (size_t i = 0; i < INPUT; i++) {
        size_t xi = row * INPUT + i, begin, end = block_run(p->block, xi, &begin);
        size_t blocks = conv_ceil_div(end - begin, (size_t)slots->mr);
        const float *v = p->v + xi * l->v_xi;
        t.panel = p->u + i * l->u_xi;
        size_t next = conv_cut(p->next_count, INPUT, i);
        conv_prefetch_read(p->next + next, conv_cut(p->next_count, INPUT, i + 1) - next);
        for (size_t b = 0; b < blocks; b++) {
            size_t first = begin + conv_cut(end - begin, blocks, b);
            size_t after = begin + conv_cut(end - begin, blocks, b + 1);
            t.pixels = (int)(after - first);
            for (size_t k = 0; k < (size_t)t.pixels; k++) {
                table[k] = v + (first + k) * l->v_row;
            }
            t.acc = p->m + xi * l->m_xi + first * l->m_row;
            conv_prefetch_rows(t.acc, l->m_row, (size_t)t.pixels, (size_t)p->filters);
            t.ahead = v + (b + 1 < blocks ? after * l->v_row : l->v_xi + begin * l->v_row);
            size_t part = conv_cut(panel, blocks, b);
            conv_prefetch_near(t.panel + l->u_xi + part, conv_cut(panel, blocks, b + 1) - part);
            slots->tile(&t);
        }
    }
}

static void prefetch_output(const struct job *job, const struct winograd_place *place, size_t k,
                            size_t filters)
{
    const struct tensor *out = job->run->out;
    for (int r = 0; r < place->rows; r++) {
        conv_prefetch_rows(tensor_at(out, place->n, place->y + r, place->x) + k, out->stride,
                           (size_t)place->columns, filters);
    }
}

/* All tiles of a panel of M to the output. */
static void transform_output(const struct job *job, const struct block *block, size_t panel,
                             const float *m)
{
    const struct conv_run *run = job->run;
    const struct conv_epilogue *e = run->epilogue;
    const struct winograd_place *places = block->places;
    size_t nr = (size_t)run->slots->nr, k = panel * nr, count = block->first[4];
    struct winograd_output w = {.xi_stride = job->layout.m_xi,
                                .filters = (int)conv_range_size((size_t)run->g->filters, nr, panel),
                                .row_stride = (size_t)run->out->w * run->out->stride,
                                .pixel_stride = run->out->stride,
                                .scale = e->scale ? e->scale + k : NULL,
                                .shift = e->shift ? e->shift + k : NULL,
                                .act = e->act,
                                .adds = run->adds};
    prefetch_output(job, places, k, (size_t)w.filters);
    for (size_t i = 0; i < count; i++) {
        if (i + 4 < count) {
            prefetch_output(job, places + i + 4, k, (size_t)w.filters);
        }
        w.m = m + i * job->layout.m_row;
        w.rows = places[i].rows;
        w.columns = places[i].columns;
        w.out = tensor_at(run->out, places[i].n, places[i].y, places[i].x) + k;
        run->slots->winograd_output(&w);
    }
}

static void fused_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t nr = (size_t)job->run->slots->nr, filters = (size_t)job->run->g->filters;
    size_t first = conv_cut(job->tiles, job->chunks, item);
    size_t count = conv_cut(job->tiles, job->chunks, item + 1) - first;
    float *v = (float *)(void *)((char *)job->v + (size_t)thread * l->v_bytes);
    float *m = (float *)(void *)(job->threads + (size_t)thread * l->m_bytes);
    struct block block;
    block_fill(&block, job->run->g, first, count);
    for (size_t i = 0; i < count; i++) {
        transform_input(job, &block.places[i], v + i * l->v_row);
    }
    struct product p = {.block = &block, .v = v, .m = m, .channels = l->channels};
    for (size_t panel = 0; panel < l->panels; panel++) {
        p.filters = (int)conv_range_size(filters, nr, panel);
        for (size_t row = 0; row < INPUT; row++) {
            p.u = job->run->packed + (panel * POINTS + row * INPUT) * l->u_xi;
            multiply_row(job, &p, row);
        }
        transform_output(job, &block, panel, m);
    }
}

static void streamed_input(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    transform_input(job, &job->block.places[item], job->v + item * job->layout.v_row);
}

/* Some rows of points of a slice of channels for one panel: U from the weights, row by row, and the products. */
static void streamed_product(const struct job *job, struct product *p, float *u, size_t first_row)
{
    const struct layout *l = &job->layout;
    size_t nr = (size_t)job->run->slots->nr;
    const float *weights = p->u, *next = p->next;
    size_t count = p->next_count;
    p->u = u;
    for (size_t row = 0; row < l->rows; row++) {
        struct winograd_filter w = {.weights = weights,
                                    .channels = p->channels,
                                    .nr = nr,
                                    .first_row = (int)(first_row + row),
                                    .rows = 1,
                                    .u = u,
                                    .xi_stride = l->u_xi};
        job->run->slots->winograd_filter(&w);
        p->next = next + conv_cut(count, l->rows, row);
        p->next_count = conv_cut(count, l->rows, row + 1) - conv_cut(count, l->rows, row);
        multiply_row(job, p, first_row + row);
    }
}

static void streamed_group(void *ctx, size_t group, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t nr = (size_t)job->run->slots->nr, filters = (size_t)job->run->g->filters;
    size_t first = conv_cut(l->panels, job->groups, group), panel_floats = l->channels * TAPS * nr;
    size_t panels = conv_cut(l->panels, job->groups, group + 1) - first;
    char *mine = job->threads + (size_t)thread * (l->m_bytes + l->u_bytes);
    float *m = (float *)(void *)mine, *u = (float *)(void *)(mine + l->m_bytes);
    for (size_t row = 0; row < INPUT; row += l->rows) {
        for (size_t slice = 0; slice < l->slices; slice++) {
            size_t channels = conv_range_size(l->channels, l->slice, slice);
            const float *weights =
                job->run->packed + first * panel_floats + slice * l->slice * TAPS * nr;
            for (size_t i = 0; i < panels; i++) {
                struct product p = {.block = &job->block,
                                    .v = job->v + slice * l->v_slice,
                                    .u = weights + i * panel_floats,
                                    .m = m + i * l->m_panel,
                                    .channels = channels,
                                    .filters = (int)conv_range_size(filters, nr, first + i),
                                    .accumulate = slice > 0,
                                    .next = weights + (i + 1 < panels ? (i + 1) * panel_floats
                                                                      : l->slice * TAPS * nr),
                                    .next_count = i + 1 < panels || slice + 1 < l->slices
                                                      ? channels * TAPS * nr
                                                      : 0};
                streamed_product(job, &p, u, row);
            }
        }
    }
    for (size_t i = 0; i < panels; i++) {
        transform_output(job, &job->block, first + i, m + i * l->m_panel);
    }
}

void winograd_forward(const struct conv_run *run)
{
    struct job job = {.run = run, .zeros = run->scratch};
    const struct layout *l = &job.layout;
    job.tiles = winograd_tiles(run->g) * (size_t)run->out->n;
    if (job.tiles == 0) {
        return;
    }
    job.layout = layout_of(run->slots, run->g, job.tiles);
    size_t v_copies = l->fused ? (size_t)parallel_threads() : 1;
    memset(run->scratch, 0, l->zeros_bytes);
    job.v = (float *)(void *)((char *)run->scratch + l->zeros_bytes);
    job.threads = (char *)job.v + v_copies * l->v_bytes;
    job.chunks = conv_ceil_div(job.tiles, l->chunk_tiles);
    if (l->fused) {
        parallel_for(job.chunks, fused_item, &job);
        return;
    }
    /* As many for each thread. */
    size_t threads = (size_t)parallel_threads();
    job.groups = conv_round_up(conv_ceil_div(l->panels, l->group_panels), threads);
    job.groups = job.groups < l->panels ? job.groups : l->panels;
    for (size_t chunk = 0; chunk < job.chunks; chunk++) {
        size_t first = conv_cut(job.tiles, job.chunks, chunk);
        size_t count = conv_cut(job.tiles, job.chunks, chunk + 1) - first;
        block_fill(&job.block, run->g, first, count);
        parallel_for(count, streamed_input, &job);
        parallel_for(job.groups, streamed_group, &job);
    }
}

/* ---- the weights' gradient ---- */

enum {
    GRADIENT_MAX_U_FLOATS = 150 * 1024, /* fused up to here */
    GRADIENT_FUSED_FLOATS = 100 * 1024, /* of V and W */
    GRADIENT_MIN_TILES = 8,             /* fused: of a chunk */
    GRADIENT_STREAMED_FLOATS = 4 << 20, /* of V and W */
    STREAMED_MIN_TILES = 64,
    STREAMED_ITEM = 4,  /* tiles transformed by a thread in a row */
    STREAMED_SIDE = 64, /* channels and filters of an item */
    RUN_TILES = 256,    /* summed at once: a panel of W stays in L1, and rounding small */
    ITEMS_WANTED = 16,
};

/* Sizes by geometry and batch alone; distances in floats. */
struct gradient_layout {
    bool fused;
    size_t tiles;
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

static void cut_fused(struct gradient_layout *l)
{
    l->slice = l->channels;
    l->range_panels = l->panels;
    size_t row = POINTS * (conv_round_up(l->channels, 16) + l->panels * l->nr);
    l->block_tiles = most(least(GRADIENT_FUSED_FLOATS / row, FUSED_MAX_TILES), GRADIENT_MIN_TILES);
    l->chunks = most(least(ITEMS_WANTED, l->tiles / GRADIENT_MIN_TILES), 1);
}

static void cut_streamed(struct gradient_layout *l)
{
    l->slice = STREAMED_SIDE;
    l->range_panels = most(STREAMED_SIDE / l->nr, 1);
    while (conv_ceil_div(l->channels, l->slice) * conv_ceil_div(l->panels, l->range_panels) <
               ITEMS_WANTED &&
           l->range_panels > 1) {
        l->range_panels /= 2;
    }
    size_t row = POINTS * (conv_round_up(l->channels, 16) + l->panels * l->nr);
    size_t fit = most(GRADIENT_STREAMED_FLOATS / row, STREAMED_MIN_TILES);
    l->chunks = conv_ceil_div(l->tiles, fit);
    l->block_tiles = least(l->tiles, fit);
}

static struct gradient_layout gradient_layout_of(const struct conv_slots *slots,
                                                 const struct conv_geometry *g, int batch)
{
    struct gradient_layout l = {.nr = (size_t)slots->nr,
                                .mr = (size_t)slots->mr,
                                .channels = (size_t)g->in_c,
                                .filters = (size_t)g->filters};
    l.panels = conv_ceil_div(l.filters, l.nr);
    l.tiles = most(winograd_tiles(g) * (size_t)batch, 1);
    l.fused = POINTS * l.channels * l.panels * l.nr <= GRADIENT_MAX_U_FLOATS;
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
    struct gradient_layout l = gradient_layout_of(slots, g, batch);
    size_t threads = (size_t)parallel_threads();
    size_t floats = l.zeros + (l.fused ? threads : 1) * (l.v + l.w) + threads * l.u +
                    (l.fused ? l.chunks : threads) * l.sums;
    return floats * sizeof(float);
}

struct gradient_job {
    const struct conv_weights_run *run;
    struct gradient_layout layout;
    size_t first_tile; /* streamed: of the block on its way */
    size_t count;
    const float *zeros;
    float *v, *w, *u, *sums; /* the first thread's */
};

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

/* Row r < INPUT of what a tile reads, without the two columns that its left neighbour reads. */
static void prefetch_tile_row(const struct gradient_job *job, size_t tile, int r)
{
    const struct conv_geometry *g = job->run->g;
    struct winograd_place at = winograd_place_of(g, tile);
    prefetch_row(job->run->x, at.n, at.y - g->pad_y + r, at.x - g->pad_x + 2);
    if (r < TILE) {
        prefetch_row(job->run->dz, at.n, at.y + r, at.x);
    }
}

/* Tile `tile` of the batch to row `row` of all matrices of V and W. */
static void gradient_transform(const struct gradient_job *job, size_t tile, size_t row, float *v,
                               float *w)
{
    const struct conv_geometry *g = job->run->g;
    const struct conv_slots *slots = job->run->slots;
    const struct gradient_layout *l = &job->layout;
    const float *pixels[POINTS];
    struct winograd_place at = winograd_place_of(g, tile);
    square(job->run->dz, at.n, at.y, at.x, TILE, job->zeros, pixels);
    for (size_t panel = 0; panel < l->panels; panel++) {
        struct winograd_output_gradient o = {.dz = pixels,
                                             .offset = panel * l->nr,
                                             .filters = conv_range_size(l->filters, l->nr, panel),
                                             .w = w + panel * l->w_panel + row * l->nr,
                                             .xi_stride = l->w_xi};
        slots->winograd_output_gradient(&o);
    }
    square(job->run->x, at.n, at.y - g->pad_y, at.x - g->pad_x, INPUT, job->zeros, pixels);
    for (size_t slice = 0; slice < l->slices; slice++) {
        struct winograd_input i = {.in = pixels,
                                   .rows = TILE,
                                   .columns = TILE,
                                   .offset = slice * l->slice,
                                   .channels = conv_range_size(l->channels, l->slice, slice),
                                   .v = v + slice * l->v_slice + row * l->v_row,
                                   .xi_stride = l->v_xi};
        slots->winograd_input(&i);
    }
}

/* dU (+)= V^T W of `tiles` rows for one panel. */
struct gradient_product {
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
static void multiply_run(const struct gradient_job *job, const struct gradient_product *p,
                         size_t xi, size_t first, size_t tiles)
{
    const struct gradient_layout *l = &job->layout;
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

static void prefetch_step(const struct gradient_job *job, const struct gradient_product *p,
                          size_t xi)
{
    for (size_t i = conv_cut(p->next_rows, POINTS, xi); i < conv_cut(p->next_rows, POINTS, xi + 1);
         i++) {
        prefetch_tile_row(job, (p->next_row + i) / INPUT, (int)((p->next_row + i) % INPUT));
    }
    if (p->dw && xi < p->filters) {
        conv_prefetch_read(p->dw + xi * p->dw_distance, p->dw_row);
    }
}

static void gradient_multiply(const struct gradient_job *job, const struct gradient_product *p)
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

static void to_filters(const struct gradient_job *job, size_t channels, const float *u, float *sums)
{
    const struct gradient_layout *l = &job->layout;
    struct winograd_filter_gradient f = {.u = u,
                                         .xi_stride = l->u_xi,
                                         .channels = channels,
                                         .nr = l->nr,
                                         .sums = sums,
                                         .tap_stride = channels * l->nr};
    job->run->slots->winograd_filter_gradient(&f);
}

static void gradient_fused_item(void *ctx, size_t chunk, int thread)
{
    const struct gradient_job *job = ctx;
    const struct gradient_layout *l = &job->layout;
    float *v = job->v + (size_t)thread * l->v, *w = job->w + (size_t)thread * l->w;
    float *u = job->u + (size_t)thread * l->u;
    size_t begin = conv_cut(l->tiles, l->chunks, chunk);
    size_t count = conv_cut(l->tiles, l->chunks, chunk + 1) - begin;
    size_t blocks = conv_ceil_div(count, l->block_tiles);
    for (size_t b = 0; b < blocks; b++) {
        size_t first = conv_cut(count, blocks, b);
        size_t tiles = conv_cut(count, blocks, b + 1) - first;
        size_t next = b + 1 < blocks ? INPUT * (conv_cut(count, blocks, b + 2) - first - tiles) : 0;
        for (size_t i = 0; i < tiles; i++) {
            gradient_transform(job, begin + first + i, i, v, w);
        }
        for (size_t panel = 0; panel < l->panels; panel++) {
            struct gradient_product p = {.v = v,
                                         .w = w + panel * l->w_panel,
                                         .u = u + panel * l->u_panel,
                                         .tiles = tiles,
                                         .channels = l->channels,
                                         .filters = conv_range_size(l->filters, l->nr, panel),
                                         .accumulate = b > 0};
            size_t part = conv_cut(next, l->panels, panel);
            p.next_row = INPUT * (begin + first + tiles) + part;
            p.next_rows = conv_cut(next, l->panels, panel + 1) - part;
            gradient_multiply(job, &p);
        }
    }
    for (size_t panel = 0; panel < l->panels; panel++) {
        to_filters(job, l->channels, u + panel * l->u_panel,
                   job->sums + chunk * l->sums + panel * TAPS * l->channels * l->nr);
    }
}

static void gradient_fused_reduce(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct gradient_job *job = ctx;
    const struct gradient_layout *l = &job->layout;
    size_t floats = TAPS * l->channels * l->nr;
    float *sums = job->sums + panel * floats;
    struct conv_weights_panel p = {.sums = sums,
                                   .nr = l->nr,
                                   .first_filter = panel * l->nr,
                                   .filters = conv_range_size(l->filters, l->nr, panel),
                                   .channels = l->channels};
    conv_weights_reduce(sums, l->chunks, l->sums, floats);
    conv_weights_scatter(job->run->g, &p, job->run->dw);
}

static void gradient_streamed_tiles(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct gradient_job *job = ctx;
    size_t end = least(job->count, (item + 1) * STREAMED_ITEM);
    for (size_t tile = item * STREAMED_ITEM; tile < end; tile++) {
        for (int r = 0; r < INPUT && tile + 1 < end; r++) {
            prefetch_tile_row(job, job->first_tile + tile + 1, r);
        }
        gradient_transform(job, job->first_tile + tile, tile, job->v, job->w);
    }
}

static void gradient_streamed_item(void *ctx, size_t item, int thread)
{
    const struct gradient_job *job = ctx;
    const struct gradient_layout *l = &job->layout;
    size_t slice = item % l->slices, first_panel = item / l->slices * l->range_panels;
    size_t channels = conv_range_size(l->channels, l->slice, slice);
    size_t panels = conv_range_size(l->panels, l->range_panels, item / l->slices);
    float *u = job->u + (size_t)thread * l->u, *sums = job->sums + (size_t)thread * l->sums;
    for (size_t i = 0; i < panels; i++) {
        size_t panel = first_panel + i;
        struct gradient_product p = {.v = job->v + slice * l->v_slice,
                                     .w = job->w + panel * l->w_panel,
                                     .u = u,
                                     .tiles = job->count,
                                     .channels = channels,
                                     .filters = conv_range_size(l->filters, l->nr, panel),
                                     .v_is_far = i == 0,
                                     .dw_row = channels * TAPS,
                                     .dw_distance = l->channels * TAPS};
        p.dw = job->run->dw + panel * l->nr * p.dw_distance + slice * l->slice * TAPS;
        gradient_multiply(job, &p);
        to_filters(job, channels, u, sums);
        struct conv_weights_panel done = {.sums = sums,
                                          .nr = l->nr,
                                          .first_filter = panel * l->nr,
                                          .filters = p.filters,
                                          .first_channel = slice * l->slice,
                                          .channels = channels};
        conv_weights_scatter(job->run->g, &done, job->run->dw);
    }
}

void winograd_backward_weights(const struct conv_weights_run *run)
{
    struct gradient_job job = {.run = run,
                               .layout = gradient_layout_of(run->slots, run->g, run->dz->n),
                               .zeros = run->scratch};
    const struct gradient_layout *l = &job.layout;
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
        parallel_for(l->chunks, gradient_fused_item, &job);
        parallel_for(l->panels, gradient_fused_reduce, &job);
        return;
    }
    for (size_t chunk = 0; chunk < l->chunks; chunk++) {
        job.first_tile = conv_cut(l->tiles, l->chunks, chunk);
        job.count = conv_cut(l->tiles, l->chunks, chunk + 1) - job.first_tile;
        parallel_for(conv_ceil_div(job.count, STREAMED_ITEM), gradient_streamed_tiles, &job);
        parallel_for(l->slices * l->panel_ranges, gradient_streamed_item, &job);
    }
}
