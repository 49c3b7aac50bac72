/* Winograd convolution F(4x4, 3x3): Lavin & Gray 2015, arXiv:1509.09308.
 *
 * An output tile of 4x4 pixels costs 36 multiplications a channel instead of 144. Every 6x6 input
 * tile becomes 36 rows V[xi][tile][c] (B^T d B), the weights 36 matrices U[xi][c][k] (G g G^T),
 * M[xi] = V[xi] U[xi] are 36 matrix products on the register tile, and A^T M A is the output tile.
 * The matrices stand in conv_template.h.
 *
 * Two ways through memory:
 *
 * Fused, for large images with few channels. U is made when packing and small enough to stay in
 * cache. A thread takes a chunk of tiles through all steps; its V and one panel of M stay in L2.
 *
 * Streamed, for small images with many channels. U would be four times the weights, and reading it
 * would take longer than making it: so the packed weights stay 3x3, a thread takes one panel of
 * filters and makes U for a range of channels at a time, in its L2, for a whole block of tiles. V
 * is shared. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    POINTS = 36,
    TAPS = 9,
    TILE = 4,    /* output pixels of a tile's side */
    XI_PAD = 16, /* floats between the 36 matrices: keeps their rows out of one cache set */
    FUSED_MAX_U_BYTES = 5 << 20,
    FUSED_V_FLOATS = POINTS * 24 * 128,
    FUSED_MAX_TILES = 48,
    STREAMED_CHANNELS = 64,
    STREAMED_MAX_TILES = 64,
};

bool winograd_possible(const struct conv_geometry *g)
{
    return g->kernel_h == 3 && g->kernel_w == 3 && g->stride_y == 1 && g->stride_x == 1 &&
           g->dilation == 1 && g->groups == 1;
}

static size_t tiles_of_image(const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->out_h, TILE) * conv_ceil_div((size_t)g->out_w, TILE);
}

bool winograd_wins(const struct conv_slots *slots, const struct conv_geometry *g)
{
    return !slots->is_direct && winograd_possible(g) && g->in_c >= 16 && g->filters >= 16 &&
           tiles_of_image(g) >= 9;
}

/* Sizes by geometry alone. Distances in floats: between the 36 matrices (_xi), between tiles
 * (_row); V lies in slices of `slice` channels. */
struct layout {
    bool fused;
    size_t image_tiles, chunk_tiles;
    size_t channels, panels, slice, slices;
    size_t v_row, v_xi, v_slice, m_row, m_xi, u_xi;
    size_t zeros_bytes, v_bytes, m_bytes, u_bytes;
};

static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t nr = (size_t)slots->nr, mr = (size_t)slots->mr;
    struct layout l = {.image_tiles = tiles_of_image(g),
                       .channels = (size_t)g->in_c,
                       .panels = conv_ceil_div((size_t)g->filters, nr)};
    size_t whole_row = conv_round_up(l.channels, 16);
    size_t fit = FUSED_V_FLOATS / (POINTS * whole_row) / mr * mr;
    l.fused = fit >= mr && l.image_tiles > STREAMED_MAX_TILES &&
              POINTS * l.channels * l.panels * nr * sizeof(float) <= FUSED_MAX_U_BYTES;
    l.slice = l.fused ? l.channels : STREAMED_CHANNELS;
    l.slices = conv_ceil_div(l.channels, l.slice);
    l.chunk_tiles = l.fused ? (fit < FUSED_MAX_TILES ? fit : FUSED_MAX_TILES) : STREAMED_MAX_TILES;
    l.v_row = conv_round_up(l.slice, 16);
    l.v_xi = l.chunk_tiles * l.v_row + XI_PAD;
    l.v_slice = POINTS * l.v_xi;
    l.m_row = conv_round_up(nr, 16);
    l.m_xi = l.chunk_tiles * l.m_row + XI_PAD;
    l.u_xi = l.fused ? l.channels * nr : l.slice * nr + XI_PAD;
    l.zeros_bytes = whole_row * sizeof(float);
    l.v_bytes = l.slices * l.v_slice * sizeof(float);
    l.m_bytes = POINTS * l.m_xi * sizeof(float);
    l.u_bytes = l.fused ? 0 : POINTS * l.u_xi * sizeof(float);
    return l;
}

size_t winograd_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct layout l = layout_of(slots, g);
    return (l.fused ? POINTS : TAPS) * l.channels * l.panels * (size_t)slots->nr;
}

size_t winograd_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct layout l = layout_of(slots, g);
    size_t threads = (size_t)parallel_threads();
    return l.zeros_bytes + (l.fused ? threads : 1) * l.v_bytes + threads * (l.m_bytes + l.u_bytes);
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
    size_t nr = (size_t)job->slots->nr, first = panel * nr, all = (size_t)job->g->filters;
    size_t filters = all - first < nr ? all - first : nr;
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
        .slots = slots, .g = g, .layout = layout_of(slots, g), .weights = w, .packed = packed};
    parallel_for(job.layout.panels, pack_panel, &job);
}

struct job {
    const struct conv_run *run;
    struct layout layout;
    size_t tiles, chunks;     /* of the whole batch */
    size_t first_tile, count; /* streamed: the block of tiles on its way */
    const float *zeros;
    float *v; /* shared (streamed) or the first thread's (fused) */
    char *threads;
};

struct place {
    int n, y, x;       /* image and first output pixel */
    int rows, columns; /* output pixels inside the image */
};

static struct place tile_place(const struct job *job, size_t tile)
{
    size_t in_row = conv_ceil_div((size_t)job->run->g->out_w, TILE);
    size_t in_image = tile % job->layout.image_tiles;
    struct place place = {.n = (int)(tile / job->layout.image_tiles),
                          .y = (int)(in_image / in_row) * TILE,
                          .x = (int)(in_image % in_row) * TILE};
    int rows = job->run->g->out_h - place.y, columns = job->run->g->out_w - place.x;
    place.rows = rows < TILE ? rows : TILE;
    place.columns = columns < TILE ? columns : TILE;
    return place;
}

/* v points at the tile's row of the first matrix of the first slice. */
static void transform_input(const struct job *job, size_t tile, float *v)
{
    const struct conv_geometry *g = job->run->g;
    const struct layout *l = &job->layout;
    struct place place = tile_place(job, tile);
    const float *pixels[POINTS];
    for (int r = 0; r < 6; r++) {
        int y = place.y - g->pad_y + r;
        bool row_inside = y >= 0 && y < g->in_h;
        for (int s = 0; s < 6; s++) {
            int x = place.x - g->pad_x + s;
            pixels[r * 6 + s] = row_inside && x >= 0 && x < g->in_w
                                    ? tensor_at(job->run->in, place.n, y, x)
                                    : job->zeros;
        }
    }
    for (size_t c = 0; c < l->channels; c += l->slice) {
        struct winograd_input w = {.in = pixels, .offset = c, .v = v, .xi_stride = l->v_xi};
        w.channels = l->channels - c < l->slice ? l->channels - c : l->slice;
        job->run->slots->winograd_input(&w);
        v += l->v_slice;
    }
}

/* M[xi] (+)= V[xi] U[xi] for all xi and `count` tiles over `channels` channels. */
struct product {
    const float *v, *u;
    float *m;
    size_t count, channels;
    int filters;
    bool accumulate;
    const float *next; /* next_count floats to bring closer meanwhile */
    size_t next_count;
};

static void multiply(const struct job *job, const struct product *p)
{
    const struct conv_slots *slots = job->run->slots;
    const struct layout *l = &job->layout;
    const float *table[CONV_MAX_MR];
    struct conv_tile t = {.in = table,
                          .taps = 1,
                          .channels = p->channels,
                          .acc_stride = l->m_row,
                          .filters = p->filters,
                          .accumulate = p->accumulate};
    size_t blocks = conv_ceil_div(p->count, (size_t)slots->mr);
    for (size_t xi = 0; xi < POINTS; xi++) {
        t.panel = p->u + xi * l->u_xi;
        size_t next = conv_cut(p->next_count, POINTS, xi);
        conv_prefetch_read(p->next + next, conv_cut(p->next_count, POINTS, xi + 1) - next);
        for (size_t b = 0; b < blocks; b++) {
            size_t first = conv_cut(p->count, blocks, b);
            t.pixels = (int)(conv_cut(p->count, blocks, b + 1) - first);
            for (size_t i = 0; i < (size_t)t.pixels; i++) {
                table[i] = p->v + xi * l->v_xi + (first + i) * l->v_row;
            }
            t.acc = p->m + xi * l->m_xi + first * l->m_row;
            conv_prefetch_rows(t.acc, l->m_row, (size_t)t.pixels, (size_t)p->filters);
            slots->tile(&t);
        }
    }
}

static void prefetch_output(const struct job *job, size_t tile, size_t k, size_t filters)
{
    const struct tensor *out = job->run->out;
    struct place place = tile_place(job, tile);
    for (int r = 0; r < place.rows; r++) {
        conv_prefetch_rows(tensor_at(out, place.n, place.y + r, place.x) + k, out->stride,
                           (size_t)place.columns, filters);
    }
}

/* All tiles of a panel of M to the output. */
static void transform_output(const struct job *job, size_t first_tile, size_t count, size_t panel,
                             const float *m)
{
    const struct conv_run *run = job->run;
    const struct conv_epilogue *e = run->epilogue;
    size_t nr = (size_t)run->slots->nr, k = panel * nr, filters = (size_t)run->g->filters - k;
    struct winograd_output w = {.xi_stride = job->layout.m_xi,
                                .filters = (int)(filters < nr ? filters : nr),
                                .row_stride = (size_t)run->out->w * run->out->stride,
                                .pixel_stride = run->out->stride,
                                .scale = e->scale ? e->scale + k : NULL,
                                .shift = e->shift ? e->shift + k : NULL,
                                .act = e->act,
                                .adds = run->adds};
    prefetch_output(job, first_tile, k, (size_t)w.filters);
    for (size_t i = 0; i < count; i++) {
        struct place place = tile_place(job, first_tile + i);
        if (i + 4 < count) {
            prefetch_output(job, first_tile + i + 4, k, (size_t)w.filters);
        }
        w.m = m + i * job->layout.m_row;
        w.rows = place.rows;
        w.columns = place.columns;
        w.out = tensor_at(run->out, place.n, place.y, place.x) + k;
        run->slots->winograd_output(&w);
    }
}

static int panel_filters(const struct job *job, size_t panel)
{
    int nr = job->run->slots->nr, left = job->run->g->filters - (int)panel * nr;
    return left < nr ? left : nr;
}

static void fused_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t first = conv_cut(job->tiles, job->chunks, item);
    size_t count = conv_cut(job->tiles, job->chunks, item + 1) - first;
    float *v = (float *)(void *)((char *)job->v + (size_t)thread * l->v_bytes);
    float *m = (float *)(void *)(job->threads + (size_t)thread * l->m_bytes);
    for (size_t i = 0; i < count; i++) {
        transform_input(job, first + i, v + i * l->v_row);
    }
    struct product p = {.v = v, .m = m, .count = count, .channels = l->channels};
    for (size_t panel = 0; panel < l->panels; panel++) {
        p.u = job->run->packed + panel * POINTS * l->u_xi;
        p.filters = panel_filters(job, panel);
        multiply(job, &p);
        transform_output(job, first, count, panel, m);
    }
}

static void streamed_input(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    transform_input(job, job->first_tile + item, job->v + item * job->layout.v_row);
}

static void streamed_panel(void *ctx, size_t panel, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t nr = (size_t)job->run->slots->nr;
    char *mine = job->threads + (size_t)thread * (l->m_bytes + l->u_bytes);
    float *m = (float *)(void *)mine, *u = (float *)(void *)(mine + l->m_bytes);
    struct product p = {.u = u, .m = m, .count = job->count, .filters = panel_filters(job, panel)};
    for (size_t slice = 0; slice < l->slices; slice++) {
        size_t first = slice * l->slice;
        p.channels = l->channels - first < l->slice ? l->channels - first : l->slice;
        struct winograd_filter w = {.weights = job->run->packed +
                                               (panel * l->channels + first) * TAPS * nr,
                                    .channels = p.channels,
                                    .nr = nr,
                                    .u = u,
                                    .xi_stride = l->u_xi};
        job->run->slots->winograd_filter(&w);
        p.v = job->v + slice * l->v_slice;
        p.accumulate = slice > 0;
        p.next = w.weights + p.channels * TAPS * nr;
        p.next_count = slice + 1 < l->slices ? p.channels * TAPS * nr : 0;
        multiply(job, &p);
    }
    transform_output(job, job->first_tile, job->count, panel, m);
}

void winograd_forward(const struct conv_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->slots, run->g), .zeros = run->scratch};
    const struct layout *l = &job.layout;
    size_t v_copies = l->fused ? (size_t)parallel_threads() : 1;
    memset(run->scratch, 0, l->zeros_bytes);
    job.v = (float *)(void *)((char *)run->scratch + l->zeros_bytes);
    job.threads = (char *)job.v + v_copies * l->v_bytes;
    job.tiles = l->image_tiles * (size_t)run->out->n;
    job.chunks = conv_ceil_div(job.tiles, l->chunk_tiles);
    if (l->fused) {
        parallel_for(job.chunks, fused_item, &job);
        return;
    }
    for (size_t chunk = 0; chunk < job.chunks; chunk++) {
        job.first_tile = conv_cut(job.tiles, job.chunks, chunk);
        job.count = conv_cut(job.tiles, job.chunks, chunk + 1) - job.first_tile;
        parallel_for(job.count, streamed_input, &job);
        parallel_for(l->panels, streamed_panel, &job);
    }
}
