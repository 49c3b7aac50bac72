/* Winograd convolution F(4x4, 3x3): Lavin & Gray 2015, arXiv:1509.09308.
 *
 * An output tile of 4x4 pixels costs 36 multiplications a channel instead of 144. Every 6x6 input
 * tile becomes 36 rows V[xi][tile][c] (B^T d B), the weights 36 matrices U[xi][c][k] (G g G^T, made
 * when packing), M[xi] = V[xi] U[xi] are 36 matrix products on the register tile, and A^T M A is the output tile.
 * The points are 0, +-1/sqrt(2), +-sqrt(2), infinity; B^T and A^T stand in conv_template.h.
 *
 * Two ways through memory, same bits. Fused: a thread takes a chunk of tiles through all three steps, so that V and
 * one panel of M stay in its L2; for large images with few channels. Staged: all threads do one step after the other
 * for a block of tiles, so that weights larger than the cache are read once; for small images. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    POINTS = 36,
    TILE = 4,         /* output pixels of a tile's side */
    XI_PAD = 16,      /* floats between the 36 matrices: keeps their rows out of one cache set */
    FUSED_TILES = 24, /* of a chunk, at most FUSED_FLOATS of V */
    FUSED_FLOATS = 36 * 24 * 128,
    STAGED_TILES = 96,
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
    (void)slots;
    return winograd_possible(g) && g->in_c >= 16 && g->filters >= 16 && tiles_of_image(g) > 16;
}

size_t winograd_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t nr = (size_t)slots->nr;
    return POINTS * (size_t)g->in_c * conv_round_up((size_t)g->filters, nr);
}

struct pack_job {
    const struct conv_geometry *g;
    size_t nr;
    const float *weights;
    float *packed;
};

/* G x for a line of three: from[0..2] to to[0..5], each `nr` values. Rows of G: 1 | p, p^2 over the product of differences
 * to the other points | 1. */
static void filter_line(const double *from, size_t from_step, double *to, size_t to_step, size_t nr)
{
    const double a = 0.70710678118654752440, b = 1.41421356237309504880;
    const double *x = from, *y = from + from_step, *z = from + 2 * from_step;
    for (size_t k = 0; k < nr; k++) {
        double even_a = x[k] + z[k] / 2.0, even_b = x[k] + z[k] * 2.0;
        to[k] = x[k];
        to[to_step + k] = (even_a + a * y[k]) * (-2.0 / 3.0);
        to[2 * to_step + k] = (even_a - a * y[k]) * (-2.0 / 3.0);
        to[3 * to_step + k] = (even_b + b * y[k]) * (1.0 / 6.0);
        to[4 * to_step + k] = (even_b - b * y[k]) * (1.0 / 6.0);
        to[5 * to_step + k] = z[k];
    }
}

/* One panel, [xi][c][nr]. */
static void pack_panel(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    size_t nr = job->nr, channels = (size_t)job->g->in_c, first = panel * nr;
    size_t filters = (size_t)job->g->filters - first < nr ? (size_t)job->g->filters - first : nr;
    float *packed = job->packed + panel * POINTS * channels * nr;
    double g[9 * CONV_MAX_NR] = {0}, half[18 * CONV_MAX_NR], u[POINTS * CONV_MAX_NR];
    for (size_t c = 0; c < channels; c++) {
        for (size_t k = 0; k < filters; k++) {
            const float *from = job->weights + ((first + k) * channels + c) * 9;
            for (size_t t = 0; t < 9; t++) {
                g[t * nr + k] = (double)from[t];
            }
        }
        for (size_t s = 0; s < 3; s++) {
            filter_line(g + s * nr, 3 * nr, half + s * nr, 3 * nr, nr);
        }
        for (size_t r = 0; r < 6; r++) {
            filter_line(half + r * 3 * nr, nr, u + r * 6 * nr, nr, nr);
        }
        for (size_t xi = 0; xi < POINTS; xi++) {
            float *to = packed + (xi * channels + c) * nr;
            for (size_t k = 0; k < nr; k++) {
                to[k] = (float)u[xi * nr + k];
            }
        }
    }
}

void winograd_pack(const struct conv_slots *slots, const struct conv_geometry *g, const float *weights,
                   float *packed)
{
    struct pack_job job = {
        .g = g, .nr = (size_t)slots->nr, .weights = weights, .packed = packed};
    parallel_for(conv_ceil_div((size_t)g->filters, job.nr), pack_panel, &job);
}

/* Sizes by geometry; v_xi and m_xi are the distances between the 36 matrices, in floats. */
struct layout {
    bool fused;
    size_t image_tiles, chunk_tiles;
    size_t panels, v_row, v_xi, m_row, m_xi;
    size_t zeros_bytes, v_bytes, m_bytes;
};

static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t nr = (size_t)slots->nr;
    struct layout l = {.image_tiles = tiles_of_image(g),
                       .panels = conv_ceil_div((size_t)g->filters, nr),
                       .v_row = conv_round_up((size_t)g->in_c, 16)};
    size_t fit = FUSED_FLOATS / (POINTS * l.v_row);
    size_t mr = (size_t)slots->mr;
    l.fused = fit >= mr && l.image_tiles > STAGED_TILES;
    l.chunk_tiles = l.fused ? fit / mr * mr : STAGED_TILES;
    if (l.fused && l.chunk_tiles > 2 * FUSED_TILES) {
        l.chunk_tiles = 2 * FUSED_TILES;
    }
    l.m_row = l.fused ? conv_round_up(nr, 16) : conv_round_up(l.panels * nr, 16);
    l.v_xi = l.chunk_tiles * l.v_row + XI_PAD;
    l.m_xi = l.chunk_tiles * l.m_row + XI_PAD;
    l.zeros_bytes = l.v_row * sizeof(float);
    l.v_bytes = POINTS * l.v_xi * sizeof(float);
    l.m_bytes = POINTS * l.m_xi * sizeof(float);
    return l;
}

size_t winograd_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    struct layout l = layout_of(slots, g);
    size_t copies = l.fused ? (size_t)parallel_threads() : 1;
    return l.zeros_bytes + copies * (l.v_bytes + l.m_bytes);
}

struct job {
    const struct conv_run *run;
    struct layout layout;
    size_t tiles, chunks;       /* of the whole batch */
    size_t first_tile, count;   /* staged: the block of tiles on its way */
    const float *zeros;
    char *work;
};

struct place {
    size_t n;
    int y, x; /* first output pixel */
};

static struct place tile_place(const struct job *job, size_t tile)
{
    size_t in_row = conv_ceil_div((size_t)job->run->g->out_w, TILE);
    size_t in_image = tile % job->layout.image_tiles;
    return (struct place){.n = tile / job->layout.image_tiles,
                          .y = (int)(in_image / in_row) * TILE,
                          .x = (int)(in_image % in_row) * TILE};
}

static void transform_input(const struct job *job, size_t tile, float *v)
{
    const struct conv_geometry *g = job->run->g;
    struct place place = tile_place(job, tile);
    const float *pixels[POINTS];
    for (int r = 0; r < 6; r++) {
        int y = place.y - g->pad_y + r;
        bool row_inside = y >= 0 && y < g->in_h;
        for (int s = 0; s < 6; s++) {
            int x = place.x - g->pad_x + s;
            pixels[r * 6 + s] = row_inside && x >= 0 && x < g->in_w
                                    ? tensor_at(job->run->in, (int)place.n, y, x)
                                    : job->zeros;
        }
    }
    struct winograd_input w = {
        .in = pixels, .channels = (size_t)g->in_c, .v = v, .xi_stride = job->layout.v_xi};
    job->run->slots->winograd_input(&w);
}

/* M[xi][0, count)[panel] = V[xi][0, count) U[panel][xi]; m points at the panel's first column. */
static void multiply(const struct job *job, size_t xi, size_t panel, size_t count, const float *v,
                     float *m)
{
    const struct conv_slots *slots = job->run->slots;
    size_t mr = (size_t)slots->mr, nr = (size_t)slots->nr;
    size_t channels = (size_t)job->run->g->in_c;
    size_t filters = (size_t)job->run->g->filters - panel * nr;
    const float *table[CONV_MAX_MR];
    struct conv_tile t = {.in = table,
                          .taps = 1,
                          .channels = channels,
                          .panel = job->run->packed + (panel * POINTS + xi) * channels * nr,
                          .acc_stride = job->layout.m_row,
                          .filters = (int)(filters < nr ? filters : nr)};
    size_t blocks = conv_ceil_div(count, mr);
    for (size_t b = 0; b < blocks; b++) {
        size_t first = conv_cut(count, blocks, b);
        t.pixels = (int)(conv_cut(count, blocks, b + 1) - first);
        for (size_t i = 0; i < (size_t)t.pixels; i++) {
            table[i] = v + xi * job->layout.v_xi + (first + i) * job->layout.v_row;
        }
        t.acc = m + xi * job->layout.m_xi + first * job->layout.m_row;
        slots->tile(&t);
    }
}

/* m points at the tile's first of `filters` columns, which are filters first_k and on. */
static void transform_output(const struct job *job, size_t tile, size_t first_k, size_t filters,
                             const float *m)
{
    const struct conv_run *run = job->run;
    const struct conv_epilogue *e = run->epilogue;
    struct place place = tile_place(job, tile);
    int rows = run->g->out_h - place.y, columns = run->g->out_w - place.x;
    struct winograd_output w = {
        .m = m,
        .xi_stride = job->layout.m_xi,
        .filters = (int)filters,
        .rows = rows < TILE ? rows : TILE,
        .columns = columns < TILE ? columns : TILE,
        .out = tensor_at(run->out, (int)place.n, place.y, place.x) + first_k,
        .row_stride = (size_t)run->out->w * run->out->stride,
        .pixel_stride = run->out->stride,
        .scale = e->scale ? e->scale + first_k : NULL,
        .shift = e->shift ? e->shift + first_k : NULL,
        .act = e->act};
    run->slots->winograd_output(&w);
}

static void fused_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct layout *l = &job->layout;
    size_t first = conv_cut(job->tiles, job->chunks, item);
    size_t count = conv_cut(job->tiles, job->chunks, item + 1) - first;
    char *mine = job->work + (size_t)thread * (l->v_bytes + l->m_bytes);
    float *v = (float *)(void *)mine, *m = (float *)(void *)(mine + l->v_bytes);
    for (size_t i = 0; i < count; i++) {
        transform_input(job, first + i, v + i * l->v_row);
    }
    size_t nr = (size_t)job->run->slots->nr, all = (size_t)job->run->g->filters;
    for (size_t panel = 0; panel < l->panels; panel++) {
        for (size_t xi = 0; xi < POINTS; xi++) {
            multiply(job, xi, panel, count, v, m);
        }
        size_t filters = all - panel * nr < nr ? all - panel * nr : nr;
        for (size_t i = 0; i < count; i++) {
            transform_output(job, first + i, panel * nr, filters, m + i * l->m_row);
        }
    }
}

static float *staged_v(const struct job *job)
{
    return (float *)(void *)job->work;
}

static float *staged_m(const struct job *job)
{
    return (float *)(void *)(job->work + job->layout.v_bytes);
}

static void staged_input(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    transform_input(job, job->first_tile + item, staged_v(job) + item * job->layout.v_row);
}

static void staged_multiply(void *ctx, size_t xi, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    size_t nr = (size_t)job->run->slots->nr;
    for (size_t panel = 0; panel < job->layout.panels; panel++) {
        multiply(job, xi, panel, job->count, staged_v(job), staged_m(job) + panel * nr);
    }
}

static void staged_output(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    transform_output(job, job->first_tile + item, 0, (size_t)job->run->g->filters,
                     staged_m(job) + item * job->layout.m_row);
}

void winograd_forward(const struct conv_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->slots, run->g), .zeros = run->scratch};
    memset(run->scratch, 0, job.layout.zeros_bytes);
    job.work = (char *)run->scratch + job.layout.zeros_bytes;
    job.tiles = job.layout.image_tiles * (size_t)run->out->n;
    job.chunks = conv_ceil_div(job.tiles, job.layout.chunk_tiles);
    if (job.layout.fused) {
        parallel_for(job.chunks, fused_item, &job);
        return;
    }
    for (size_t chunk = 0; chunk < job.chunks; chunk++) {
        job.first_tile = conv_cut(job.tiles, job.chunks, chunk);
        job.count = conv_cut(job.tiles, job.chunks, chunk + 1) - job.first_tile;
        parallel_for(job.count, staged_input, &job);
        parallel_for(POINTS, staged_multiply, &job);
        parallel_for(job.count, staged_output, &job);
    }
}
