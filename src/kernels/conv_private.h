/* The algorithms behind conv.h; private to kernels/. Each has the four functions that conv.c hands
 * on to. */
#ifndef KERNELS_CONV_PRIVATE_H
#define KERNELS_CONV_PRIVATE_H

#include "base/memory.h"
#include "kernels/conv.h"
#include "kernels/slots.h"
#include "kernels/slots_int8.h"

/* Weights as any of their views: filter k of group i, channel c, row r and column s of the kernel
 * stand at at[i * group + k * filter + c * channel + r * row + s * column]. */
struct conv_weights {
    const float *at;
    size_t group, filter, channel;
    ptrdiff_t row, column;
};

/* Some taps of some channels of one panel of `filters` <= nr filters: weights->at is the first filter's first channel, and
 * to[t * tap_step + c * channel_step + k] is filter k, channel c, tap first_tap + t, with zeros for k in [filters, nr). */
struct conv_pack {
    const struct conv_weights *weights;
    size_t kernel_w;
    size_t first_tap, taps, channels, filters, nr;
    float *to;
    size_t tap_step, channel_step;
};
void conv_pack_block(const struct conv_slots *slots, const struct conv_pack *p);

/* Channels that are packed at once: what lies side by side in a file is read once. */
enum { CONV_PACK_CHANNELS = 16 };

/* The input's gradient of a convolution of stride 2 as one of a stride of 1/2, for Winograd's algorithm alone. */
enum { CONV_HALF_STRIDE = 0 };

/* One call of conv_forward, or one part of conv_backward_data. */
struct conv_run {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    const float *packed;
    const struct conv_epilogue *epilogue;
    const struct tensor *in, *out;
    void *scratch;
    bool adds; /* out += */
    /* All but Winograd's: out's pixels are these distances apart, in floats. */
    size_t out_image, out_row, out_pixel;
    /* CONV_ROWS: the output becomes bytes; `out` has no floats then. */
    const struct int8_tensor *bytes;
    const struct int8_slots *bytes_slots;
};

static inline float *conv_run_out(const struct conv_run *run, size_t n, size_t y, size_t x)
{
    return run->out->data + n * run->out_image + y * run->out_row + x * run->out_pixel;
}

/* A 1x1 convolution as a plain product of matrices: every output pixel is of the input pixel at its place. */
static inline bool conv_is_product(const struct conv_geometry *g)
{
    return g->groups == 1 && g->kernel_h == 1 && g->kernel_w == 1 && g->stride_y == 1 &&
           g->stride_x == 1 && g->pad_y == 0 && g->pad_x == 0 && g->out_h == g->in_h &&
           g->out_w == g->in_w;
}

size_t igemm_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g);
void igemm_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                const struct conv_weights *w, float *packed);
size_t igemm_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g);
void igemm_forward(const struct conv_run *run);

bool winograd_possible(const struct conv_geometry *g);
/* Possible, and with channels and tiles enough to be quicker than direct sums, of floats as of bytes. */
bool winograd_pays(const struct conv_geometry *g);
bool winograd_wins(const struct conv_slots *slots, const struct conv_geometry *g);
/* The same for stride 2, which has the functions below in common. */
bool winograd_stride2_wins(const struct conv_slots *slots, const struct conv_geometry *g);
/* For the input's gradient of g, whose tiles begin with the image's first pixel. */
bool winograd_half_wins(const struct conv_slots *slots, const struct conv_geometry *g);
size_t winograd_packed_floats(const struct conv_slots *slots, const struct conv_geometry *g);
void winograd_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                   const struct conv_weights *w, float *packed);
size_t winograd_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g);
void winograd_forward(const struct conv_run *run);

/* Weights are packed as igemm_pack does. */
bool strassen_wins(const struct conv_slots *slots, const struct conv_geometry *g);
size_t strassen_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g);
void strassen_forward(const struct conv_run *run);

bool depthwise_possible(const struct conv_geometry *g);
size_t depthwise_packed_floats(const struct conv_geometry *g);
void depthwise_pack(const struct conv_geometry *g, const struct conv_weights *w, float *packed);
void depthwise_forward(const struct conv_run *run);

/* Weights are packed as igemm_pack does or, of so few filters that a vector holds several channels' weights, in fours (slots_conv.h). */
bool pointwise_wins(const struct conv_slots *slots, const struct conv_geometry *g);
bool pointwise_in_fours(const struct conv_slots *slots, const struct conv_geometry *g);
void pointwise_pack(const struct conv_slots *slots, const struct conv_geometry *g,
                    const struct conv_weights *w, float *packed);
void pointwise_forward(const struct conv_run *run);

/* Weights are packed as pointwise_pack does. */
bool rows_win(const struct conv_slots *slots, const struct conv_geometry *g);
size_t rows_scratch_bytes(const struct conv_geometry *g, bool gives_bytes);
void rows_forward(const struct conv_run *run);

/* One call of conv_backward_weights. */
struct conv_weights_run {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    const struct tensor *x, *dz;
    float *dw;
    void *scratch;
};

size_t igemm_weights_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                                   int batch);
void igemm_backward_weights(const struct conv_weights_run *run);
size_t winograd_weights_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                                      int batch);
void winograd_backward_weights(const struct conv_weights_run *run);
size_t depthwise_weights_scratch_bytes(const struct conv_geometry *g, int batch);
void depthwise_backward_weights(const struct conv_weights_run *run);

/* Finished sums of one panel, [tap][channel][nr], and where they belong in dw. */
struct conv_weights_panel {
    const float *sums;
    size_t nr;
    size_t first_filter, filters;
    size_t first_channel, channels;
};

/* Ranges of channels are of multiples of this, so that rows of dw are written by whole lines. */
enum { CONV_SCATTER_CHANNELS = 16 };

/* A second-level cache of a megabyte: what such a core reads again and again stays there. Processors that have it mostly share a slow
 * third-level cache, others a quick one. */
enum { CONV_LARGE_L2_FLOATS = 256 << 10 };

/* The panel to dw. */
void conv_weights_scatter(const struct conv_slots *slots, const struct conv_geometry *g,
                          const struct conv_weights_panel *panel, float *dw);

/* copies[0][i] += copies[1][i] + ... in this order; the copies are `distance` floats apart. */
void conv_weights_reduce(float *copies, size_t count, size_t distance, size_t floats);

static inline size_t conv_ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t conv_round_up(size_t a, size_t multiple)
{
    return conv_ceil_div(a, multiple) * multiple;
}

/* What kernels that copy rows of an image between its margins need: rows that `rows` neighbouring output rows see; those of
 * them that the next ones see, too; columns of a row with its margins. */
static inline size_t conv_rows_seen(const struct conv_geometry *g, size_t rows)
{
    return (rows - 1) * (size_t)g->stride_y + (size_t)g->kernel_h;
}

static inline size_t conv_rows_kept(const struct conv_geometry *g)
{
    return g->kernel_h > g->stride_y ? (size_t)(g->kernel_h - g->stride_y) : 0;
}

static inline size_t conv_columns_seen(const struct conv_geometry *g)
{
    size_t seen = (size_t)(g->out_w - 1) * (size_t)g->stride_x + (size_t)g->kernel_w;
    size_t padded = (size_t)(g->pad_x + g->in_w);
    return seen > padded ? seen : padded;
}

/* A row of a panel: to[k] = from[k * distance] for k < count, and zeros up to nr. */
static inline void conv_gather(float *to, const float *from, size_t distance, size_t count,
                               size_t nr)
{
    for (size_t k = 0; k < count; k++, from += distance) {
        to[k] = *from;
    }
    for (size_t k = count; k < nr; k++) {
        to[k] = 0.0f;
    }
}

static inline void conv_prefetch_read(const float *p, size_t count)
{
    for (size_t i = 0; i < count; i += MEM_ALIGN / sizeof(float)) {
        __builtin_prefetch(p + i);
    }
}

/* Rows that the outer product's tile takes at most. */
static inline size_t conv_outer_rows(const struct conv_slots *slots, size_t filters)
{
    return (size_t)slots->mr * (2 * filters <= (size_t)slots->nr ? 2 : 1);
}

/* Size of the index-th range of `step` in [0, total). */
static inline size_t conv_range_size(size_t total, size_t step, size_t index)
{
    size_t left = total - index * step;
    return left < step ? left : step;
}

/* Cuts that change no sum may go by the number of threads: as coarse as keeps nine of ten busy, else as busy as can be.
 * Into how many items, at least `least` and else at most `most` of them? */
size_t conv_even_items(size_t least, size_t most);
/* Ranges of how many, at most `step` and at least 1, where a loop has `others` items for each range of `count`? */
size_t conv_even_range(size_t count, size_t step, size_t others);

/* Columns of a panel in packed weights: its filters in whole vectors. */
static inline size_t conv_panel_width(const struct conv_slots *slots, size_t filters, size_t panel)
{
    return conv_round_up(conv_range_size(filters, (size_t)slots->nr, panel), (size_t)slots->width);
}

/* Pixels of a tile for so many filters. */
static inline size_t conv_mr(const struct conv_slots *slots, size_t filters)
{
    return (size_t)(filters <= (size_t)slots->nr / 2 ? slots->narrow_mr : slots->mr);
}

/* The i-th of `parts` nearly equal ranges of [0, count) starts here. */
static inline size_t conv_cut(size_t count, size_t parts, size_t i)
{
    return count * i / parts;
}

#endif
