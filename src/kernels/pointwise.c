/* A 1x1 convolution of few channels: its sums are short, so what costs is all around them. Input pixels stand at even
 * distances, so there is no table of pointers; sums go from registers through the epilogue to the output; the
 * weights, packed as igemm.c packs them, stay in L1. Every output is summed in igemm.c's order: same bits. But of half a vector of filters
 * or fewer every fourth channel is summed apart, four at a time. */
#include "kernels/conv_private.h"

#include <string.h>

#include "base/parallel.h"

enum {
    WEIGHTS_MAX_FLOATS = 16384, /* channels x filters */
    ITEM_FLOATS = 8192,         /* of input and output an item passes over, at least */
    ITEMS_MAX = 256
};

bool pointwise_wins(const struct conv_slots *slots, const struct conv_geometry *g)
{
    size_t filters = conv_round_up((size_t)g->filters, (size_t)slots->nr);
    return conv_is_product(g) && (size_t)g->in_c * filters <= WEIGHTS_MAX_FLOATS;
}

bool pointwise_in_fours(const struct conv_slots *slots, const struct conv_geometry *g)
{
    bool wins = pointwise_wins(slots, g) || rows_win(slots, g);
    return wins && 2 * g->filters <= slots->width && g->kernel_w * g->in_c > 1;
}

static void pack_fours(const struct conv_slots *slots, const struct conv_geometry *g,
                       const struct conv_weights *w, float *packed)
{
    size_t channels = (size_t)g->in_c, run = (size_t)g->kernel_w * channels;
    size_t panel = conv_round_up(4 * (size_t)g->filters, (size_t)slots->width);
    size_t row = conv_ceil_div(run, 4) * panel;
    memset(packed, 0, (size_t)g->kernel_h * row * sizeof *packed);
    for (size_t k = 0; k < (size_t)g->filters; k++) {
        for (size_t r = 0; r < (size_t)g->kernel_h; r++) {
            const float *from = w->at + k * w->filter + (ptrdiff_t)r * w->row;
            for (size_t i = 0; i < run; i++) {
                packed[r * row + i / 4 * panel + 4 * k + i % 4] =
                    from[(ptrdiff_t)(i % channels * w->channel) +
                         (ptrdiff_t)(i / channels) * w->column];
            }
        }
    }
}

void pointwise_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                    const struct conv_weights *w, float *packed)
{
    (pointwise_in_fours(slots, g) ? pack_fours : igemm_pack)(slots, g, w, packed);
}

struct job {
    const struct conv_run *run;
    size_t pixels, items;
    bool is_far;
};

/* The neighbours from `pixel` on that follow one another in the output, too. */
static size_t run_length(const struct conv_run *run, size_t pixel, size_t left)
{
    size_t w = (size_t)run->out->w, h = (size_t)run->out->h;
    bool rows = run->out_row == w * run->out_pixel;
    bool images = rows && run->out_image == h * run->out_row;
    size_t unbroken = images ? left : rows ? h * w - pixel % (h * w) : w - pixel % w;
    return unbroken < left ? unbroken : left;
}

static void run_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct conv_run *run = job->run;
    const struct conv_epilogue *e = run->epilogue;
    size_t w = (size_t)run->out->w, h = (size_t)run->out->h;
    size_t pixel = conv_cut(job->pixels, job->items, item);
    size_t end = conv_cut(job->pixels, job->items, item + 1);
    struct conv_pointwise p = {.in_stride = run->in->stride,
                               .channels = (size_t)run->g->in_c,
                               .rows = 1,
                               .panels = run->packed,
                               .in_fours = pointwise_in_fours(run->slots, run->g),
                               .panel_stride = (size_t)run->g->in_c * (size_t)run->slots->nr,
                               .out_stride = run->out_pixel,
                               .out_vector = (size_t)run->slots->width,
                               .filters = (size_t)run->g->filters,
                               .is_far = job->is_far,
                               .scale = e->scale,
                               .shift = e->shift,
                               .act = e->act,
                               .addend_stride = run->out_pixel};
    for (; pixel < end; pixel += p.pixels) {
        p.in = run->in->data + pixel * p.in_stride;
        p.out = conv_run_out(run, pixel / w / h, pixel / w % h, pixel % w);
        p.addend = run->adds ? p.out : NULL;
        p.pixels = run_length(run, pixel, end - pixel);
        run->slots->pointwise(&p);
    }
}

void pointwise_forward(const struct conv_run *run)
{
    struct job job = {.run = run, .pixels = tensor_pixels(run->out)};
    size_t floats = job.pixels * (size_t)(run->g->in_c + run->g->filters);
    job.is_far = floats > run->slots->l2_floats;
    job.items = conv_ceil_div(floats, ITEM_FLOATS);
    job.items = job.items < ITEMS_MAX ? job.items : ITEMS_MAX;
    job.items = job.items < job.pixels ? job.items : job.pixels;
    parallel_for(job.items, run_item, &job);
}
