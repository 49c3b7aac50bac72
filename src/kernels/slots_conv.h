/* What the convolution engine needs from an instruction set. The tile is a plain matrix product
 * over a table of row pointers, so it serves the direct convolution, Winograd's 36 products and
 * gradients alike.
 *
 * Bits: an element's operations and their order depend on its own row and column only, never on
 * how many neighbours share the tile. Nothing is read or written beyond the counts given; packed
 * panels are padded with zeros to nr columns, those of packed weights to whole vectors. */
#ifndef KERNELS_SLOTS_CONV_H
#define KERNELS_SLOTS_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/activation.h"

/* acc[i][k] (+)= sum over t, c of in[t * step + i][offset + c] * panel[t][c][k]
 * for i in [0, pixels), pixels <= mr, or narrow_mr for half the filters or fewer, and k in [0, filters), filters <= nr; columns of acc from
 * filters up to the next multiple of the vector width (at most nr) are overwritten with padding. */
struct conv_tile {
    const float *const *in; /* [taps][step] */
    size_t step, taps, channels;
    size_t offset;
    const float *panel; /* [taps][channels][filters in whole vectors], aligned to vectors */
    float *acc; /* rows of acc_stride floats, 64-byte aligned; acc_stride a multiple of 16 */
    size_t acc_stride;
    int pixels, filters;
    bool accumulate; /* start from acc instead of zero */
};

/* Memory that comes closer while sums are computed, into L1 and, when that is full, into L2: from `at` on `count` times CONV_AHEAD_FLOATS
 * floats, `step` floats from one to the next; what is left. */
struct conv_ahead {
    const float *at;
    size_t step, count;
};
enum { CONV_AHEAD_FLOATS = 32 };

/* acc[i][k] (+)= sum over c of in[i * in_stride + c] * panel[c][k] for i in [0, rows), rows > 0, and k as in conv_tile. */
struct conv_product {
    const float *in;
    size_t in_stride, rows, channels;
    const float *panel;
    float *acc;
    size_t acc_stride;
    int filters;
    bool accumulate;
    const float *next;        /* where rows begin that are read next: some of them come into L1 */
    struct conv_ahead *ahead; /* every fourth channel of a register tile brings one */
};

/* out[i][k] = act(acc[i][k] * scale[k] + shift[k]), or += ; scale NULL = 1, shift NULL = 0. */
struct conv_finish {
    const float *acc;
    size_t acc_stride;
    float *out;
    size_t out_stride;
    int pixels, filters;
    const float *scale, *shift;
    enum activation act;
    bool adds;
};

/* Which of the six points of Winograd's F(4, 3) a line of `outputs` pixels needs: one or two make do with F(1, 3) and
 * F(2, 3) on some of them. What a tile of `rows` x `columns` pixels does not need is neither written nor read. */
static inline bool winograd_needs(int outputs, int point)
{
    return outputs > 2 || point == 0 || point == 1 || point == 5 || (outputs == 2 && point == 2);
}

/* Likewise with stride 2, where a line has five points of its even samples (F(4, 2)) and its four odd samples: one pixel needs the samples
 * as they are, two make do with F(2, 2). */
static inline bool winograd_stride2_needs(int outputs, int point)
{
    return outputs > 2 || point == 0 || point == 4 || point == 5 ||
           (outputs == 2 && (point == 1 || point == 6));
}

/* One 6x6 tile of input pixels (in[36], row by row) to 36 transformed rows of `channels` floats:
 * v[xi * xi_stride + c] = (B^T d B)[xi] with d[i] = in[i][offset + c]. Columns up to the next
 * multiple of 16 are overwritten. With stride 2 the tile is 9x9, with a half stride 5x5, and both have 81 rows. */
struct winograd_input {
    const float *const *in;
    /* in NULL: the pixels lie at `first` plus so many floats a row and a pixel, which is quicker. */
    const float *first;
    size_t row_stride, pixel_stride;
    int rows, columns; /* of the output tile that lie inside the image */
    size_t offset, channels;
    /* So many floats on the tile to the right has the like, which comes closer meanwhile; 0: the caller sees to that. */
    size_t ahead;
    float *v;
    size_t xi_stride;
};

enum { WINOGRAD_ALL_ROWS = 6 };

/* One row of the 6x6 points of G g G^T, or all, for `channels` channels and the first `columns` of a panel: weights
 * [channels][3][3][width] to u[i * xi_stride + c * u_row + k], i = 0 being the first of these points and u_row the columns in whole
 * vectors, so many of which are written. With stride 2 the sixth row and column are those of the odd samples. */
struct winograd_filter {
    const float *weights;
    size_t channels, width, columns;
    int row; /* WINOGRAD_ALL_ROWS: all six */
    float *u;
    size_t xi_stride;
};

/* A^T m A and the epilogue: m[xi * xi_stride + k] to the `rows` x `columns` pixels of a 4x4 tile
 * that lie inside the image. out points at its first pixel. With a half stride the tile is 8x8, and there is no epilogue. */
struct winograd_output {
    const float *m;
    size_t xi_stride;
    int filters, rows, columns;
    float *out;
    size_t row_stride, pixel_stride; /* floats */
    const float *scale, *shift;
    enum activation act;
    bool adds; /* += */
};

/* The transpose of winograd_output's transform: w[xi * xi_stride + k] = (A dY A^T)[xi] with
 * dY[i] = dz[i][offset + k] for the `rows` x `columns` pixels of a 4x4 tile, row by row. Columns up to the next multiple of
 * the vector width are overwritten. With stride 2 there are 81 rows. */
struct winograd_output_gradient {
    const float *const *dz;
    int rows, columns;
    size_t offset, filters;
    float *w;
    size_t xi_stride;
};

/* The transpose of winograd_filter's transform: G^T dU G for u[xi * xi_stride + c * nr + k] to
 * sums[tap * tap_stride + c * nr + k]. */
struct winograd_filter_gradient {
    const float *u;
    size_t xi_stride, channels, nr;
    float *sums;
    size_t tap_stride;
};

/* `pixels` neighbouring output pixels of one row, all of whose taps count (the caller cuts off what
 * lies outside the image). */
struct depthwise_span {
    const float *in;
    size_t in_row, in_tap, in_step; /* floats */
    size_t weight_row, weight_tap;  /* of weights or sums [kernel_h][kernel_w][filters] */
    int rows, columns;
    int pixels, filters, multiplier;
};

/* out[i][k] = act(scale[k] * sum over r < rows, s < columns of
 * in[r * in_row + s * in_tap + i * in_step + k / multiplier] * weights[r * weight_row + s *
 * weight_tap + k] + shift[k]). */
struct conv_depthwise {
    struct depthwise_span at;
    const float *const
        *in_rows; /* NULL, or where the rows begin that else lie at.in_row apart from at.in on */
    /* 0, or floats from a vector of channels to the next: each has a plane of its own, whose pixels are vectors. The last one may be
     * filled up with anything. */
    size_t plane;
    const float *weights; /* a tap's filters in whole vectors */
    float *out;
    size_t out_stride;
    const float *scale, *shift;
    enum activation act;
    bool adds; /* += */
};

/* out[i][k] = act(scale[k] * sum over r, c of in[r * in_row + i * in_stride + c] * panels[k / nr][r][first_channel + c][k % nr]
 * + shift[k]) + addend[i][k] for i in [0, pixels), k in [0, filters). The sum goes row by row in the channels' order, from zero or, with `continues`, from
 * sums[i][k], and with `unfinished` to sums[i][k] and no further: a convolution may take its channels in several calls. */
struct conv_pointwise {
    const float *in;
    size_t in_stride, channels;
    size_t rows,
        in_row; /* 1, 0: a 1x1 convolution; else the rows of a window, whose taps are channels */
    const float
        *panels; /* [panel][rows][channels][its filters in whole vectors], 64-byte aligned; or: */
    /* Half a vector of filters or fewer. Panels are [rows][fours of channels], of each filter four floats side by side, in whole vectors.
     * Every fourth channel is summed apart, and then they are added. Sums are four times `filters` columns. */
    bool in_fours;
    size_t first_channel; /* with one row; a multiple of 4 */
    size_t panel_stride;  /* floats from panel to panel */
    bool continues, unfinished;
    float *
        sums; /* NULL with neither; columns up to the next multiple of the vector width are padding */
    size_t sums_stride;
    float *out;
    size_t out_stride,
        out_vector; /* from pixel to pixel; from a pixel's vector of filters to the next */
    size_t pixels, filters;
    bool
        is_far; /* in and out are more than a core's cache holds: pixels come closer before they are read or written */
    const float *scale, *shift;
    enum activation act;
    const float *addend; /* NULL: none; it may be out */
    size_t addend_stride;
};

/* Channels of a strip: a cache line a pixel. */
enum { CONV_STRIP = 16 };

/* sum[i][k] (+)= sum over p < pixels of in[p][offset + i] * panel[p][k] for i in [0, rows), rows <=
 * mr, or twice that of no more than nr / 2 filters, and k in [0, filters), filters <= nr; as in conv_tile the columns up to the next multiple of
 * the vector width are padding. The pixels are summed from zero, in order, before sum is added. */
struct conv_outer {
    const float *const *in; /* [pixels]; NULL: */
    const float *strip;     /* in[p] = strip + p * CONV_STRIP, which is quicker */
    size_t offset;
    const float *
        panel; /* [pixels][nr], 64-byte aligned; with `in` pixels may be another distance apart, if filters are a
                         * multiple of 16: */
    size_t panel_stride;
    float *sum; /* [rows][nr], 64-byte aligned */
    /* Two places that are read soon, or with `in` NULL; pixel p asks for what lies p steps on, so that sums need not wait. Of a
     * strip's the first comes into L1, others into L2. */
    const float *ahead[2];
    size_t ahead_step[2]; /* floats */
    size_t pixels;
    int rows, filters;
    bool accumulate;
};

/* The weights' gradient of conv_depthwise for the same pixels: dw[r * weight_row + s * weight_tap + k]
 * += sum over i < pixels of in[r * in_row + s * in_tap + i * in_step + k / multiplier]
 * * dz[i * dz_stride + k]. Up to 16 pixels are summed from zero, in order, before dw is added. */
struct conv_depthwise_weights {
    struct depthwise_span at;
    const float *dz;
    size_t dz_stride;
    float *dw;
};

/* to[j * to_stride + i] = from[i * from_stride + j] for i < rows, 0 for i in [rows, padded), and j < columns. padded is a
 * multiple of the vector width. */
struct conv_transpose {
    const float *from;
    size_t from_stride, rows, padded, columns;
    float *to;
    ptrdiff_t to_stride;
};

/* dw[k * filter_stride + c * taps + t] = sums[t * tap_stride + c * nr + k] for k < filters, c < channels, t < taps. Columns
 * of sums up to the next multiple of the vector width may be read. */
struct conv_scatter {
    const float *sums;
    size_t tap_stride, nr, taps, channels, filters;
    float *dw;
    size_t filter_stride;
};

/* Of a factor of a product of 2x2 blocks, the sums that strassen.c multiplies; block[row][column], `floats` of each, a multiple of 16.
 * Of the left one to[0] = 21 - 22, to[1] = 11 - to[0], to[2] = 21 - 11, to[3] = 12 - to[1];
 * of the right one to[0] = 12 - 11, to[1] = 22 + to[0], to[2] = 22 + 12, to[3] = 21 - to[1]. */
struct strassen_factor {
    const float *block[2][2];
    float *to[4];
    size_t floats;
};

/* strassen.c's seven products, [rows][nr] each, to the output: rows of the left block column at out[0] (the upper block) and
 * out[1] (the lower one, which has `lower` rows, as many or one fewer), those of the right one `right` floats on. */
struct strassen_finish {
    const float *products[7];
    size_t nr, rows, lower;
    float *out[2];
    size_t out_stride, right;
    size_t right_filters;             /* the left has nr */
    const float *scale[2], *shift[2]; /* of left and right; NULL as in conv_finish */
    enum activation act;
    bool adds;
};

struct strassen_slots {
    void (*left)(const struct strassen_factor *f);
    void (*right)(const struct strassen_factor *f);
    void (*finish)(const struct strassen_finish *f);
};

struct winograd_forward {
    void (*input)(const struct winograd_input *w);
    void (*filter)(const struct winograd_filter *w);
    void (*output)(const struct winograd_output *w);
};

struct winograd_gradient {
    void (*output)(const struct winograd_output_gradient *w);
    void (*filter)(const struct winograd_filter_gradient *w);
};

struct conv_slots {
    bool is_direct; /* neither Winograd's transforms nor Strassen's blocks: kernels_direct */
    /* That a core's second-level cache holds: cuts that change no sum may go by it. */
    size_t l2_floats;
    int width; /* floats of a vector */
    /* The register tile: pixels x filters, nr a multiple of 4; up to nr / 2 filters may have narrow_mr pixels. Neither is more than
     * CONV_MAX_MR. */
    int mr, nr, narrow_mr;
    void (*tile)(const struct conv_tile *t);
    void (*product)(const struct conv_product *p);
    /* `rounds` times mr x nr multiply-adds of values in registers; what it returns keeps them from being left out. */
    float (*multiply_adds)(size_t rounds);
    void (*finish)(const struct conv_finish *f);
    struct winograd_forward winograd, winograd_stride2, winograd_half;
    struct winograd_gradient winograd_gradient, winograd_stride2_gradient;
    struct strassen_slots strassen;
    void (*depthwise)(const struct conv_depthwise *d);
    void (*pointwise)(const struct conv_pointwise *p);
    void (*outer)(const struct conv_outer *o);
    void (*depthwise_weights)(const struct conv_depthwise_weights *d);
    void (*transpose)(const struct conv_transpose *t);
    void (*scatter)(const struct conv_scatter *s);
};

enum { CONV_MAX_MR = 16, CONV_MAX_NR = 64 };

#endif
