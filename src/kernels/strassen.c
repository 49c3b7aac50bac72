/* A 1x1 convolution of many channels as seven products of blocks in place of eight: Strassen's algorithm in Winograd's form,
 * with fifteen sums (Strassen 1969, Numerische Mathematik 13; Winograd 1971, Linear Algebra and its Applications 4), once.
 *
 * Rows are an image's pixels, columns filters. The blocks of the left factor are its even and its odd pixels by the first and the second
 * half of the channels, those of the right one halves of the channels by panels of filters: a panel of the first half with one of the
 * second. With s and t the sums that struct strassen_factor names,
 *
 *   p1 = a11 b11   p2 = a12 b21   p3 = s4 b22   p4 = a22 t4   p5 = s1 t1   p6 = s2 t2   p7 = s3 t3
 *   out11 = p1 + p2   out12 = p1 + p6 + p5 + p3   out21 = p1 + p6 + p7 + p4   out22 = p1 + p6 + p7 + p5
 *
 * The signs of a12, a22, b21 and b22 are turned against Winograd's, which changes no product: of neighbours, mostly positive, s1, s3
 * and s4 are then differences, and less is rounded away.
 *
 * An odd last pixel has zeros beside it. A pixel's rounding depends on the one that it is paired with, thus on the shape alone. Each
 * thread makes its s and t itself, in its own cache. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/parallel.h"

enum {
    MIN_CHANNELS = 128,
    MIN_FLOATS = 256 * 128, /* channels x filters; of fewer the sums take what is spared */
    MIN_PAIRS = 32,
    ITEM_PAIRS = 192, /* of pixels that use a panel's sums */
    BLOCK_PAIRS = 48, /* whose products are there at a time */
    ROW_GAP = 16      /* floats: rows at powers of two would share sets of a cache */
};

static size_t panels_of(const struct conv_slots *slots, const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->filters, (size_t)slots->nr);
}

static size_t pairs_of(const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->out_h * (size_t)g->out_w, 2);
}

bool strassen_wins(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t channels = (size_t)g->in_c, panels = panels_of(slots, g);
    bool halves = channels % 32 == 0 && panels % 2 == 0 &&
                  conv_panel_width(slots, (size_t)g->filters, panels - 1) == (size_t)slots->nr;
    return !slots->is_direct && conv_is_product(g) && halves && channels >= MIN_CHANNELS &&
           channels * (size_t)g->filters >= MIN_FLOATS && pairs_of(g) >= MIN_PAIRS;
}

/* Floats, of one thread. */
struct layout {
    size_t half;          /* channels */
    size_t row;           /* from pixel to pixel of a sum */
    size_t left, right;   /* a sum of the pixels' and of a panel's */
    size_t product;       /* one of the seven */
    size_t products, all; /* where they begin, behind zeros and sums; from thread to thread */
};

static struct layout layout_of(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t pairs = pairs_of(g), nr = (size_t)slots->nr;
    struct layout l = {.half = (size_t)g->in_c / 2};
    l.row = l.half + ROW_GAP;
    l.left = (pairs < ITEM_PAIRS ? pairs : ITEM_PAIRS) * l.row;
    l.right = l.half * nr;
    l.product = (pairs < BLOCK_PAIRS ? pairs : BLOCK_PAIRS) * nr;
    l.products = l.half + 4 * (l.left + l.right);
    l.all = parallel_stride((l.products + 7 * l.product) * sizeof(float)) / sizeof(float);
    return l;
}

size_t strassen_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g)
{
    return (size_t)parallel_threads() * layout_of(slots, g).all * sizeof(float);
}

struct job {
    const struct conv_run *run;
    struct layout layout;
    size_t pairs, chunks; /* of an image, and into how many items */
    size_t panel_pairs, panel_ranges;
};

/* The pairs [first, first + count) of an image. */
struct piece {
    const struct job *job;
    size_t image, first, count;
    float *zeros, *left[4], *right[4], *products[7];
};

/* The first pixel of a pair; the second one follows it. */
static const float *pair_at(const struct piece *p, size_t pair)
{
    const struct tensor *in = p->job->run->in;
    return tensor_at(in, (int)p->image, 0, 0) + 2 * pair * in->stride;
}

static bool has_partner(const struct job *job, size_t pair)
{
    return 2 * pair + 1 < (size_t)job->run->out->h * (size_t)job->run->out->w;
}

static void sum_pixels(const struct piece *p)
{
    const struct layout *l = &p->job->layout;
    for (size_t i = 0; i < p->count; i++) {
        const float *upper = pair_at(p, p->first + i), *lower = upper + p->job->run->in->stride;
        bool is_pair = has_partner(p->job, p->first + i);
        struct strassen_factor f = {
            .block = {{upper, upper + l->half},
                      {is_pair ? lower : p->zeros, is_pair ? lower + l->half : p->zeros}},
            .floats = l->half};
        for (int k = 0; k < 4; k++) {
            f.to[k] = p->left[k] + i * l->row;
        }
        p->job->run->slots->strassen.left(&f);
    }
}

/* The panel with the one half of all panels further on. */
static struct strassen_factor panels_at(const struct piece *p, size_t panel)
{
    const struct layout *l = &p->job->layout;
    const float *left = p->job->run->packed + panel * 2 * l->right;
    const float *right = left + p->job->panel_pairs * 2 * l->right;
    struct strassen_factor f = {.block = {{left, right}, {left + l->right, right + l->right}},
                                .floats = l->right};
    memcpy(f.to, p->right, sizeof f.to);
    return f;
}

/* A factor's rows. */
struct rows {
    const float *at;
    size_t stride, count;
};

/* The products of the pairs [first, first + rows), of which `lower` have two pixels, to the output. */
static void finish_block(const struct piece *p, size_t panel, size_t first, size_t rows,
                         size_t lower)
{
    const struct job *job = p->job;
    const struct conv_run *run = job->run;
    size_t nr = (size_t)run->slots->nr;
    size_t right = job->panel_pairs * nr, filter = panel * nr;
    const struct conv_epilogue *e = run->epilogue;
    struct strassen_finish finish = {.nr = nr,
                                     .rows = rows,
                                     .lower = lower,
                                     .out_stride = 2 * run->out_pixel,
                                     .right = right,
                                     .act = e->act,
                                     .adds = run->adds};
    size_t left = (size_t)run->g->filters - filter - right;
    finish.right_filters = left < nr ? left : nr;
    memcpy(finish.products, p->products, sizeof finish.products);
    for (size_t k = 0; k < 2; k++) {
        finish.out[k] =
            conv_run_out(run, p->image, 0, 0) + (2 * first + k) * run->out_pixel + filter;
        finish.scale[k] = e->scale ? e->scale + filter + k * right : NULL;
        finish.shift[k] = e->shift ? e->shift + filter + k * right : NULL;
    }
    run->slots->strassen.finish(&finish);
}

static void multiply_block(const struct piece *p, const struct strassen_factor *b, size_t panel,
                           size_t from, size_t count)
{
    const struct job *job = p->job;
    const struct conv_run *run = job->run;
    const struct layout *l = &job->layout;
    size_t in = 2 * run->in->stride, first = p->first + from, nr = (size_t)run->slots->nr;
    size_t lower = has_partner(job, first + count - 1) ? count : count - 1;
    const float *a1 = pair_at(p, first), *a2 = a1 + run->in->stride;
    const struct {
        struct rows rows;
        const float *panel;
    } factors[7] = {{{a1, in, count}, b->block[0][0]},
                    {{a1 + l->half, in, count}, b->block[1][0]},
                    {{p->left[3] + from * l->row, l->row, count}, b->block[1][1]},
                    {{a2 + l->half, in, lower}, p->right[3]},
                    {{p->left[0] + from * l->row, l->row, count}, p->right[0]},
                    {{p->left[1] + from * l->row, l->row, count}, p->right[1]},
                    {{p->left[2] + from * l->row, l->row, count}, p->right[2]}};
    struct conv_ahead nothing = {.count = 0};
    struct conv_product product = {
        .channels = l->half, .acc_stride = nr, .filters = run->slots->nr, .ahead = &nothing};
    for (int k = 0; k < 7; k++) {
        product.in = factors[k].rows.at;
        product.in_stride = factors[k].rows.stride;
        product.rows = factors[k].rows.count;
        product.panel = factors[k].panel;
        product.acc = p->products[k];
        product.next = factors[(k + 1) % 7].rows.at;
        if (product.rows > 0) {
            run->slots->product(&product);
        }
    }
    finish_block(p, panel, first, count, lower);
}

static struct piece piece_of(const struct job *job, size_t item, int thread)
{
    const struct layout *l = &job->layout;
    size_t chunk = item % job->chunks;
    struct piece p = {.job = job,
                      .image = item / job->chunks,
                      .first = conv_cut(job->pairs, job->chunks, chunk),
                      .zeros = (float *)job->run->scratch + (size_t)thread * l->all};
    p.count = conv_cut(job->pairs, job->chunks, chunk + 1) - p.first;
    for (size_t k = 0; k < 4; k++) {
        p.left[k] = p.zeros + l->half + k * l->left;
        p.right[k] = p.zeros + l->half + 4 * l->left + k * l->right;
    }
    for (size_t k = 0; k < 7; k++) {
        p.products[k] = p.zeros + l->products + k * l->product;
    }
    return p;
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    struct piece p = piece_of(job, item / job->panel_ranges, thread);
    size_t range = item % job->panel_ranges;
    memset(p.zeros, 0, job->layout.half * sizeof *p.zeros);
    sum_pixels(&p);
    size_t blocks = conv_ceil_div(p.count, BLOCK_PAIRS);
    size_t end = conv_cut(job->panel_pairs, job->panel_ranges, range + 1);
    for (size_t panel = conv_cut(job->panel_pairs, job->panel_ranges, range); panel < end;
         panel++) {
        struct strassen_factor b = panels_at(&p, panel);
        job->run->slots->strassen.right(&b);
        for (size_t k = 0; k < blocks; k++) {
            size_t from = conv_cut(p.count, blocks, k);
            multiply_block(&p, &b, panel, from, conv_cut(p.count, blocks, k + 1) - from);
        }
    }
}

/* Ranges of panels rather than of pixels: the panels' sums are the larger ones. */
void strassen_forward(const struct conv_run *run)
{
    struct job job = {.run = run,
                      .layout = layout_of(run->slots, run->g),
                      .pairs = pairs_of(run->g),
                      .panel_pairs = panels_of(run->slots, run->g) / 2};
    size_t images = (size_t)run->out->n, least = conv_ceil_div(job.pairs, ITEM_PAIRS);
    size_t panels = conv_even_range(job.panel_pairs, job.panel_pairs, images * least);
    job.panel_ranges = conv_ceil_div(job.panel_pairs, panels);
    size_t pairs = conv_even_range(job.pairs, ITEM_PAIRS, images * job.panel_ranges);
    job.chunks = conv_ceil_div(job.pairs, pairs);
    parallel_for(images * job.chunks * job.panel_ranges, run_item, &job);
}
