#include "kernels/upsample.h"

#include "base/parallel.h"
#include "kernels/blocks.h"

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
    if (tensor_pixels(out) * (size_t)out->c > BLOCK_GRAIN) {
        parallel_for(items, upsample_item, &job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        upsample_item(&job, i, 0);
    }
}

/* ---- the gradient ---- */

struct upsample_backward_job {
    const struct kernels *kern;
    struct tensor dout, din;
    int stride;
    float factor;
    bool adds;
};

/* One row of input pixels: the first of the stride x stride makes it, the others are added. */
static void upsample_backward_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct upsample_backward_job *job = ctx;
    int image = (int)(item / (size_t)job->din.h);
    int y = (int)(item % (size_t)job->din.h);
    struct op_block block = {
        .a_stride = (size_t)job->stride * job->dout.stride,
        .out = tensor_at(&job->din, image, y, 0),
        .out_stride = job->din.stride,
        .pixels = (size_t)job->din.w,
        .channels = (size_t)job->din.c,
    };
    bool adds = job->adds;
    for (int row = 0; row < job->stride; row++) {
        for (int col = 0; col < job->stride; col++) {
            block.a = tensor_at(&job->dout, image, y * job->stride + row, col);
            job->kern->train.accumulate(&block, job->factor, adds);
            adds = true;
        }
    }
}

void op_upsample_backward(const struct kernels *kern, int stride, float factor,
                          const struct tensor *dout, const struct tensor *din, bool adds)
{
    struct upsample_backward_job job = {kern, *dout, *din, stride, factor, adds};
    parallel_for((size_t)din->n * (size_t)din->h, upsample_backward_item, &job);
}
