/* The direct quantised convolution. An item is a block of output pixels: their windows are gathered side by side,
 * widened to int16 where the instruction set multiplies pairs of these, and then every panel of weights goes over
 * the block, whose sums stay in L1. */
#include "kernels/int8_conv_private.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/conv_private.h"
#include "kernels/int8_epilogue.h"

enum {
    BLOCK_PIXELS = 48,
    BLOCK_BYTES = 256 << 10, /* of gathered windows */
    CUT_STEPS = 256,         /* of a panel that stay in L1 while the block's tiles pass */
    ITEMS_WANTED = 16,
    STEP = 4,         /* bytes */
    GAPLESS_MAX = 512 /* bytes of a window, whose rows may follow one another */
};

/* What goes into one step: two int16 or four bytes of a window. */
static size_t step_values(const struct int8_slots *slots)
{
    return slots->has_quads ? 4 : 2;
}

static size_t window_values(const struct conv_geometry *g)
{
    return (size_t)g->in_c * (size_t)g->kernel_h * (size_t)g->kernel_w;
}

static size_t steps_of(const struct int8_slots *slots, const struct conv_geometry *g)
{
    return conv_ceil_div(window_values(g), step_values(slots));
}

static size_t panels_of(const struct int8_slots *slots, const struct conv_geometry *g)
{
    return conv_ceil_div((size_t)g->filters, (size_t)slots->nr);
}

size_t int8_direct_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g)
{
    return panels_of(slots, g) * steps_of(slots, g) * (size_t)slots->nr * STEP;
}

struct pack_job {
    const struct int8_slots *slots;
    const struct conv_geometry *g;
    const int8_t *weights;
    char *packed;
};

/* The i-th value of a window: channels of the first tap, of the second... */
static int weight_of(const struct conv_geometry *g, const int8_t *weights, size_t k, size_t i)
{
    size_t channels = (size_t)g->in_c, taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    bool is_there = k < (size_t)g->filters && i < channels * taps;
    return is_there ? weights[(k * channels + i % channels) * taps + i / channels] : 0;
}

static void pack_panel(void *ctx, size_t panel, int thread)
{
    (void)thread;
    const struct pack_job *job = ctx;
    size_t nr = (size_t)job->slots->nr, steps = steps_of(job->slots, job->g);
    size_t values = step_values(job->slots);
    char *to = job->packed + panel * steps * nr * STEP;
    for (size_t s = 0; s < steps; s++) {
        for (size_t k = 0; k < nr; k++, to += STEP) {
            int8_t quad[4] = {0};
            int16_t pair[2] = {0};
            for (size_t i = 0; i < values; i++) {
                int w = weight_of(job->g, job->weights, panel * nr + k, s * values + i);
                quad[i] = (int8_t)w;
                pair[i % 2] = (int16_t)w;
            }
            memcpy(to, values == 4 ? (const void *)quad : (const void *)pair, STEP);
        }
    }
}

void int8_direct_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                      const int8_t *weights, void *packed)
{
    struct pack_job job = {.slots = slots, .g = g, .weights = weights, .packed = packed};
    parallel_for(panels_of(slots, g), pack_panel, &job);
}

/* Windows are the pixels of the input. */
static bool is_1x1(const struct conv_geometry *g)
{
    return g->kernel_h == 1 && g->kernel_w == 1 && g->stride_y == 1 && g->stride_x == 1 &&
           g->pad_y == 0 && g->pad_x == 0 && g->out_h == g->in_h && g->out_w == g->in_w;
}

/* Sizes by geometry alone. */
struct layout {
    size_t steps, panels, block; /* pixels of a block at most */
    size_t row, block_bytes, sums_bytes;
    size_t thread; /* bytes from thread to thread */
};

static struct layout layout_of(const struct int8_slots *slots, const struct conv_geometry *g)
{
    struct layout l = {.steps = steps_of(slots, g), .panels = panels_of(slots, g)};
    size_t mr = (size_t)slots->mr;
    bool has_gaps =
        !is_1x1(g) || window_values(g) % step_values(slots) > 0 || l.steps * STEP > GAPLESS_MAX;
    l.row =
        l.steps * STEP + (has_gaps ? MEM_ALIGN : 0); /* rows of one block in different cache sets */
    l.block = BLOCK_BYTES / l.row / mr * mr;
    l.block = l.block < mr ? mr : l.block > BLOCK_PIXELS ? BLOCK_PIXELS / mr * mr : l.block;
    l.block_bytes = conv_round_up(l.block * l.row, MEM_ALIGN);
    l.sums_bytes = l.block * (size_t)slots->nr * sizeof(uint32_t);
    l.thread = parallel_stride(l.block_bytes + l.sums_bytes);
    return l;
}

size_t int8_direct_scratch_bytes(const struct int8_slots *slots, const struct conv_geometry *g)
{
    return (size_t)parallel_threads() * layout_of(slots, g).thread;
}

struct job {
    const struct int8_run *run;
    struct layout layout;
    size_t pixels, items;
};

static void gather_values(const struct job *job, const uint8_t *from, size_t count, char *row,
                          size_t at)
{
    const struct int8_slots *slots = job->run->slots;
    if (step_values(slots) == 4) {
        memcpy(row + at, from, count);
    } else {
        slots->widen(from, count, (int16_t *)(void *)row + at);
    }
}

static void gather_pixel(const struct job *job, struct int8_position to, char *row)
{
    const struct int8_run *run = job->run;
    const struct conv_geometry *g = run->g;
    size_t channels = (size_t)g->in_c, at = 0, columns = (size_t)g->kernel_w;
    int left = to.x * g->stride_x - g->pad_x;
    bool follow = run->in->stride == channels && g->dilation == 1 && left >= 0 &&
                  left + g->kernel_w <= g->in_w; /* one row's taps, in memory */
    for (int r = 0; r < g->kernel_h; r++) {
        int y = to.y * g->stride_y - g->pad_y + r * g->dilation;
        if (follow && y >= 0 && y < g->in_h) {
            gather_values(job, int8_at(run->in, to.n, y, left), columns * channels, row, at);
            at += columns * channels;
            continue;
        }
        for (int s = 0; s < g->kernel_w; s++, at += channels) {
            gather_values(job, int8_padded(run, to.n, y, left + s * g->dilation), channels, row,
                          at);
        }
    }
    size_t used = at * (STEP / step_values(run->slots)), end = job->layout.steps * STEP;
    memset(row + used, 0, end - used);
}

/* The windows of `count` pixels from `first` on. */
static void gather(const struct job *job, size_t first, size_t count, char *rows)
{
    const struct int8_tensor *in = job->run->in, *out = job->run->out;
    size_t channels = (size_t)job->run->g->in_c,
           bytes = channels * (STEP / step_values(job->run->slots));
    if (is_1x1(job->run->g) && in->stride == channels && job->layout.row == bytes) {
        gather_values(job, in->data + first * channels, count * channels, rows, 0);
        return;
    }
    struct int8_position to = int8_position(out, first);
    for (size_t i = 0; i < count; i++) {
        gather_pixel(job, to, rows + i * job->layout.row);
        if (++to.x == out->w) {
            to.x = 0;
            to.n += ++to.y == out->h;
            to.y %= out->h;
        }
    }
}

static void run_item(void *ctx, size_t item, int thread)
{
    const struct job *job = ctx;
    const struct int8_run *run = job->run;
    const struct layout *l = &job->layout;
    size_t nr = (size_t)run->slots->nr, mr = (size_t)run->slots->mr;
    size_t first = conv_cut(job->pixels, job->items, item);
    size_t count = conv_cut(job->pixels, job->items, item + 1) - first;
    char *rows = (char *)run->scratch + (size_t)thread * l->thread;
    uint32_t *sums = (uint32_t *)(void *)(rows + l->block_bytes);
    gather(job, first, count, rows);
    if (!run->slots->has_quads && l->steps <= CUT_STEPS && int8_commutes(run->epilogue->act)) {
        const struct int8_block b = {.in = rows,
                                     .in_stride = l->row,
                                     .panels = run->packed,
                                     .panel_stride = l->steps * nr * STEP,
                                     .steps = l->steps,
                                     .pixels = count,
                                     .filters = (size_t)run->g->filters,
                                     .e = run->epilogue,
                                     .out = run->out->data + first * run->out->stride,
                                     .out_stride = run->out->stride};
        run->slots->block(&b);
        return;
    }
    struct int8_finish f = {.acc = sums,
                            .acc_stride = nr,
                            .pixels = count,
                            .e = run->epilogue,
                            .out_stride = run->out->stride};
    for (size_t panel = 0; panel < l->panels; panel++) {
        for (size_t step = 0; step < l->steps; step += CUT_STEPS) {
            struct int8_tile t = {
                .in_stride = l->row,
                .panel = (const char *)run->packed + (panel * l->steps + step) * nr * STEP,
                .steps = l->steps - step < CUT_STEPS ? l->steps - step : CUT_STEPS,
                .acc_stride = nr,
                .accumulate = step > 0};
            for (size_t i = 0; i < count; i += mr) {
                t.in = rows + i * l->row + step * STEP;
                t.pixels = (int)(count - i < mr ? count - i : mr);
                t.acc = sums + i * nr;
                (run->slots->has_quads ? run->slots->tile_quads : run->slots->tile_pairs)(&t);
            }
        }
        f.first = panel * nr;
        f.filters = conv_range_size((size_t)run->g->filters, nr, panel);
        f.out = run->out->data + first * run->out->stride + f.first;
        run->slots->finish(&f);
    }
}

void int8_direct_forward(const struct int8_run *run)
{
    struct job job = {.run = run, .layout = layout_of(run->slots, run->g)};
    job.pixels = int8_pixels(run->out);
    job.items = conv_ceil_div(job.pixels, job.layout.block);
    size_t tiles = conv_ceil_div(job.pixels, (size_t)run->slots->mr);
    size_t wanted = tiles < ITEMS_WANTED ? tiles : ITEMS_WANTED;
    job.items = job.items < wanted ? wanted : job.items;
    parallel_for(job.items, run_item, &job);
}
