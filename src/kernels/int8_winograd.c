/* Winograd convolution F(4x4, 3x3) of integers, exact modulo 2^32 (the transforms of Lavin & Gray 2015,
 * arXiv:1509.09308, with each row of G times what makes it whole).
 *
 * V = B^T d B of bytes lies within 68 * 255 = 17,340 of zero and U = G g G^T within 49 * 127 = 6,223: both are int16,
 * and M = V U adds up on the tile that direct convolution has for pairs of int16. The sums may leave 32 bits; they are
 * those of the integers modulo 2^32 all the same. A^T M A then is 576 = 64 * 9 times the result at most: 9 has an
 * inverse modulo 2^32, so one multiplication leaves 2^n times the result, n <= 6, modulo 2^32, and a shift the
 * result itself if that lies within 25 bits and a sign. Whether it does follows from the weights (int8_winograd_wins).
 *
 * Packed weights are bytes; U is made of them in every pass, which takes a fraction of the work on many tiles and a seventh
 * of the memory. Two ways through it, as in winograd.c: fused, where U fits the cache and is made at first; streamed,
 * where a thread makes it a slice of channels at a time, for a block of tiles. */
#include "kernels/int8_conv_private.h"

#include "base/parallel.h"
#include "kernels/winograd_tiles.h"

enum {
    POINTS = WINOGRAD_POINTS,
    TAPS = WINOGRAD_TAPS,
    XI_PAD = 32, /* values between the 36 matrices: keeps their rows out of one cache set */
    STEP = 4,    /* bytes of a step: a pair of int16 */
    FUSED_MAX_U_BYTES = 5 << 20,
    FUSED_V_BYTES = POINTS * 24 * 128 * 4,
    FUSED_MAX_TILES = 32,
    STREAMED_MAX_TILES = 64,
    STREAMED_PAIRS = 64, /* of a slice of U */
    MAX_RESULT = 1 << 25
};

/* No sum over bytes may leave the bits that the last shift keeps. */
bool int8_winograd_wins(const struct conv_geometry *g, int one_sign)
{
    return winograd_pays(g) && one_sign < MAX_RESULT / 255;
}

/* Sizes by geometry and the number of images. Of V and U in int16, of M in words; between the 36 matrices (_xi), between tiles (_row). */
struct layout {
    bool fused;
    size_t image_tiles, chunk_tiles;
    size_t pairs, panels, slice; /* pairs of channels */
    size_t v_row, v_xi, m_row, m_xi, u_xi;
    size_t v_bytes, m_bytes, u_bytes; /* u: of a panel */
    /* What threads share, V (streamed) or U of all panels (fused), and from thread to thread: U or V, and M. */
    size_t common_bytes, thread_bytes;
};

static struct layout layout_of(const struct int8_slots *slots, const struct conv_geometry *g,
                               int images)
{
    size_t nr = (size_t)slots->nr, mr = (size_t)slots->mr, channels = (size_t)g->in_c;
    struct layout l = {.image_tiles = winograd_tiles(g),
                       .pairs = conv_ceil_div(channels, 2),
                       .panels = conv_ceil_div((size_t)g->filters, nr)};
    l.v_row = conv_round_up(channels, INT8_MAX_NR);
    size_t fit = FUSED_V_BYTES / (POINTS * l.v_row * sizeof(int16_t)) / mr * mr;
    l.fused = fit >= mr && l.image_tiles > STREAMED_MAX_TILES &&
              POINTS * l.pairs * l.panels * nr * STEP <= FUSED_MAX_U_BYTES;
    l.slice = l.fused ? l.pairs : STREAMED_PAIRS;
    size_t most = l.fused ? (fit < FUSED_MAX_TILES ? fit : FUSED_MAX_TILES) : STREAMED_MAX_TILES;
    l.chunk_tiles = l.image_tiles * (size_t)images < most ? l.image_tiles * (size_t)images : most;
    l.v_xi = l.chunk_tiles * l.v_row + XI_PAD;
    l.m_row = nr;
    l.m_xi = l.chunk_tiles * l.m_row + XI_PAD;
    l.u_xi = l.fused ? l.pairs * nr * 2 : l.slice * nr * 2 + XI_PAD;
    l.v_bytes = POINTS * l.v_xi * sizeof(int16_t);
    l.m_bytes = POINTS * l.m_xi * sizeof(uint32_t);
    l.u_bytes = POINTS * l.u_xi * sizeof(int16_t);
    l.common_bytes = l.fused ? l.panels * l.u_bytes : l.v_bytes;
    l.thread_bytes = parallel_stride(l.m_bytes + (l.fused ? l.v_bytes : l.u_bytes));
    return l;
}

/* Of a panel. */
static size_t panel_bytes(const struct int8_slots *slots, const struct layout *l)
{
    return l->pairs * TAPS * 2 * (size_t)slots->nr;
}

size_t int8_winograd_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g)
{
    struct layout l = layout_of(slots, g, 1);
    return l.panels * panel_bytes(slots, &l);
}

size_t int8_winograd_scratch_bytes(const struct int8_slots *slots, const struct conv_geometry *g,
                                   int images)
{
    struct layout l = layout_of(slots, g, images);
    return l.common_bytes + (size_t)parallel_threads() * l.thread_bytes;
}

/* ---- packing ---- */

struct pack_job {
    const struct int8_slots *slots;
    const struct conv_geometry *g;
    struct layout layout;
    const int8_t *weights;
    int8_t *packed;
};

/* Filters from `first` on of one pair of channels, [tap][nr][2]. */
static void gather_pair(const struct pack_job *job, size_t first, size_t pair, int8_t *to)
{
    size_t nr = (size_t)job->slots->nr, channels = (size_t)job->g->in_c;
    size_t filters = (size_t)job->g->filters;
    for (size_t tap = 0; tap < TAPS; tap++) {
        for (size_t k = first; k < first + nr; k++) {
            for (size_t c = 2 * pair; c < 2 * pair + 2; c++) {
                bool is_there = k < filters && c < channels;
                *to++ = is_there ? job->weights[(k * channels + c) * TAPS + tap] : 0;
            }
        }
    }
}

static void pack_panel(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    const struct layout *l = &job->layout;
    size_t nr = (size_t)job->slots->nr;
    int8_t *to = job->packed + panel * panel_bytes(job->slots, l);
    for (size_t p = 0; p < l->pairs; p++) {
        gather_pair(job, panel * nr, p, to + p * TAPS * nr * 2);
    }
}

void int8_winograd_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                        const int8_t *weights, void *packed)
{
    struct pack_job job = {.slots = slots,
                           .g = g,
                           .layout = layout_of(slots, g, 1),
                           .weights = weights,
                           .packed = packed};
    parallel_for(job.layout.panels, pack_panel, &job);
}

/* ---- forward ---- */

struct job {
    const struct int8_run *run;
    struct layout layout;
    size_t tiles, chunks;     /* of the whole batch */
    size_t first_tile, count; /* streamed: the block of tiles on its way */
    int16_t *common;
    char *threads;
};

/* U of `pairs` pairs of channels from `first` on. */
static void transform_weights(const struct job *job, size_t panel, size_t first, size_t pairs,
                              int16_t *u)
{
    const struct int8_run *run = job->run;
    const struct int8_winograd_filter w = {
        .weights = (const int8_t *)run->packed + panel * panel_bytes(run->slots, &job->layout) +
                   first * TAPS * 2 * (size_t)run->slots->nr,
        .pairs = pairs,
        .u = u,
        .xi_stride = job->layout.u_xi};
    run->slots->winograd_filter(&w);
}

/* v points at the tile's row of the first matrix. */
static void transform_input(const struct job *job, size_t tile, int16_t *v)
{
    const struct conv_geometry *g = job->run->g;
    struct winograd_place place = winograd_place_of(g, tile);
    const uint8_t *pixels[POINTS];
    for (int i = 0; i < POINTS; i++) {
        int y = place.y - g->pad_y + i / WINOGRAD_INPUT,
            x = place.x - g->pad_x + i % WINOGRAD_INPUT;
        pixels[i] = int8_padded(job->run, place.n, y, x);
    }
    struct int8_winograd_input w = {
        .in = pixels, .channels = (size_t)g->in_c, .v = v, .xi_stride = job->layout.v_xi};
    job->run->slots->winograd_input(&w);
}

/* M[xi] (+)= V[xi] U[xi] for all xi and `count` tiles over `pairs` pairs of channels from `first_pair` on. */
struct product {
    const int16_t *v, *u;
    uint32_t *m;
    size_t count, first_pair, pairs;
    bool accumulate;
};

static void multiply(const struct job *job, const struct product *p)
{
    const struct int8_slots *slots = job->run->slots;
    const struct layout *l = &job->layout;
    struct int8_tile t = {.in_stride = l->v_row * sizeof(int16_t),
                          .steps = p->pairs,
                          .acc_stride = l->m_row,
                          .accumulate = p->accumulate};
    size_t blocks = conv_ceil_div(p->count, (size_t)slots->mr);
    for (size_t xi = 0; xi < POINTS; xi++) {
        t.panel = p->u + xi * l->u_xi;
        for (size_t b = 0; b < blocks; b++) {
            size_t first = conv_cut(p->count, blocks, b);
            t.pixels = (int)(conv_cut(p->count, blocks, b + 1) - first);
            t.in = p->v + xi * l->v_xi + first * l->v_row + 2 * p->first_pair;
            t.acc = p->m + xi * l->m_xi + first * l->m_row;
            slots->tile_pairs(&t);
        }
    }
}

static void transform_output(const struct job *job, size_t first_tile, size_t count, size_t panel,
                             const uint32_t *m)
{
    const struct int8_run *run = job->run;
    size_t nr = (size_t)run->slots->nr, k = panel * nr;
    struct int8_winograd_output w = {.xi_stride = job->layout.m_xi,
                                     .filters = conv_range_size((size_t)run->g->filters, nr, panel),
                                     .e = run->epilogue,
                                     .first = k,
                                     .row_stride = (size_t)run->out->w * run->out->stride,
                                     .pixel_stride = run->out->stride};
    for (size_t i = 0; i < count; i++) {
        struct winograd_place place = winograd_place_of(run->g, first_tile + i);
        w.m = m + i * job->layout.m_row;
        w.rows = place.rows;
        w.columns = place.columns;
        w.out = int8_at(run->out, place.n, place.y, place.x) + k;
        run->slots->winograd_output(&w);
    }
}

static void fused_weights(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    transform_weights(job, panel, 0, l->pairs, job->common + panel * POINTS * l->u_xi);
}

static void fused_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t first = conv_cut(job->tiles, job->chunks, item);
    size_t count = conv_cut(job->tiles, job->chunks, item + 1) - first;
    char *mine = job->threads + (size_t)thread * l->thread_bytes;
    uint32_t *m = (uint32_t *)(void *)mine;
    int16_t *v = (int16_t *)(void *)(mine + l->m_bytes);
    for (size_t i = 0; i < count; i++) {
        transform_input(job, first + i, v + i * l->v_row);
    }
    struct product p = {.v = v, .m = m, .count = count, .pairs = l->pairs};
    for (size_t panel = 0; panel < l->panels; panel++) {
        p.u = job->common + panel * POINTS * l->u_xi;
        multiply(job, &p);
        transform_output(job, first, count, panel, m);
    }
}

static void streamed_input(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    transform_input(job, job->first_tile + item, job->common + item * job->layout.v_row);
}

static void streamed_panel(void *ctx, size_t panel, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    char *mine = job->threads + (size_t)thread * l->thread_bytes;
    uint32_t *m = (uint32_t *)(void *)mine;
    int16_t *u = (int16_t *)(void *)(mine + l->m_bytes);
    struct product p = {.v = job->common, .u = u, .m = m, .count = job->count};
    for (size_t first = 0; first < l->pairs; first += l->slice) {
        p.first_pair = first;
        p.pairs = l->pairs - first < l->slice ? l->pairs - first : l->slice;
        p.accumulate = first > 0;
        transform_weights(job, panel, first, p.pairs, u);
        multiply(job, &p);
    }
    transform_output(job, job->first_tile, job->count, panel, m);
}

void int8_winograd_forward(const struct int8_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->slots, run->g, run->out->n)};
    const struct layout *l = &job.layout;
    job.common = run->scratch;
    job.threads = (char *)run->scratch + l->common_bytes;
    job.tiles = l->image_tiles * (size_t)run->out->n;
    job.chunks = conv_ceil_div(job.tiles, l->chunk_tiles);
    if (l->fused) {
        job.chunks = conv_even_items(job.chunks, job.tiles / (size_t)run->slots->mr);
        parallel_for(l->panels, fused_weights, &job);
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
