/* Gradients of the operations that work pixel by pixel. Tensors are cut into ranges of pixels
 * within an image, by their shapes alone. */
#include "kernels/backward.h"

#include <math.h>

#include "base/parallel.h"
#include "kernels/backward_private.h"

/* Floats per item, and channels whose pre-activation is held at a time. */
enum { GRAIN = 16 * 1024, PART = 256 };

/* ---- activations ---- */

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

static void fused_block(const struct kernels *kern, const struct conv_epilogue *f,
                        const struct op_block *block)
{
    struct op_block part = *block;
    bool dense = block->a_stride == block->channels && block->b_stride == block->channels &&
                 block->out_stride == block->channels;
    if (!f->scale && !f->shift && dense) {
        part.channels *= part.pixels;
        part.pixels = 1;
    }
    kern->train.activate_backward(&part, f->act, f->scale, f->shift);
}

static void element_pixel(const struct kernels *kern, const struct conv_epilogue *f,
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

/* The terms t of a per-pixel normalisation y = t / sum: relu(u), or e^(u - largest). */
static double channel_term(enum activation act, double u, double largest)
{
    if (act == ACT_NORM_CHAN) {
        return u < 0 ? 0 : u;
    }
    return exp(u - largest);
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
static void normalize_pixel(const struct kernels *kern, const struct conv_epilogue *f,
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
        fused_block(kern, f, block);
        return;
    }
    struct op_block pixel = *block;
    pixel.pixels = 1;
    for (size_t p = 0; p < block->pixels; p++) {
        pixel.a = block->a + p * block->a_stride;
        pixel.b = block->b + p * block->b_stride;
        pixel.out = block->out + p * block->out_stride;
        if (f->act < ACT_NORM_CHAN) {
            element_pixel(kern, f, &pixel);
        } else {
            normalize_pixel(kern, f, &pixel);
        }
    }
}

/* ---- ranges of pixels ---- */

struct block_job {
    const struct kernels *kern;
    struct tensor a, b, out;
    const struct conv_epilogue *epilogue;
    const struct channel_affine3 *affine;
    int group;
    float factor;
    bool adds;
    size_t image_pixels, item_pixels, image_items;
    void (*run)(const struct block_job *job, struct op_block *block);
};

/* One pixel that stands for a whole image has a stride of 0. */
static bool repeats(const struct tensor *t, const struct block_job *job)
{
    return t->h == 1 && t->w == 1 && job->image_pixels > 1;
}

static const float *input_at(const struct block_job *job, const struct tensor *t, size_t image,
                             size_t first)
{
    if (!t->data) {
        return NULL;
    }
    return t->data + (repeats(t, job) ? image : image * job->image_pixels + first) * t->stride;
}

static void block_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct block_job *job = ctx;
    size_t image = item / job->image_items;
    size_t first = item % job->image_items * job->item_pixels;
    size_t left = job->image_pixels - first;
    struct op_block block = {
        .a = input_at(job, &job->a, image, first),
        .a_stride = repeats(&job->a, job) ? 0 : job->a.stride,
        .b = input_at(job, &job->b, image, first),
        .b_stride = repeats(&job->b, job) ? 0 : job->b.stride,
        .out = job->out.data + (image * job->image_pixels + first) * job->out.stride,
        .out_stride = job->out.stride,
        .pixels = left < job->item_pixels ? left : job->item_pixels,
        .channels = (size_t)job->out.c,
    };
    job->run(job, &block);
}

/* Work of one item or less runs without waking a thread. */
static void block_job_run(struct block_job *job)
{
    job->image_pixels = (size_t)job->out.h * (size_t)job->out.w;
    size_t total = (size_t)job->out.n * job->image_pixels * (size_t)job->out.c;
    if (total == 0) {
        return;
    }
    job->item_pixels = 1 + (GRAIN - 1) / (size_t)job->out.c;
    job->image_items = 1 + (job->image_pixels - 1) / job->item_pixels;
    size_t items = (size_t)job->out.n * job->image_items;
    if (total > GRAIN) {
        parallel_for(items, block_item, job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        block_item(job, i, 0);
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
    struct block_job job = {
        .kern = kern, .a = *z, .b = *dout, .out = *du, .epilogue = f, .run = run_activate_backward};
    block_job_run(&job);
}

static void run_affine3(const struct block_job *job, struct op_block *block)
{
    job->kern->train.affine3(block, job->affine->a, job->affine->b, job->affine->d);
}

void op_channel_affine3(const struct kernels *kern, const struct channel_affine3 *k,
                        const struct tensor *du, const struct tensor *z, const struct tensor *dz)
{
    struct block_job job = {
        .kern = kern, .a = *du, .b = *z, .out = *dz, .affine = k, .run = run_affine3};
    block_job_run(&job);
}

static void run_accumulate(const struct block_job *job, struct op_block *block)
{
    if (block->a_stride == block->channels && block->out_stride == block->channels) {
        block->channels *= block->pixels;
        block->pixels = 1;
    }
    job->kern->train.accumulate(block, job->factor, job->adds);
}

void op_accumulate(const struct kernels *kern, float factor, const struct tensor *from,
                   const struct tensor *into, bool adds)
{
    struct block_job job = {.kern = kern,
                            .a = *from,
                            .out = *into,
                            .factor = factor,
                            .adds = adds,
                            .run = run_accumulate};
    block_job_run(&job);
}

void op_global_avg_backward(const struct kernels *kern, const struct tensor *dout,
                            const struct tensor *din, bool adds)
{
    size_t pixels = (size_t)din->h * (size_t)din->w;
    op_accumulate(kern, (float)(1 / (double)pixels), dout, din, adds);
}

/* ---- products ---- */

static void run_multiply_da(const struct block_job *job, struct op_block *block)
{
    if (job->b.c != 1 || block->channels == 1) {
        if (job->adds) {
            job->kern->train.multiply_add(block);
        } else {
            job->kern->ops.multiply(block);
        }
        return;
    }
    struct op_block pixel = *block;
    pixel.pixels = 1;
    for (size_t p = 0; p < block->pixels; p++) {
        job->kern->train.accumulate(&pixel, block->b[p * block->b_stride], job->adds);
        pixel.a += block->a_stride;
        pixel.out += block->out_stride;
    }
}

/* One gate a pixel: out has one channel, a and b all. */
static void run_multiply_db_pixel(const struct block_job *job, struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        const float *b = block->b + p * block->b_stride;
        float *out = block->out + p * block->out_stride;
        double sum = job->adds ? (double)*out : 0;
        for (int c = 0; c < job->a.c; c++) {
            sum += (double)a[c] * (double)b[c];
        }
        *out = (float)sum;
    }
}

/* One gate a channel and image: sums over the image's pixels, by parts of the channels. */
enum { GATE_PART = 64 };

struct gate_job {
    const struct multiply_backward *m;
    const struct kernels *kern;
    size_t parts;
};

static void gate_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    static const float zeros[GATE_PART];
    const struct gate_job *job = ctx;
    const struct multiply_backward *m = job->m;
    int image = (int)(item / job->parts);
    size_t first = item % job->parts * GATE_PART;
    size_t left = (size_t)m->a->c - first;
    double unused[GATE_PART] = {0}, products[GATE_PART] = {0};
    struct op_block block = {
        .a = tensor_at(m->a, image, 0, 0) + first,
        .a_stride = m->a->stride,
        .b = tensor_at(m->dout, image, 0, 0) + first,
        .b_stride = m->dout->stride,
        .pixels = (size_t)m->a->h * (size_t)m->a->w,
        .channels = left < GATE_PART ? left : GATE_PART,
    };
    job->kern->train.reduce(&block, zeros, unused, products);
    float *db = tensor_at(m->db, image, 0, 0) + first;
    for (size_t c = 0; c < block.channels; c++) {
        db[c] = (float)(products[c] + (m->db_adds ? (double)db[c] : 0));
    }
}

static void multiply_db(const struct kernels *kern, const struct multiply_backward *m)
{
    bool whole_image = m->b->h == 1 && m->b->w == 1 && (m->a->h > 1 || m->a->w > 1);
    if (whole_image) {
        struct gate_job job = {m, kern, ((size_t)m->a->c + GATE_PART - 1) / GATE_PART};
        parallel_for((size_t)m->a->n * job.parts, gate_item, &job);
        return;
    }
    struct block_job job = {
        .kern = kern, .a = *m->dout, .b = *m->a, .out = *m->db, .adds = m->db_adds};
    job.run = m->b->c == 1 && m->a->c > 1 ? run_multiply_db_pixel : run_multiply_da;
    block_job_run(&job);
}

void op_multiply_backward(const struct kernels *kern, const struct multiply_backward *m)
{
    if (m->db) {
        multiply_db(kern, m);
    }
    if (m->da) {
        struct block_job job = {.kern = kern,
                                .a = *m->dout,
                                .b = *m->b,
                                .out = *m->da,
                                .adds = m->da_adds,
                                .run = run_multiply_da};
        block_job_run(&job);
    }
}

/* ---- softmax ---- */

static void softmax_backward_run(const struct op_block *run, float temperature, bool adds)
{
    double share = 0;
    for (size_t i = 0; i < run->channels; i++) {
        share += (double)run->a[i] * (double)run->b[i];
    }
    for (size_t i = 0; i < run->channels; i++) {
        double value = (double)run->a[i] * ((double)run->b[i] - share) / (double)temperature;
        run->out[i] = (float)(value + (adds ? (double)run->out[i] : 0));
    }
}

static void run_softmax_backward(const struct block_job *job, struct op_block *block)
{
    size_t group = (size_t)job->group;
    for (size_t p = 0; p < block->pixels; p++) {
        for (size_t first = 0; first < block->channels; first += group) {
            size_t left = block->channels - first;
            struct op_block run = {.a = block->a + p * block->a_stride + first,
                                   .b = block->b + p * block->b_stride + first,
                                   .out = block->out + p * block->out_stride + first,
                                   .channels = left < group ? left : group};
            softmax_backward_run(&run, job->factor, job->adds);
        }
    }
}

void op_softmax_backward(int group, float temperature, const struct tensor *out,
                         const struct tensor *dout, const struct tensor *din, bool adds)
{
    struct block_job job = {.a = *out,
                            .b = *dout,
                            .out = *din,
                            .group = group,
                            .factor = temperature,
                            .adds = adds,
                            .run = run_softmax_backward};
    block_job_run(&job);
}
