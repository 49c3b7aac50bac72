/* Whole-tensor operations: cut into fixed items, each a block for one call of a slot. The cut
 * depends on the shapes only, and slots do not care where a block ends, so results depend on
 * neither the number of threads nor the batch. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "kernels/conv.h"
#include "kernels/kernels.h"
#include "kernels/slots.h"

/* Floats per item: large against the cost of handing one out, small against a core's L2. Work of
 * one item or less runs without waking a thread. */
enum { GRAIN = 16 * 1024 };

struct pixel_job {
    const struct kernels *kern;
    enum activation act;
    struct tensor a, b, out;
    const struct conv_epilogue *epilogue;
    int group;
    float temperature;
    size_t image_pixels, item_pixels, image_items;
    void (*run)(const struct pixel_job *job, struct op_block *block);
};

static void pixel_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct pixel_job *job = ctx;
    size_t image = item / job->image_items;
    size_t first = item % job->image_items * job->item_pixels;
    size_t left = job->image_pixels - first;
    size_t pixel = image * job->image_pixels + first;
    /* b may be one pixel for the whole image: a stride of 0 repeats it. */
    bool repeat = job->b.h == 1 && job->b.w == 1 && job->image_pixels > 1;
    struct op_block block = {
        .a = job->a.data + pixel * job->a.stride,
        .a_stride = job->a.stride,
        .b_stride = repeat ? 0 : job->b.stride,
        .out = job->out.data + pixel * job->out.stride,
        .out_stride = job->out.stride,
        .pixels = left < job->item_pixels ? left : job->item_pixels,
        .channels = (size_t)job->a.c,
    };
    if (job->b.data) {
        block.b = job->b.data + (repeat ? image : pixel) * job->b.stride;
    }
    job->run(job, &block);
}

/* Cut into ranges of pixels that stay within an image, and run. */
static void pixel_job_run(struct pixel_job *job)
{
    job->image_pixels = (size_t)job->a.h * (size_t)job->a.w;
    size_t total = (size_t)job->a.n * job->image_pixels * (size_t)job->a.c;
    if (total == 0) {
        return;
    }
    job->item_pixels = 1 + (GRAIN - 1) / (size_t)job->a.c;
    job->image_items = 1 + (job->image_pixels - 1) / job->item_pixels;
    size_t items = (size_t)job->a.n * job->image_items;
    if (total > GRAIN) {
        parallel_for(items, pixel_item, job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        pixel_item(job, i, 0);
    }
}

/* Dense pixels are one long run: fewer and fuller vectors. */
static void block_flatten(struct op_block *block)
{
    bool dense = block->a_stride == block->channels && block->out_stride == block->channels &&
                 (!block->b || block->b_stride == block->channels);
    if (dense) {
        block->channels *= block->pixels;
        block->pixels = 1;
    }
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

/* The term of one channel in a per-pixel normalisation; largest is the pixel's maximum. Softmax is
 * shifted by it also where Darknet does not: the same value, without overflow. */
static double channel_term(enum activation act, double x, double largest)
{
    if (act == ACT_NORM_CHAN) {
        return x < 0 ? 0 : x;
    }
    return exp(x - largest);
}

static void normalize_pixel(enum activation act, const float *a, float *out, size_t channels)
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

static void epilogue_block(const struct kernels *kern, const struct conv_epilogue *f,
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
            normalize_pixel(f->act, rest.a + p * rest.a_stride, block->out + p * block->out_stride,
                            block->channels);
        }
    }
}

static void run_epilogue(const struct pixel_job *job, struct op_block *block)
{
    epilogue_block(job->kern, job->epilogue, block);
}

void op_epilogue(const struct kernels *kern, const struct conv_epilogue *f, const struct tensor *in,
                 const struct tensor *out)
{
    if (f->act == ACT_LINEAR && !f->scale && !f->shift && in->data == out->data) {
        return;
    }
    struct pixel_job job = {
        .kern = kern, .a = *in, .out = *out, .epilogue = f, .run = run_epilogue};
    pixel_job_run(&job);
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

void op_copy(const struct kernels *kern, const struct tensor *in, const struct tensor *out)
{
    op_activate(kern, ACT_LINEAR, in, out);
}

static void run_zero(const struct pixel_job *job, struct op_block *block)
{
    (void)job;
    block_flatten(block);
    for (size_t p = 0; p < block->pixels; p++) {
        memset(block->out + p * block->out_stride, 0, block->channels * sizeof(float));
    }
}

void op_zero(const struct tensor *out)
{
    struct pixel_job job = {.a = *out, .out = *out, .run = run_zero};
    pixel_job_run(&job);
}

static void run_add(const struct pixel_job *job, struct op_block *block)
{
    enum activation fused = job->act < ACT_FUSED_COUNT ? job->act : ACT_LINEAR;
    size_t common = (size_t)job->b.c;
    struct op_block sum = *block;
    struct op_block result = *block;
    if (common < block->channels) {
        struct op_block rest = *block;
        rest.b = NULL;
        rest.a += common;
        rest.out += common;
        rest.channels -= common;
        epilogue_block(job->kern, &(struct conv_epilogue){.act = fused}, &rest);
        sum.channels = common;
    }
    block_flatten(&sum);
    job->kern->ops.add(&sum, fused);
    if (fused != job->act) {
        result.b = NULL;
        result.a = block->out;
        result.a_stride = block->out_stride;
        epilogue_block(job->kern, &(struct conv_epilogue){.act = job->act}, &result);
    }
}

void op_add(const struct kernels *kern, enum activation act, const struct tensor *a,
            const struct tensor *b, const struct tensor *out)
{
    struct pixel_job job = {
        .kern = kern, .act = act, .a = *a, .b = *b, .out = *out, .run = run_add};
    pixel_job_run(&job);
}

static void run_multiply(const struct pixel_job *job, struct op_block *block)
{
    if (job->b.c == 1) {
        job->kern->ops.multiply_pixel(block);
    } else {
        block_flatten(block);
        job->kern->ops.multiply(block);
    }
}

void op_multiply(const struct kernels *kern, const struct tensor *a, const struct tensor *b,
                 const struct tensor *out)
{
    struct pixel_job job = {.kern = kern, .a = *a, .b = *b, .out = *out, .run = run_multiply};
    pixel_job_run(&job);
}

static void run_softmax(const struct pixel_job *job, struct op_block *block)
{
    size_t group = (size_t)job->group;
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t first = 0; first < block->channels; first += group) {
            size_t left = block->channels - first;
            job->kern->ops.softmax(a + first, left < group ? left : group, job->temperature,
                                   out + first);
        }
    }
}

void op_softmax(const struct kernels *kern, int group, float temperature, const struct tensor *in,
                const struct tensor *out)
{
    struct pixel_job job = {.kern = kern,
                            .a = *in,
                            .out = *out,
                            .group = group,
                            .temperature = temperature,
                            .run = run_softmax};
    pixel_job_run(&job);
}

struct upsample_job {
    const struct kernels *kern;
    struct tensor in, out;
    int stride;
    float factor;
};

/* One item is one row of input pixels. */
static void upsample_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct upsample_job *job = ctx;
    int image = (int)(item / (size_t)job->in.h);
    int y = (int)(item % (size_t)job->in.h);
    struct op_block block = {
        .a = tensor_at(&job->in, image, y, 0),
        .a_stride = job->in.stride,
        .out = tensor_at(&job->out, image, y * job->stride, 0),
        .out_stride = job->out.stride,
        .pixels = (size_t)job->in.w,
        .channels = (size_t)job->in.c,
    };
    job->kern->ops.upsample(&block, job->stride, job->factor);
}

void op_upsample(const struct kernels *kern, int stride, float factor, const struct tensor *in,
                 const struct tensor *out)
{
    struct upsample_job job = {kern, *in, *out, stride, factor};
    size_t items = (size_t)in->n * (size_t)in->h;
    if (tensor_pixels(out) * (size_t)out->c > GRAIN) {
        parallel_for(items, upsample_item, &job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        upsample_item(&job, i, 0);
    }
}
