/* Sums and products of tensors, element by element, and their gradients. */
#include "kernels/elementwise.h"

#include <string.h>

#include "base/parallel.h"
#include "kernels/activate_private.h"
#include "kernels/blocks.h"

/* ---- copies and sums ---- */

void op_copy(const struct kernels *kern, const struct tensor *in, const struct tensor *out)
{
    op_activate(kern, ACT_LINEAR, in, out);
}

static void run_zero(const struct block_job *job, struct op_block *block)
{
    (void)job;
    block_flatten(block);
    for (size_t p = 0; p < block->pixels; p++) {
        memset(block->out + p * block->out_stride, 0, block->channels * sizeof(float));
    }
}

void op_zero(const struct tensor *out)
{
    struct block_job job = {.a = *out, .out = *out, .run = run_zero};
    blocks_run(&job);
}

static void run_add(const struct block_job *job, struct op_block *block)
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
    struct block_job job = {
        .kern = kern, .act = act, .a = *a, .b = *b, .out = *out, .run = run_add};
    blocks_run(&job);
}

static void run_accumulate(const struct block_job *job, struct op_block *block)
{
    block_flatten(block);
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
    blocks_run(&job);
}

/* ---- products ---- */

static void run_multiply(const struct block_job *job, struct op_block *block)
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
    struct block_job job = {.kern = kern, .a = *a, .b = *b, .out = *out, .run = run_multiply};
    blocks_run(&job);
}

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
    const struct reduce_factors factors = {
        .mean = zeros, .act = ACT_LINEAR, .total = unused, .products = products};
    job->kern->train.reduce(&block, &factors);
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
    blocks_run(&job);
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
        blocks_run(&job);
    }
}
