#include "kernels/activate.h"

#include <math.h>

#include "kernels/activate_private.h"
#include "kernels/blocks.h"
#include "kernels/fold.h"

/* Channels whose pre-activation is held at a time. */
enum { PART = 256 };

/* The term of one channel in a per-pixel normalisation y = t / sum: relu(u), or e^(u - largest),
 * where largest is the pixel's maximum. Softmax is shifted by it also where Darknet does not: the
 * same value, without overflow. */
static double channel_term(enum activation act, double u, double largest)
{
    if (act == ACT_NORM_CHAN) {
        return u < 0 ? 0 : u;
    }
    return exp(u - largest);
}

static void activate_elements(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = (float)activation_value(act, (double)a[c]);
        }
    }
}

static void normalize_forward(enum activation act, const float *a, float *out, size_t channels)
{
    double largest = -HUGE_VAL;
    for (size_t c = 0; c < channels; c++) {
        largest = (double)a[c] > largest ? (double)a[c] : largest;
    }
    double sum = act == ACT_NORM_CHAN_SOFTMAX ? 1e-4 * exp(-largest) : 1e-4;
    for (size_t c = 0; c < channels; c++) {
        sum += channel_term(act, (double)a[c], largest);
    }
    for (size_t c = 0; c < channels; c++) {
        out[c] = (float)(channel_term(act, (double)a[c], largest) / sum);
    }
}

size_t fold_epilogue(const struct conv_epilogue *f, size_t count, size_t channels,
                     struct folded_epilogue *folded)
{
    count = f->act < ACT_NORM_CHAN ? count : 1;
    folded->f.act = f->act;
    folded->f.scale = fold_repeat(f->scale, channels, count, folded->scale);
    folded->f.shift = fold_repeat(f->shift, channels, count, folded->shift);
    return count;
}

void epilogue_block(const struct kernels *kern, const struct conv_epilogue *f,
                    const struct op_block *block)
{
    struct op_block rest = *block;
    bool affine = f->scale || f->shift, fused = f->act < ACT_FUSED_COUNT;
    if (!affine) {
        block_flatten(&rest);
    }
    if (affine || fused) {
        kern->ops.activate(&rest, fused ? f->act : ACT_LINEAR, f->scale, f->shift);
        rest.a = block->out;
        rest.a_stride = block->out_stride;
    }
    if (!fused && f->act < ACT_NORM_CHAN) {
        activate_elements(&rest, f->act);
    } else if (!fused) {
        for (size_t p = 0; p < block->pixels; p++) {
            normalize_forward(f->act, rest.a + p * rest.a_stride,
                              block->out + p * block->out_stride, block->channels);
        }
    }
}

static void run_epilogue(const struct block_job *job, struct op_block *block)
{
    epilogue_block(job->kern, job->epilogue, block);
}

void op_epilogue(const struct kernels *kern, const struct conv_epilogue *f, const struct tensor *in,
                 const struct tensor *out)
{
    if (f->act == ACT_LINEAR && !f->scale && !f->shift && in->data == out->data) {
        return;
    }
    struct folded_epilogue folded;
    size_t count = fold_epilogue(f, fold_of(in, out, out), (size_t)in->c, &folded);
    struct block_job job = {.kern = kern,
                            .a = fold_tensor(in, count),
                            .out = fold_tensor(out, count),
                            .epilogue = &folded.f,
                            .run = run_epilogue};
    blocks_run(&job);
}

void op_activate(const struct kernels *kern, enum activation act, const struct tensor *in,
                 const struct tensor *out)
{
    op_epilogue(kern, &(struct conv_epilogue){.act = act}, in, out);
}

void op_scale_shift(const struct kernels *kern, const float *scale, const float *shift,
                    const struct tensor *in, const struct tensor *out)
{
    op_epilogue(kern, &(struct conv_epilogue){.scale = scale, .shift = shift}, in, out);
}

void op_squash(const struct kernels *kern, const float *chosen, const float *scale,
               const float *shift, const struct tensor *t)
{
    struct op_block block = {.a = t->data,
                             .out = t->data,
                             .a_stride = t->stride,
                             .out_stride = t->stride,
                             .pixels = tensor_pixels(t),
                             .channels = (size_t)t->c};
    kern->ops.squash(&block, chosen, scale, shift);
}

/* ---- gradients ---- */

/* The pre-activations of one pixel's channels [first, first + count), count <= PART, made by the
 * forward pass's own operation. */
static void preactivation(const struct kernels *kern, const struct conv_epilogue *f, const float *z,
                          size_t first, size_t count, float *u)
{
    struct op_block block = {.a = z + first, .out = u, .pixels = 1, .channels = count};
    kern->ops.activate(&block, ACT_LINEAR, f->scale ? f->scale + first : NULL,
                       f->shift ? f->shift + first : NULL);
}

static size_t part_of(size_t channels, size_t first)
{
    return channels - first < PART ? channels - first : PART;
}

static void fused_backward(const struct kernels *kern, const struct conv_epilogue *f,
                           const struct op_block *block)
{
    struct op_block part = *block;
    if (!f->scale && !f->shift) {
        block_flatten(&part);
    }
    kern->train.activate_backward(&part, f->act, f->scale, f->shift);
}

static void element_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *pixel)
{
    float u[PART];
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            double slope = activation_derivative(f->act, (double)u[c]);
            pixel->out[first + c] = (float)((double)pixel->b[first + c] * slope);
        }
    }
}

/* What the gradient of a pixel needs of all its channels: the largest u and the place of the first
 * one, sum = 1e-4 + sum of t, share = sum of dout_k y_k. */
struct pixel_totals {
    double largest, sum, share;
    size_t place;
};

static struct pixel_totals normalize_totals(const struct kernels *kern,
                                            const struct conv_epilogue *f,
                                            const struct op_block *pixel)
{
    struct pixel_totals totals = {.largest = -HUGE_VAL};
    float u[PART];
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            if ((double)u[c] > totals.largest) {
                totals.largest = (double)u[c];
                totals.place = first + c;
            }
        }
    }
    totals.sum = f->act == ACT_NORM_CHAN_SOFTMAX ? 1e-4 * exp(-totals.largest) : 1e-4;
    double weighted = 0;
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            double term = channel_term(f->act, (double)u[c], totals.largest);
            totals.sum += term;
            weighted += term * (double)pixel->b[first + c];
        }
    }
    totals.share = weighted / totals.sum;
    return totals;
}

/* du_j = t'_j (dout_j - share) / sum. Subtracting the maximum multiplies the 1e-4 by e^largest, on
 * which the maximum's own gradient depends, too. */
static void normalize_backward(const struct kernels *kern, const struct conv_epilogue *f,
                               const struct op_block *pixel)
{
    struct pixel_totals totals = normalize_totals(kern, f, pixel);
    float u[PART];
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            double slope = channel_term(f->act, (double)u[c], totals.largest);
            if (f->act == ACT_NORM_CHAN) {
                slope = u[c] > 0.0f ? 1 : 0;
            }
            double du = slope / totals.sum * ((double)pixel->b[first + c] - totals.share);
            if (f->act == ACT_NORM_CHAN_SOFTMAX_MAXVAL && first + c == totals.place) {
                du -= totals.share * 1e-4 / totals.sum;
            }
            pixel->out[first + c] = (float)du;
        }
    }
}

void block_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *block)
{
    if (f->act < ACT_FUSED_COUNT) {
        fused_backward(kern, f, block);
        return;
    }
    struct op_block pixel = *block;
    pixel.pixels = 1;
    for (size_t p = 0; p < block->pixels; p++) {
        pixel.a = block->a + p * block->a_stride;
        pixel.b = block->b + p * block->b_stride;
        pixel.out = block->out + p * block->out_stride;
        if (f->act < ACT_NORM_CHAN) {
            element_backward(kern, f, &pixel);
        } else {
            normalize_backward(kern, f, &pixel);
        }
    }
}

static void run_activate_backward(const struct block_job *job, struct op_block *block)
{
    block_activate_backward(job->kern, job->epilogue, block);
}

void op_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                          const struct tensor *z, const struct tensor *dout,
                          const struct tensor *du)
{
    if (f->act == ACT_LINEAR && dout->data == du->data) {
        return;
    }
    struct folded_epilogue folded;
    size_t count = fold_epilogue(f, fold_of(z, dout, du), (size_t)z->c, &folded);
    struct block_job job = {.kern = kern,
                            .a = fold_tensor(z, count),
                            .b = fold_tensor(dout, count),
                            .out = fold_tensor(du, count),
                            .epilogue = &folded.f,
                            .run = run_activate_backward};
    blocks_run(&job);
}
