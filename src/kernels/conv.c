#include "kernels/conv.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/conv_private.h"

static const double busy_enough = 0.9;

/* The share of the threads that a loop of equal items keeps busy. */
static double busy(size_t items)
{
    size_t threads = (size_t)parallel_threads();
    return (double)items / (double)conv_round_up(items, threads);
}

size_t conv_even_items(size_t least, size_t most)
{
    size_t best = least;
    for (size_t items = least + 1; items <= most && busy(best) < busy_enough; items++) {
        best = busy(items) > busy(best) ? items : best;
    }
    return best;
}

size_t conv_even_range(size_t count, size_t step, size_t others)
{
    size_t best = conv_ceil_div(count, step);
    for (size_t ranges = best + 1; ranges <= count && busy(best * others) < busy_enough; ranges++) {
        size_t made = conv_ceil_div(count, conv_ceil_div(count, ranges));
        best = busy(made * others) > busy(best * others) ? made : best;
    }
    return conv_ceil_div(count, best);
}

enum conv_algorithm conv_choose(const struct kernels *kern, const struct conv_geometry *g)
{
    if (depthwise_possible(g)) {
        return CONV_DEPTHWISE;
    }
    if (winograd_wins(&kern->conv, g)) {
        return CONV_WINOGRAD;
    }
    if (winograd_stride2_wins(&kern->conv, g)) {
        return CONV_WINOGRAD_STRIDE2;
    }
    if (strassen_wins(&kern->conv, g)) {
        return CONV_STRASSEN;
    }
    if (pointwise_wins(&kern->conv, g)) {
        return CONV_POINTWISE;
    }
    if (rows_win(&kern->conv, g)) {
        return CONV_ROWS;
    }
    return CONV_INDIRECT;
}

static const float *tap_of(const struct conv_pack *p, size_t tap)
{
    return p->weights->at + (ptrdiff_t)(tap / p->kernel_w) * p->weights->row +
           (ptrdiff_t)(tap % p->kernel_w) * p->weights->column;
}

/* From tap to tap, where all are as far apart; else 0. */
static ptrdiff_t tap_step(const struct conv_pack *p)
{
    const struct conv_weights *w = p->weights;
    bool is_even = p->kernel_w == 1 || p->first_tap + p->taps <= p->kernel_w ||
                   w->row == w->column * (ptrdiff_t)p->kernel_w;
    return !is_even ? 0 : p->kernel_w == 1 ? w->row : w->column;
}

static void pack_rows(const struct conv_pack *p)
{
    size_t bytes = p->filters * sizeof(float);
    for (size_t t = 0; t < p->taps; t++) {
        const float *from = tap_of(p, p->first_tap + t);
        float *to = p->to + t * p->tap_step;
        for (size_t c = 0; c < p->channels;
             c++, from += p->weights->channel, to += p->channel_step) {
            if (p->weights->filter == 1) {
                memcpy(to, from, bytes);
                memset(to + p->filters, 0, p->nr * sizeof(float) - bytes);
            } else {
                conv_gather(to, from, p->weights->filter, p->filters, p->nr);
            }
        }
    }
}

void conv_pack_block(const struct conv_slots *slots, const struct conv_pack *p)
{
    const struct conv_weights *w = p->weights;
    ptrdiff_t step = tap_step(p);
    bool is_run = p->taps > 1 && (step == 1 || step == -1), is_single = p->taps == 1;
    bool all_run = (is_single || (step == 1 && p->channel_step == p->taps * p->tap_step)) &&
                   w->channel == p->taps;
    struct conv_transpose t = {.from = tap_of(p, p->first_tap),
                               .from_stride = w->filter,
                               .rows = p->filters,
                               .padded = p->nr,
                               .columns = p->taps * (all_run ? p->channels : 1),
                               .to = p->to,
                               .to_stride = (ptrdiff_t)(is_single ? p->channel_step : p->tap_step)};
    if (w->filter == 1 || (!all_run && !is_run)) {
        pack_rows(p);
        return;
    }
    if (all_run) {
        slots->transpose(&t);
        return;
    }
    if (step < 0) {
        t.from -= p->taps - 1;
        t.to += (p->taps - 1) * p->tap_step;
        t.to_stride = -t.to_stride;
    }
    for (size_t c = 0; c < p->channels; c++, t.from += w->channel, t.to += p->channel_step) {
        slots->transpose(&t);
    }
}

size_t conv_packed_floats(const struct kernels *kern, const struct conv_geometry *g,
                          enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
    case CONV_WINOGRAD_STRIDE2:
        return winograd_packed_floats(&kern->conv, g);
    case CONV_DEPTHWISE:
        return depthwise_packed_floats(g);
    default:
        return igemm_packed_floats(&kern->conv, g);
    }
}

static struct conv_weights weights_plain(const struct conv_geometry *g, const float *weights)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    size_t filter = (size_t)(g->in_c / g->groups) * taps;
    return (struct conv_weights){.at = weights,
                                 .group = (size_t)(g->filters / g->groups) * filter,
                                 .filter = filter,
                                 .channel = taps,
                                 .row = g->kernel_w,
                                 .column = 1};
}

static void pack_view(const struct kernels *kern, const struct conv_geometry *g,
                      enum conv_algorithm algorithm, const struct conv_weights *w, float *packed)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
    case CONV_WINOGRAD_STRIDE2:
        winograd_pack(&kern->conv, g, w, packed);
        break;
    case CONV_DEPTHWISE:
        depthwise_pack(g, w, packed);
        break;
    case CONV_POINTWISE:
    case CONV_ROWS:
        pointwise_pack(&kern->conv, g, w, packed);
        break;
    default:
        igemm_pack(&kern->conv, g, w, packed);
        break;
    }
}

void conv_pack(const struct kernels *kern, const struct conv_geometry *g,
               enum conv_algorithm algorithm, const float *weights, float *packed)
{
    struct conv_weights w = weights_plain(g, weights);
    pack_view(kern, g, algorithm, &w, packed);
}

size_t conv_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                          enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
    case CONV_WINOGRAD_STRIDE2:
        return winograd_scratch_bytes(&kern->conv, g);
    case CONV_DEPTHWISE:
    case CONV_POINTWISE:
        return 0;
    case CONV_ROWS:
        return rows_scratch_bytes(g, false);
    case CONV_STRASSEN:
        return strassen_scratch_bytes(&kern->conv, g);
    default:
        return igemm_scratch_bytes(&kern->conv, g);
    }
}

static void run_algorithm(const struct conv_run *run, enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
    case CONV_WINOGRAD_STRIDE2:
        winograd_forward(run);
        break;
    case CONV_DEPTHWISE:
        depthwise_forward(run);
        break;
    case CONV_POINTWISE:
        pointwise_forward(run);
        break;
    case CONV_ROWS:
        rows_forward(run);
        break;
    case CONV_STRASSEN:
        strassen_forward(run);
        break;
    default:
        igemm_forward(run);
        break;
    }
}

void conv_forward(const struct kernels *kern, const struct conv_geometry *g,
                  enum conv_algorithm algorithm, const float *packed,
                  const struct conv_epilogue *epilogue, const struct tensor *in,
                  const struct tensor *out, bool adds, void *scratch)
{
    struct conv_run run = {.slots = &kern->conv,
                           .g = g,
                           .packed = packed,
                           .epilogue = epilogue,
                           .in = in,
                           .out = out,
                           .scratch = scratch,
                           .adds = adds,
                           .out_image = (size_t)out->h * (size_t)out->w * out->stride,
                           .out_row = (size_t)out->w * out->stride,
                           .out_pixel = out->stride};
    run_algorithm(&run, algorithm);
}

bool conv_gives_bytes(enum conv_algorithm algorithm)
{
    return algorithm == CONV_ROWS;
}

size_t conv_bytes_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                                enum conv_algorithm algorithm)
{
    return conv_gives_bytes(algorithm) ? rows_scratch_bytes(g, true)
                                       : conv_scratch_bytes(kern, g, algorithm);
}

void conv_forward_bytes(const struct kernels *kern, const struct conv_geometry *g,
                        enum conv_algorithm algorithm, const float *packed,
                        const struct conv_epilogue *epilogue, const struct tensor *in,
                        const struct int8_tensor *out, void *scratch)
{
    const struct tensor shape = {.n = out->n, .h = out->h, .w = out->w, .c = out->c};
    struct conv_run run = {.slots = &kern->conv,
                           .g = g,
                           .packed = packed,
                           .epilogue = epilogue,
                           .in = in,
                           .out = &shape,
                           .scratch = scratch,
                           .bytes = out,
                           .bytes_slots = int8_slots_of(kern)};
    run_algorithm(&run, algorithm);
}

/* ---- the weights' gradient ---- */

static size_t weights_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                                    int batch)
{
    const struct conv_slots *slots = &kern->conv;
    switch (conv_choose(kern, g)) {
    case CONV_WINOGRAD:
    case CONV_WINOGRAD_STRIDE2:
        return winograd_weights_scratch_bytes(slots, g, batch);
    case CONV_DEPTHWISE:
        return depthwise_weights_scratch_bytes(g, batch);
    default:
        return igemm_weights_scratch_bytes(slots, g, batch);
    }
}

void conv_backward_weights(const struct kernels *kern, const struct conv_geometry *g,
                           const struct tensor *x, const struct tensor *dz, float *dw,
                           void *scratch)
{
    struct conv_weights_run run = {
        .slots = &kern->conv, .g = g, .x = x, .dz = dz, .dw = dw, .scratch = scratch};
    if (tensor_pixels(dz) == 0) {
        memset(dw, 0, weights_plain(g, dw).filter * (size_t)g->filters * sizeof *dw);
        return;
    }
    switch (conv_choose(kern, g)) {
    case CONV_WINOGRAD:
    case CONV_WINOGRAD_STRIDE2:
        winograd_backward_weights(&run);
        break;
    case CONV_DEPTHWISE:
        depthwise_backward_weights(&run);
        break;
    default:
        igemm_backward_weights(&run);
        break;
    }
}

void conv_weights_scatter(const struct conv_slots *slots, const struct conv_geometry *g,
                          const struct conv_weights_panel *panel, float *dw)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    size_t channels = (size_t)(g->in_c / g->groups);
    struct conv_scatter s = {.sums = panel->sums,
                             .tap_stride = panel->channels * panel->nr,
                             .nr = panel->nr,
                             .taps = taps,
                             .channels = panel->channels,
                             .filters = panel->filters,
                             .dw = dw +
                                   (panel->first_filter * channels + panel->first_channel) * taps,
                             .filter_stride = channels * taps};
    slots->scatter(&s);
}

void conv_weights_reduce(float *copies, size_t count, size_t distance, size_t floats)
{
    for (size_t copy = 1; copy < count; copy++) {
        const float *more = copies + copy * distance;
        for (size_t i = 0; i < floats; i++) {
            copies[i] += more[i];
        }
    }
}

/* ---- the input's gradient ----
 *
 * Convolutions of stride 1 over dz, but for the one of half a stride that is Winograd's.
 *
 * Along one axis, output o and tap t meet input i = o * stride - pad + t * dilation. The inputs
 * i = phase + stride * j of one class meet the taps with (phase + pad - t * dilation) divisible by
 * the stride: every (stride / gcd)-th tap, at outputs j + (phase + pad - t * dilation) / stride.
 * Walked from the last tap to the first these are a plain window over dz of dilation
 * (dilation / gcd). */

/* The convolution along one axis that gives the inputs of one class. */
struct axis {
    int taps;           /* 0: no output sees these inputs */
    int last_tap, step; /* its taps: last_tap, last_tap - step, ... */
    int pad, dilation;
    int inputs; /* of this class */
};

static struct axis axis_of(int phase, int stride, int pad, int dilation, int kernel, int in)
{
    struct axis a = {.inputs = (in - phase + stride - 1) / stride, .step = 1, .dilation = 1};
    int first_output = 0;
    for (int t = 0; t < kernel; t++) {
        int reach = phase + pad - t * dilation;
        if (reach % stride != 0) {
            continue;
        }
        if (a.taps > 0) {
            a.step = t - a.last_tap;
            a.dilation = first_output - reach / stride;
        }
        first_output = reach / stride;
        a.last_tap = t;
        a.taps++;
    }
    a.pad = -first_output;
    return a;
}

/* One convolution of the sum: a class of inputs, or one row of its taps where the two axes do not
 * share a dilation. */
struct part {
    struct conv_geometry g; /* from dz to the class's inputs */
    enum conv_algorithm algorithm;
    int phase_y, phase_x;
    struct conv_weights weights; /* at: an offset from the first weight */
    size_t offset;
    bool adds; /* to an earlier part of the same class */
    bool empty;
};

/* Walks the parts in a fixed order. */
struct parts {
    const struct kernels *kern;
    const struct conv_geometry *g;
    bool is_half; /* one part, of half a stride, is all classes */
    int stride_y, stride_x;
    int phase_y, phase_x, row;
};

/* With one output along an axis, every input of it meets at most one tap: as if the stride were
 * large. */
static int class_stride(int stride, int out, int in)
{
    int large = stride < in ? in : stride;
    return out == 1 ? large : stride;
}

static struct parts parts_begin(const struct kernels *kern, const struct conv_geometry *g)
{
    bool is_half = winograd_half_wins(&kern->conv, g);
    return (struct parts){.kern = kern,
                          .g = g,
                          .is_half = is_half,
                          .stride_y = is_half ? 1 : class_stride(g->stride_y, g->out_h, g->in_h),
                          .stride_x = is_half ? 1 : class_stride(g->stride_x, g->out_w, g->in_w)};
}

static void part_weights(struct part *part, const struct conv_geometry *g, const struct axis *y,
                         const struct axis *x)
{
    struct conv_weights plain = weights_plain(g, NULL);
    part->offset = (size_t)y->last_tap * (size_t)g->kernel_w + (size_t)x->last_tap;
    part->weights = (struct conv_weights){.group = plain.group,
                                          .filter = plain.channel,
                                          .channel = plain.filter,
                                          .row = -(ptrdiff_t)y->step * plain.row,
                                          .column = -(ptrdiff_t)x->step};
}

static void half_part(struct parts *p, struct part *part)
{
    const struct conv_geometry *g = p->g;
    const struct axis whole = {.taps = 3, .last_tap = 2, .step = 1};
    *part = (struct part){.algorithm = CONV_WINOGRAD_STRIDE2,
                          .g = {.in_h = g->out_h,
                                .in_w = g->out_w,
                                .in_c = g->filters,
                                .filters = g->in_c,
                                .groups = 1,
                                .kernel_h = 3,
                                .kernel_w = 3,
                                .stride_y = CONV_HALF_STRIDE,
                                .stride_x = CONV_HALF_STRIDE,
                                .dilation = 1,
                                .out_h = g->in_h,
                                .out_w = g->in_w}};
    part_weights(part, g, &whole, &whole);
    p->phase_y = 1;
}

static bool parts_next(struct parts *p, struct part *part)
{
    const struct conv_geometry *g = p->g;
    if (p->phase_y == p->stride_y || p->phase_y == g->in_h) {
        return false;
    }
    if (p->is_half) {
        half_part(p, part);
        return true;
    }
    struct axis y = axis_of(p->phase_y, p->stride_y, g->pad_y, g->dilation, g->kernel_h, g->in_h);
    struct axis x = axis_of(p->phase_x, p->stride_x, g->pad_x, g->dilation, g->kernel_w, g->in_w);
    bool by_rows = y.taps > 1 && x.taps > 1 && y.dilation != x.dilation;
    int rows = by_rows ? y.taps : 1;
    *part = (struct part){.phase_y = p->phase_y,
                          .phase_x = p->phase_x,
                          .adds = p->row > 0,
                          .empty = y.taps == 0 || x.taps == 0};
    if (by_rows) {
        y.last_tap -= p->row * y.step;
        y.pad -= p->row * y.dilation;
        y.taps = 1;
    }
    part->g = (struct conv_geometry){.in_h = g->out_h,
                                     .in_w = g->out_w,
                                     .in_c = g->filters,
                                     .filters = g->in_c,
                                     .groups = g->groups,
                                     .kernel_h = y.taps,
                                     .kernel_w = x.taps,
                                     .stride_y = 1,
                                     .stride_x = 1,
                                     .pad_y = y.pad,
                                     .pad_x = x.pad,
                                     .dilation = x.taps > 1 ? x.dilation : y.dilation,
                                     .out_h = y.inputs,
                                     .out_w = x.inputs};
    part_weights(part, g, &y, &x);
    part->algorithm = part->empty ? CONV_INDIRECT : conv_choose(p->kern, &part->g);
    bool whole = p->stride_y == 1 && p->stride_x == 1;
    bool of_neighbours = part->algorithm == CONV_WINOGRAD || part->algorithm == CONV_STRASSEN;
    if (of_neighbours && !whole) {
        part->algorithm = CONV_INDIRECT;
    }
    if (++p->row == rows) {
        p->row = 0;
        if (++p->phase_x == p->stride_x || p->phase_x == g->in_w) {
            p->phase_x = 0;
            p->phase_y++;
        }
    }
    return true;
}

static size_t part_floats(const struct kernels *kern, const struct part *part)
{
    if (part->empty) {
        return 0;
    }
    return conv_round_up(conv_packed_floats(kern, &part->g, part->algorithm), 16);
}

size_t conv_backward_packed_floats(const struct kernels *kern, const struct conv_geometry *g)
{
    struct parts parts = parts_begin(kern, g);
    struct part part;
    size_t floats = 0;
    while (parts_next(&parts, &part)) {
        floats += part_floats(kern, &part);
    }
    return floats;
}

void conv_pack_backward(const struct kernels *kern, const struct conv_geometry *g,
                        const float *weights, int filter_channels, float *packed)
{
    struct parts parts = parts_begin(kern, g);
    struct part part;
    while (parts_next(&parts, &part)) {
        if (!part.empty) {
            part.weights.at = weights + part.offset;
            part.weights.channel =
                (size_t)filter_channels * (size_t)g->kernel_h * (size_t)g->kernel_w;
            pack_view(kern, &part.g, part.algorithm, &part.weights, packed);
        }
        packed += part_floats(kern, &part);
    }
}

size_t conv_backward_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                                   int batch)
{
    struct parts parts = parts_begin(kern, g);
    struct part part;
    size_t bytes = weights_scratch_bytes(kern, g, batch);
    while (parts_next(&parts, &part)) {
        size_t needed = part.empty ? 0 : conv_scratch_bytes(kern, &part.g, part.algorithm);
        bytes = needed > bytes ? needed : bytes;
    }
    return bytes;
}

static void clear_part(const struct conv_run *run)
{
    size_t bytes = (size_t)run->out->c * sizeof(float);
    for (size_t n = 0; n < (size_t)run->out->n; n++) {
        for (size_t y = 0; y < (size_t)run->out->h; y++) {
            for (size_t x = 0; x < (size_t)run->out->w; x++) {
                memset(conv_run_out(run, n, y, x), 0, bytes);
            }
        }
    }
}

/* The images of dz and dx from `first` on, `count` of them. */
static struct tensor images_of(const struct tensor *t, int first, int count)
{
    struct tensor images = *t;
    images.data = tensor_at(t, first, 0, 0);
    images.n = count;
    return images;
}

/* Classes read the same dz: large ones go image by image, so that it is still in the cache. */
enum { LARGE_IMAGE_FLOATS = 1 << 18 };

static int images_at_once(const struct parts *parts, const struct tensor *dz)
{
    size_t floats = (size_t)dz->h * (size_t)dz->w * dz->stride;
    bool several = parts->stride_y > 1 || parts->stride_x > 1;
    return several && floats >= LARGE_IMAGE_FLOATS ? 1 : dz->n;
}

static void run_part(const struct parts *parts, const struct part *part, struct conv_run *run,
                     const struct tensor *dx)
{
    static const struct conv_epilogue plain = {.act = ACT_LINEAR};
    struct tensor out = *dx;
    out.data = tensor_at(dx, 0, part->phase_y, part->phase_x);
    out.h = part->g.out_h;
    out.w = part->g.out_w;
    size_t row = (size_t)dx->w * dx->stride;
    run->g = &part->g;
    run->epilogue = &plain;
    run->out = &out;
    run->out_image = (size_t)dx->h * row;
    run->out_row = (size_t)parts->stride_y * row;
    run->out_pixel = (size_t)parts->stride_x * dx->stride;
    if (!part->empty) {
        run_algorithm(run, part->algorithm);
    } else if (!run->adds) {
        clear_part(run);
    }
}

void conv_backward_data(const struct kernels *kern, const struct conv_geometry *g,
                        const float *packed, const struct tensor *dz, const struct tensor *dx,
                        bool adds, void *scratch)
{
    struct parts parts = parts_begin(kern, g);
    int step = images_at_once(&parts, dz);
    for (int n = 0; n < dz->n; n += step) {
        struct tensor in = images_of(dz, n, step), out = images_of(dx, n, step);
        struct conv_run run = {
            .slots = &kern->conv, .packed = packed, .in = &in, .scratch = scratch};
        struct part part;
        parts = parts_begin(kern, g);
        while (parts_next(&parts, &part)) {
            run.adds = adds || part.adds;
            run_part(&parts, &part, &run, &out);
            run.packed += part_floats(kern, &part);
        }
    }
}
