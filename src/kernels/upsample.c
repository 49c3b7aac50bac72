#include "kernels/upsample.h"

#include "base/parallel.h"
#include "kernels/blocks.h"

struct upsample_job {
    const struct kernels *kern;
    struct tensor small, large;
    int stride;
    float factor;
    bool adds; /* the gradient */
};

/* One item is one row of input pixels. */
static void upsample_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct upsample_job *job = ctx;
    int image = (int)(item / (size_t)job->small.h);
    int y = (int)(item % (size_t)job->small.h);
    struct op_block block = {
        .a = tensor_at(&job->small, image, y, 0),
        .a_stride = job->small.stride,
        .out = tensor_at(&job->large, image, y * job->stride, 0),
        .out_stride = job->large.stride,
        .pixels = (size_t)job->small.w,
        .channels = (size_t)job->small.c,
    };
    job->kern->ops.upsample(&block, job->stride, job->factor);
}

void op_upsample(const struct kernels *kern, int stride, float factor, const struct tensor *in,
                 const struct tensor *out)
{
    struct upsample_job job = {kern, *in, *out, stride, factor, false};
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

/* One row of input pixels: the first of the stride x stride makes it, the others are added. */
static void upsample_backward_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct upsample_job *job = ctx;
    int image = (int)(item / (size_t)job->small.h);
    int y = (int)(item % (size_t)job->small.h);
    struct op_block block = {
        .a_stride = (size_t)job->stride * job->large.stride,
        .out = tensor_at(&job->small, image, y, 0),
        .out_stride = job->small.stride,
        .pixels = (size_t)job->small.w,
        .channels = (size_t)job->small.c,
    };
    bool adds = job->adds;
    for (int row = 0; row < job->stride; row++) {
        for (int col = 0; col < job->stride; col++) {
            block.a = tensor_at(&job->large, image, y * job->stride + row, col);
            job->kern->train.accumulate(&block, job->factor, adds);
            adds = true;
        }
    }
}

void op_upsample_backward(const struct kernels *kern, int stride, float factor,
                          const struct tensor *dout, const struct tensor *din, bool adds)
{
    struct upsample_job job = {kern, *din, *dout, stride, factor, adds};
    parallel_for((size_t)din->n * (size_t)din->h, upsample_backward_item, &job);
}
