/* Winograd convolution F(4x4, 3x3): Lavin & Gray 2015, arXiv:1509.09308; and the like for stride 2.
 *
 * Forward. An output tile of 4x4 pixels costs 36 multiplications a channel instead of 144. Every 6x6 input
 * tile becomes 36 rows V[xi][tile][c] (B^T d B), the weights 36 matrices U[xi][c][k] (G g G^T),
 * M[xi] = V[xi] U[xi] are 36 matrix products on the register tile, and A^T M A is the output tile.
 * The matrices stand in winograd_slots.c. Two ways through memory:
 *
 *   fused      for large images with few channels. U is made first, and small enough to stay in cache. A thread takes
 *              a chunk of tiles through all steps; its V and one panel of M stay in L2.
 *   streamed   for small images with many channels. V of a chunk is made first. A thread takes a group of panels and some rows
 *              of the 36 matrices at a time: a slice of V of those and M of the group stay in its L2, U of the slice, or one row
 *              of it, too.
 *
 * What comes first, U or V, each of a few threads makes for itself: where cores have third-level caches of their own, a line that one has
 * written takes another longer than making it (52x52, 64 filters, two threads: .38 ms if they share U, .16 if not; .21 and
 * .15 in one such cache). Many threads share it.
 *
 * U is four times the weights, and reading it from memory takes longer than making it: packed weights stay 3x3.
 *
 * A tile at the image's edge with one or two rows or columns of pixels needs only some of the points (winograd_needs):
 * its transforms differ, U does not. A 13x13 image so takes 21 x 21 products a channel instead of 24 x 24.
 *
 * Stride 2. In a line the even samples with the outer taps are F(4, 2), five products, and the odd samples with the middle tap four more that need
 * no transform: 81 products a channel for a tile of 4x4 pixels instead of 144. The odd samples share a point of U, which so has 36 here,
 * too. The input's gradient, of stride 1/2, is the like: of a line of 5 samples of dz the odd pixels are F(4, 2), the even ones the samples
 * by the middle tap, 81 products for 8x8 pixels. */
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/winograd_ahead.h"
#include "kernels/winograd_tiles.h"

enum {
    U_POINTS = WINOGRAD_POINTS,
    U_LINE = WINOGRAD_INPUT, /* points of U in a line, and lines */
    TAPS = WINOGRAD_TAPS,
    MAX_POINTS = WINOGRAD_STRIDE2_INPUT * WINOGRAD_STRIDE2_INPUT,
    XI_PAD = 16, /* floats between the matrices: keeps their rows out of one cache set */
    U_PARTS = 4, /* of a panel, which threads share out */
    STRIDE2_MIN_NR = 16,
    HALF_FUSED_FILTERS = 192,
    HALF_STREAMED_CHANNELS = 256,
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

/* With fewer channels the transforms, with fewer tiles U take what the products spare; without wide vectors nothing is known. */
bool winograd_stride2_wins(const struct conv_slots *slots, const struct conv_geometry *g)
{
    bool is_possible = g->kernel_h == 3 && g->kernel_w == 3 && g->stride_y == 2 &&
                       g->stride_x == 2 && g->dilation == 1 && g->groups == 1;
    return !slots->is_direct && slots->nr >= STRIDE2_MIN_NR && is_possible && g->in_c >= 16 &&
           g->filters >= 32 && winograd_tiles(g) >= 25;
}

/* More filters take the streamed way, where sixteen threads share out the channels. */
bool winograd_half_wins(const struct conv_slots *slots, const struct conv_geometry *g)
{
    bool is_fused = g->filters <= HALF_FUSED_FILTERS;
    return winograd_stride2_wins(slots, g) && g->pad_y == 1 && g->pad_x == 1 &&
           g->in_h <= 2 * g->out_h && g->in_w <= 2 * g->out_w &&
           (is_fused || g->in_c >= HALF_STREAMED_CHANNELS);
}

/* ---- forward ---- */

static bool needs_all(int outputs, int point)
{
    (void)outputs;
    (void)point;
    return true;
}

/* What differs with the stride. With stride 2 and 1/2 a tile's line has more points of V and M than of U: the last ones, of the odd samples,
 * share one of U. */
struct scheme {
    int samples;  /* of a line */
    size_t input; /* points of V and M in a line */
    bool (*needs)(int outputs, int point);
    /* fused: tiles that a thread has in its L2, at most, and L2_PARTS of it for U; streamed: channels of a slice, at most. Measured. */
    size_t fused_tiles, fused_u, slice;
};

static const struct scheme *scheme_of(const struct conv_geometry *g)
{
    static const struct scheme schemes[] = {[1] = {.samples = WINOGRAD_INPUT,
                                                   .input = WINOGRAD_INPUT,
                                                   .needs = winograd_needs,
                                                   .fused_tiles = 48,
                                                   .fused_u = 80,
                                                   .slice = 64},
                                            [2] = {.samples = WINOGRAD_STRIDE2_INPUT,
                                                   .input = WINOGRAD_STRIDE2_INPUT,
                                                   .needs = winograd_stride2_needs,
                                                   .fused_tiles = 24,
                                                   .fused_u = 128,
                                                   .slice = 128},
                                            [CONV_HALF_STRIDE] = {.samples = WINOGRAD_HALF_INPUT,
                                                                  .input = WINOGRAD_STRIDE2_INPUT,
                                                                  .needs = needs_all,
                                                                  .fused_tiles = 24,
                                                                  .fused_u = 128,
                                                                  .slice = 128}};
    return &schemes[g->stride_y];
}

enum {
    MAX_TILES = 128, /* of a block */
    FUSED_V_FLOATS = U_POINTS * 24 * 128,
    SHARED_MAX_U_FLOATS = 1280 << 10, /* of the fused way, in a quick third-level cache */
    STREAMED_MAX_TILES = MAX_TILES,
    FUSED_MIN_TILES = 65,
    STREAMED_MAX_PANELS = 2,
    PART_FILTERS = 16,         /* of a panel, at least */
    MIN_L2_FLOATS = 128 << 10, /* by which cuts are made, and at most: caches may be shared */
    MAX_L2_FLOATS = 512 << 10,
    L2_PARTS = 128,         /* of these, */
    STREAMED_L2_PARTS = 90, /* for V and M */
    FUSED_L2_PARTS = 48,
    FUSED_LEAST_TILES = 24,
    ROW_L2_PARTS = 12,   /* for a row of points of U */
    ALONE_THREADS = 4,   /* as many, at most, share nothing */
    FILTERS_OF_TILE = 4, /* U of them takes as long as V of a tile that other cores wrote */
};

/* Tiles that go through the steps together. Those with one or two columns (narrow) or rows (low) of pixels do not need
 * all points, so their order is: narrow, whole, low, low and narrow. Then the tiles of each matrix are a run. */
struct block {
    size_t first[5]; /* of each kind, and the end */
    int low, narrow; /* rows and columns of those */
    const struct scheme *scheme;
    struct winograd_place places[MAX_TILES];
};

/* What a thread has in its memory, before its V, M and U. */
struct worker {
    size_t made; /* fused: 1 if there is U; streamed: 1 more than the chunk of V */
    struct block block;
};
enum { WORKER_BYTES = (sizeof(struct worker) + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN };

static size_t kind_of(const struct winograd_place *place)
{
    bool is_low = place->rows <= 2, is_narrow = place->columns <= 2;
    return is_low ? (is_narrow ? 3 : 2) : is_narrow ? 0 : 1;
}

static void block_fill(struct block *b, const struct conv_geometry *g, size_t first, size_t count)
{
    b->scheme = scheme_of(g);
    b->low = g->out_h % winograd_side(g);
    b->narrow = g->out_w % winograd_side(g);
    struct winograd_place places[MAX_TILES];
    size_t counts[4] = {0};
    for (size_t i = 0; i < count; i++) {
        places[i] = winograd_place_of(g, first + i);
        counts[kind_of(&places[i])]++;
    }
    b->first[0] = 0;
    for (size_t kind = 0; kind < 4; kind++) {
        b->first[kind + 1] = b->first[kind] + counts[kind];
    }
    for (size_t i = count; i > 0; i--) {
        size_t kind = kind_of(&places[i - 1]);
        b->places[b->first[kind] + --counts[kind]] = places[i - 1];
    }
}

/* The tiles that need this matrix: [*begin, end). */
static size_t block_run(const struct block *b, size_t xi, size_t *begin)
{
    bool low = b->scheme->needs(b->low, (int)(xi / b->scheme->input));
    bool narrow = b->scheme->needs(b->narrow, (int)(xi % b->scheme->input));
    *begin = b->first[narrow ? 0 : 1];
    return b->first[!low ? 2 : narrow ? 4 : 3];
}

/* Sizes by geometry and number of tiles; none of them changes a sum. Distances in floats: between the 36 matrices (_xi), between tiles
 * (_row), between panels; V lies in slices of `slice` channels. */
struct layout {
    const struct scheme *scheme;
    size_t points;
    bool fused;
    size_t image_tiles, chunk_tiles;
    size_t channels, panels, slice, slices;
    /* Streamed: what a thread takes at a time, of the 6 rows of points; of how many of them it has U. A panel may be
     * cut into parts for as many threads. */
    size_t rows, group_panels, u_rows, max_parts;
    size_t v_row, v_xi, v_slice, m_row, m_xi, m_panel, u_xi;
    /* Do threads share what all of them need, V of a chunk (streamed) or U (fused)? Else each makes its own. */
    bool shares;
    size_t zeros_bytes, v_bytes, m_bytes, u_bytes, worker_bytes;
};

/* What cuts count on. */
static size_t l2_floats(const struct conv_slots *slots)
{
    size_t floats = slots->l2_floats < MAX_L2_FLOATS ? slots->l2_floats : MAX_L2_FLOATS;
    return floats > MIN_L2_FLOATS ? floats : MIN_L2_FLOATS;
}

/* Matrices of some of the 6 rows of points of U, at most. */
static size_t matrices_of(const struct layout *l, size_t rows)
{
    size_t input = l->scheme->input;
    return (rows + input - U_LINE) * input;
}

/* As many rows of points as leave room for two panels of M, and as many panels as fit then. */
static void cut_l2(struct layout *l, size_t l2)
{
    size_t room = l2 / L2_PARTS * STREAMED_L2_PARTS;
    l->rows = U_LINE;
    while (l->rows > 1 && matrices_of(l, l->rows) * (l->v_xi + 2 * l->m_xi) > room) {
        l->rows = l->rows == U_LINE ? U_LINE / 2 : l->rows - 1;
    }
    l->u_rows = l2 >= CONV_LARGE_L2_FLOATS && l->rows == U_LINE ? U_LINE : 1;
    size_t v = matrices_of(l, l->rows) * l->v_xi, m = matrices_of(l, l->rows) * l->m_xi;
    size_t fit = v + m < room ? (room - v) / m : 1;
    l->group_panels = fit < STREAMED_MAX_PANELS ? fit : STREAMED_MAX_PANELS;
}

/* Tiles whose V and M leave room in L2 for U and for the pixels that come and go; `most` for want of memory. */
static size_t fused_tiles(const struct layout *l, size_t l2, size_t mr, size_t most)
{
    size_t room = l2 / L2_PARTS * FUSED_L2_PARTS / (l->points * (l->v_row + l->m_row)) / mr * mr;
    size_t tiles = room > FUSED_LEAST_TILES ? room : FUSED_LEAST_TILES;
    tiles = tiles < l->scheme->fused_tiles ? tiles : l->scheme->fused_tiles;
    return tiles < most ? tiles : most;
}

static bool shares_work(void)
{
    return parallel_threads() > ALONE_THREADS;
}

/* Is all of U kept? Where threads do not share panels out evenly they share tiles. */
static bool keeps_u(const struct conv_slots *slots, const struct conv_geometry *g,
                    const struct layout *l)
{
    size_t filters = (size_t)g->filters, columns = conv_round_up(filters, (size_t)slots->width);
    size_t floats = U_POINTS * l->channels * columns, l2 = l2_floats(slots);
    size_t threads = (size_t)parallel_threads(), nr = (size_t)slots->nr;
    size_t parts = conv_ceil_div(threads, l->panels);
    size_t share = parts < l->max_parts ? nr / parts : nr / l->max_parts;
    size_t turns = conv_ceil_div(conv_ceil_div(filters, share), threads);
    bool is_even = !shares_work() || 5 * filters >= 4 * turns * share * threads;
    return floats <= (l2 >= CONV_LARGE_L2_FLOATS && is_even ? l2 / L2_PARTS * l->scheme->fused_u
                                                            : SHARED_MAX_U_FLOATS);
}

static size_t common_bytes(const struct layout *l)
{
    return !l->shares ? 0 : l->fused ? l->u_bytes : l->v_bytes;
}

/* chunk_tiles: streamed, of a chunk. */
static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g,
                               size_t chunk_tiles)
{
    size_t nr = (size_t)slots->nr, mr = (size_t)slots->mr;
    struct layout l = {.scheme = scheme_of(g),
                       .image_tiles = winograd_tiles(g),
                       .channels = (size_t)g->in_c,
                       .panels = conv_ceil_div((size_t)g->filters, nr),
                       .max_parts = nr > PART_FILTERS ? nr / PART_FILTERS : 1};
    l.points = l.scheme->input * l.scheme->input;
    size_t whole_row = conv_round_up(l.channels, 16);
    size_t fit = FUSED_V_FLOATS / (l.points * whole_row) / mr * mr;
    l.fused = fit >= mr && l.image_tiles >= FUSED_MIN_TILES && keeps_u(slots, g, &l);
    size_t l2 = l2_floats(slots);
    size_t streamed = l2 / L2_PARTS * ROW_L2_PARTS / (U_LINE * nr) / 16 * 16;
    streamed = streamed < l.scheme->slice ? streamed : l.scheme->slice;
    l.slice = l.fused ? l.channels : streamed;
    l.slices = conv_ceil_div(l.channels, l.slice);
    l.v_row = conv_round_up(l.slice, 16);
    size_t width = conv_panel_width(slots, (size_t)g->filters, 0);
    l.m_row = conv_round_up(width, 16);
    l.chunk_tiles = l.fused ? fused_tiles(&l, l2, mr, fit) : chunk_tiles;
    l.v_xi = l.chunk_tiles * l.v_row + XI_PAD;
    l.v_slice = l.points * l.v_xi;
    l.m_xi = l.chunk_tiles * l.m_row + XI_PAD;
    l.m_panel = l.points * l.m_xi;
    l.u_xi = l.slice * width + XI_PAD;
    cut_l2(&l, l2);
    l.zeros_bytes = whole_row * sizeof(float);
    l.v_bytes = l.slices * l.v_slice * sizeof(float);
    l.m_bytes = (l.fused ? 1 : l.group_panels) * l.m_panel * sizeof(float);
    size_t u_floats = l.fused ? l.panels * U_POINTS * l.u_xi : l.u_rows * U_LINE * l.u_xi;
    l.u_bytes = conv_round_up(u_floats * sizeof(float), MEM_ALIGN);
    l.shares = shares_work();
    l.worker_bytes =
        parallel_stride(WORKER_BYTES + l.v_bytes + l.m_bytes + l.u_bytes - common_bytes(&l));
    return l;
}

size_t winograd_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g)
{
    return TAPS * (size_t)g->in_c * conv_round_up((size_t)g->filters, (size_t)slots->width);
}

size_t winograd_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t threads = (size_t)parallel_threads(), most = 0;
    for (size_t tiles = 1; tiles <= STREAMED_MAX_TILES; tiles++) {
        struct layout l = layout_of(slots, g, tiles);
        size_t bytes = l.zeros_bytes + common_bytes(&l) + threads * l.worker_bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

struct pack_job {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    const struct conv_weights *weights;
    float *packed;
};

/* One panel: [c][tap][its width]. */
static void pack_panel(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    size_t nr = (size_t)job->slots->nr, channels = (size_t)job->g->in_c;
    size_t width = conv_panel_width(job->slots, (size_t)job->g->filters, panel);
    struct conv_weights w = *job->weights;
    struct conv_pack p = {.weights = &w,
                          .kernel_w = 3,
                          .taps = TAPS,
                          .filters = conv_range_size((size_t)job->g->filters, nr, panel),
                          .nr = width,
                          .to = job->packed + panel * channels * TAPS * nr,
                          .tap_step = width,
                          .channel_step = TAPS * width};
    w.at += panel * nr * w.filter;
    for (size_t c = 0; c < channels; c += CONV_PACK_CHANNELS) {
        p.channels = conv_range_size(channels, CONV_PACK_CHANNELS, c / CONV_PACK_CHANNELS);
        conv_pack_block(job->slots, &p);
        p.to += CONV_PACK_CHANNELS * p.channel_step;
        w.at += CONV_PACK_CHANNELS * w.channel;
    }
}

void winograd_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                   const struct conv_weights *w, float *packed)
{
    struct pack_job job = {.slots = slots, .g = g, .weights = w, .packed = packed};
    parallel_for(conv_ceil_div((size_t)g->filters, (size_t)slots->nr), pack_panel, &job);
}

struct job {
    const struct conv_run *run;
    const struct winograd_forward *transforms;
    struct layout layout;
    size_t tiles, chunks; /* of the whole batch */
    size_t groups, parts; /* streamed: of panels; of each if it is one */
    struct block block;   /* streamed, shared: on its way */
    const float *zeros;
    float *common; /* shared U or V */
    char *workers;
};

/* U is [panel][xi][c][nr] if it is all there. */
struct room {
    struct worker *worker;
    float *v, *m, *u;
};

static struct room room_of(const struct job *job, size_t thread)
{
    const struct layout *l = &job->layout;
    char *at = job->workers + thread * l->worker_bytes;
    struct room r = {.worker = (struct worker *)(void *)at, .v = job->common, .u = job->common};
    at += WORKER_BYTES;
    r.m = (float *)(void *)at;
    at += l->m_bytes;
    if (l->fused || !l->shares) {
        r.v = (float *)(void *)at;
        at += l->v_bytes;
    }
    if (!l->fused || !l->shares) {
        r.u = (float *)(void *)at;
    }
    return r;
}

/* v points at the tile's row of the first matrix of the first slice. */
static void transform_input(const struct job *job, const struct winograd_place *place, float *v)
{
    const struct conv_geometry *g = job->run->g;
    const struct layout *l = &job->layout;
    const struct tensor *in = job->run->in;
    const float *pixels[MAX_POINTS];
    int side = l->scheme->samples, step = winograd_step(g), tile = winograd_side(g);
    int y = place->y / tile * step - g->pad_y, x = place->x / tile * step - g->pad_x;
    bool is_inside = y >= 0 && x >= 0 && y + side <= in->h && x + side <= in->w;
    if (!is_inside) {
        winograd_square(in, place->n, y, x, side, job->zeros, pixels);
    }
    struct winograd_input w = {.in = is_inside ? NULL : pixels,
                               .first = is_inside ? tensor_at(in, place->n, y, x) : NULL,
                               .row_stride = (size_t)in->w * in->stride,
                               .pixel_stride = in->stride,
                               .rows = place->rows,
                               .columns = place->columns,
                               .xi_stride = l->v_xi,
                               .ahead = (size_t)step * in->stride};
    for (size_t c = 0; c < l->channels; c += l->slice) {
        w.offset = c;
        w.channels = conv_range_size(l->channels, l->slice, c / l->slice);
        w.v = v;
        job->transforms->input(&w);
        v += l->v_slice;
    }
}

/* M[xi] (+)= V[xi] U[xi] for the tiles of a block over `channels` channels. */
struct product {
    const struct block *block;
    const float *v, *u; /* of the first matrix; u of `row` */
    float *m;
    size_t channels;
    size_t width; /* of the weights' panel */
    int filters;
    bool accumulate;
    struct winograd_ahead *ahead; /* comes closer meanwhile */
};

static void multiply(const struct job *job, const struct product *p, struct conv_product *matrix,
                     size_t xi, size_t next_xi)
{
    const struct layout *l = &job->layout;
    size_t begin, end = block_run(p->block, xi, &begin);
    matrix->in = p->v + xi * l->v_xi + begin * l->v_row;
    matrix->rows = end - begin;
    matrix->acc = p->m + xi * l->m_xi + begin * l->m_row;
    matrix->next = p->v + next_xi * l->v_xi;
    matrix->ahead = winograd_ahead_now(p->ahead);
    if (end > begin) {
        job->run->slots->product(matrix);
    }
}

/* The matrices of one row of points of U. */
static void multiply_row(const struct job *job, const struct product *p, size_t row)
{
    const struct layout *l = &job->layout;
    size_t input = l->scheme->input, rows = winograd_lines_end(input, row) - row;
    struct conv_product matrix = {.in_stride = l->v_row,
                                  .channels = p->channels,
                                  .acc_stride = l->m_row,
                                  .filters = p->filters,
                                  .accumulate = p->accumulate};
    for (size_t i = 0; i < U_LINE; i++) {
        size_t columns = winograd_lines_end(input, i) - i, count = rows * columns;
        matrix.panel = p->u + i * l->u_xi;
        size_t xi = row * input + i;
        for (size_t j = 0; j < count; j++) {
            size_t after = j + 1 < count ? (row + (j + 1) / columns) * input + i + (j + 1) % columns
                                         : row * input + i + 1;
            multiply(job, p, &matrix, xi, after);
            xi = after;
        }
    }
}

/* All tiles of M of `filters` filters from k on, at most a panel, to the output. */
static void transform_output(const struct job *job, const struct block *block, size_t k,
                             size_t filters, const float *m)
{
    const struct conv_run *run = job->run;
    const struct conv_epilogue *e = run->epilogue;
    const struct winograd_place *places = block->places;
    size_t count = block->first[4];
    struct winograd_output w = {.xi_stride = job->layout.m_xi,
                                .filters = (int)filters,
                                .row_stride = (size_t)run->out->w * run->out->stride,
                                .pixel_stride = run->out->stride,
                                .scale = e->scale ? e->scale + k : NULL,
                                .shift = e->shift ? e->shift + k : NULL,
                                .act = e->act,
                                .adds = run->adds};
    for (size_t i = 0; i < count; i++) {
        w.m = m + i * job->layout.m_row;
        w.rows = places[i].rows;
        w.columns = places[i].columns;
        w.out = tensor_at(run->out, places[i].n, places[i].y, places[i].x) + k;
        job->transforms->output(&w);
    }
}

/* U of the channels of one panel that an item stands for. */
static void fused_filter(const struct job *job, size_t item, float *u)
{
    const struct layout *l = &job->layout;
    const struct conv_slots *slots = job->run->slots;
    size_t panel = item / U_PARTS;
    size_t width = conv_panel_width(slots, (size_t)job->run->g->filters, panel);
    size_t first = conv_cut(l->channels, U_PARTS, item % U_PARTS);
    size_t end = conv_cut(l->channels, U_PARTS, item % U_PARTS + 1);
    const float *weights = job->run->packed + panel * l->channels * TAPS * (size_t)slots->nr;
    struct winograd_filter w = {.weights = weights + first * TAPS * width,
                                .channels = end - first,
                                .width = width,
                                .columns = width,
                                .row = WINOGRAD_ALL_ROWS,
                                .u = u + panel * U_POINTS * l->u_xi + first * width,
                                .xi_stride = l->u_xi};
    job->transforms->filter(&w);
}

static void fused_filter_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    fused_filter(job, item, job->common);
}

/* Where a chunk's tiles begin. */
static size_t chunk_begin(const struct job *job, size_t chunk)
{
    return conv_cut(job->tiles, job->chunks, chunk < job->chunks ? chunk : job->chunks);
}

/* How many tiles a chunk has; they are the block's. */
static size_t chunk_fill(const struct job *job, size_t chunk, struct block *block)
{
    size_t first = chunk_begin(job, chunk), count = chunk_begin(job, chunk + 1) - first;
    block_fill(block, job->run->g, first, count);
    return count;
}

/* The tiles of a chunk and their V, for this thread alone. */
static void take_chunk(const struct job *job, const struct room *r, size_t chunk)
{
    struct block *block = &r->worker->block;
    size_t count = chunk_fill(job, chunk, block);
    for (size_t i = 0; i < count; i++) {
        transform_input(job, &block->places[i], r->v + i * job->layout.v_row);
    }
}

/* Output that a chunk's tiles are about to write, then what the next chunk reads if these are the last. */
static struct winograd_ahead ahead_of(const struct job *job, size_t chunk, size_t k, size_t filters,
                                      bool is_last)
{
    size_t first = chunk_begin(job, chunk), end = chunk_begin(job, chunk + 1);
    size_t next_end = is_last ? chunk_begin(job, chunk + 2) : end;
    return (struct winograd_ahead){
        .then = {winograd_output_ahead(job->run, first, end, k, k + filters),
                 winograd_input_ahead(job->run, end, next_end)}};
}

static void fused_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    struct room r = room_of(job, (size_t)thread);
    if (!l->shares && !r.worker->made) {
        for (size_t i = 0; i < l->panels * U_PARTS; i++) {
            fused_filter(job, i, r.u);
        }
        r.worker->made = 1;
    }
    size_t nr = (size_t)job->run->slots->nr, filters = (size_t)job->run->g->filters;
    take_chunk(job, &r, item);
    const struct block *block = &r.worker->block;
    struct winograd_ahead ahead;
    struct product p = {
        .block = block, .v = r.v, .m = r.m, .channels = l->channels, .ahead = &ahead};
    for (size_t panel = 0; panel < l->panels; panel++) {
        p.filters = (int)conv_range_size(filters, nr, panel);
        ahead = ahead_of(job, item, panel * nr, (size_t)p.filters, panel + 1 == l->panels);
        for (size_t row = 0; row < U_LINE; row++) {
            p.u = r.u + (panel * U_POINTS + row * U_LINE) * l->u_xi;
            multiply_row(job, &p, row);
        }
        transform_output(job, block, panel * nr, (size_t)p.filters, r.m);
    }
}

static void streamed_input(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    transform_input(job, &job->block.places[item], job->common + item * job->layout.v_row);
}

/* Some rows of points of a slice of channels for one panel: U from the weights and the products. */
static void streamed_product(const struct job *job, struct product *p, float *u, size_t first_row)
{
    const struct layout *l = &job->layout;
    const float *weights = p->u;
    for (size_t row = 0; row < l->rows; row++) {
        if (row % l->u_rows == 0) {
            struct winograd_filter w = {.weights = weights,
                                        .channels = p->channels,
                                        .width = p->width,
                                        .columns = (size_t)p->filters,
                                        .row = l->u_rows == 1 ? (int)(first_row + row)
                                                              : WINOGRAD_ALL_ROWS,
                                        .u = u,
                                        .xi_stride = l->u_xi};
            job->transforms->filter(&w);
        }
        p->u = u + row % l->u_rows * U_LINE * l->u_xi;
        multiply_row(job, p, first_row + row);
    }
}

/* A thread's panels, or its part of one. */
struct share {
    size_t first_panel, panels;
    size_t first, count; /* filters of the panel from its first on */
};

static struct share share_of(const struct job *job, size_t item)
{
    size_t nr = (size_t)job->run->slots->nr, filters = (size_t)job->run->g->filters;
    size_t group = item / job->parts, part = item % job->parts;
    struct share s = {.first_panel = conv_cut(job->layout.panels, job->groups, group),
                      .first = conv_cut(job->layout.max_parts, job->parts, part) * PART_FILTERS};
    s.panels = conv_cut(job->layout.panels, job->groups, group + 1) - s.first_panel;
    size_t left = filters - s.first_panel * nr, end = nr;
    if (job->parts > 1) {
        end = conv_cut(job->layout.max_parts, job->parts, part + 1) * PART_FILTERS;
        end = end < left ? end : left;
    }
    s.count = s.first < end ? end - s.first : 0;
    return s;
}

static void streamed_share(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    struct room r = room_of(job, (size_t)thread);
    const struct block *block = l->shares ? &job->block : &r.worker->block;
    size_t shares = job->groups * job->parts, chunk = item / shares;
    if (!l->shares && r.worker->made != chunk + 1) {
        take_chunk(job, &r, chunk);
        r.worker->made = chunk + 1;
    }
    struct share share = share_of(job, item % shares);
    size_t nr = (size_t)job->run->slots->nr, filters = (size_t)job->run->g->filters;
    size_t first = share.first_panel, panels = share.count > 0 ? share.panels : 0;
    size_t panel_floats = l->channels * TAPS * nr;
    for (size_t row = 0; row < U_LINE; row += l->rows) {
        for (size_t slice = 0; slice < l->slices; slice++) {
            size_t channels = conv_range_size(l->channels, l->slice, slice);
            for (size_t i = 0; i < panels; i++) {
                size_t count = conv_range_size(filters, nr, first + i);
                size_t width = conv_panel_width(job->run->slots, filters, first + i);
                const float *panel = job->run->packed + (first + i) * panel_floats + share.first;
                const float *weights = panel + slice * l->slice * TAPS * width;
                size_t part = count < share.count ? count : share.count;
                bool is_last = i + 1 == panels, ends = slice + 1 == l->slices;
                struct winograd_ahead ahead = {.now = {.count = 0}};
                if (ends && row + l->rows >= U_LINE && !l->shares) {
                    ahead = ahead_of(job, chunk, (first + i) * nr + share.first, part,
                                     is_last && item % shares + 1 == shares);
                }
                if (!is_last || !ends) {
                    const float *next = is_last ? weights - i * panel_floats + l->slice * TAPS * nr
                                                : weights + panel_floats;
                    ahead.now = winograd_ahead_of(next, channels * TAPS * width);
                }
                struct product p = {.block = block,
                                    .v = r.v + slice * l->v_slice,
                                    .u = weights,
                                    .m = r.m + i * l->m_panel,
                                    .channels = channels,
                                    .width = width,
                                    .filters = (int)part,
                                    .accumulate = slice > 0,
                                    .ahead = &ahead};
                streamed_product(job, &p, r.u, row);
            }
        }
    }
    for (size_t i = 0; i < panels; i++) {
        size_t k = (first + i) * nr + share.first;
        size_t count = filters - k < share.count ? filters - k : share.count;
        transform_output(job, block, k, count, r.m + i * l->m_panel);
    }
}

static void streamed_forward(struct job *job)
{
    const struct layout *l = &job->layout;
    size_t threads = (size_t)parallel_threads();
    /* As many for each thread. */
    size_t even = job->chunks % threads == 0 && !l->shares ? 1 : threads;
    job->groups = conv_round_up(conv_ceil_div(l->panels, l->group_panels), even);
    job->groups = job->groups < l->panels ? job->groups : l->panels;
    job->parts = conv_ceil_div(even, job->groups);
    job->parts = job->parts < l->max_parts ? job->parts : l->max_parts;
    size_t shares = job->groups * job->parts;
    if (!l->shares) {
        parallel_for(job->chunks * shares, streamed_share, job);
        return;
    }
    for (size_t chunk = 0; chunk < job->chunks; chunk++) {
        parallel_for(chunk_fill(job, chunk, &job->block), streamed_input, job);
        parallel_for(shares, streamed_share, job);
    }
}

/* Streamed: threads that make their own V take tiles of their own if U of all filters costs them less than V of all tiles. */
static size_t chunks_of(const struct conv_geometry *g, size_t tiles)
{
    size_t threads = (size_t)parallel_threads(), chunks = conv_ceil_div(tiles, STREAMED_MAX_TILES);
    bool by_tiles = !shares_work() && (size_t)g->filters <= FILTERS_OF_TILE * tiles;
    return by_tiles ? conv_round_up(chunks, threads) : chunks;
}

void winograd_forward(const struct conv_run *run)
{
    const struct winograd_forward *transforms[] = {[1] = &run->slots->winograd,
                                                   [2] = &run->slots->winograd_stride2,
                                                   [CONV_HALF_STRIDE] = &run->slots->winograd_half};
    struct job job = {.run = run,
                      .transforms = transforms[run->g->stride_y],
                      .zeros = run->scratch,
                      .tiles = winograd_tiles(run->g) * (size_t)run->out->n};
    if (job.tiles == 0) {
        return;
    }
    job.chunks = chunks_of(run->g, job.tiles);
    job.layout = layout_of(run->slots, run->g, conv_ceil_div(job.tiles, job.chunks));
    const struct layout *l = &job.layout;
    memset(run->scratch, 0, l->zeros_bytes);
    job.common = (float *)(void *)((char *)run->scratch + l->zeros_bytes);
    job.workers = (char *)job.common + common_bytes(l);
    for (size_t i = 0; i < (size_t)parallel_threads(); i++) {
        room_of(&job, i).worker->made = 0;
    }
    if (!l->fused) {
        streamed_forward(&job);
        return;
    }
    job.chunks = conv_even_items(conv_ceil_div(job.tiles, l->chunk_tiles),
                                 job.tiles / (size_t)run->slots->mr);
    if (l->shares) {
        parallel_for(l->panels * U_PARTS, fused_filter_item, &job);
    }
    parallel_for(job.chunks, fused_item, &job);
}
