#include "kernels/blocks.h"

#include "base/parallel.h"

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

void blocks_run(struct block_job *job)
{
    job->image_pixels = (size_t)job->out.h * (size_t)job->out.w;
    size_t total = (size_t)job->out.n * job->image_pixels * (size_t)job->out.c;
    if (total == 0) {
        return;
    }
    job->item_pixels = 1 + (BLOCK_GRAIN - 1) / (size_t)job->out.c;
    job->image_items = 1 + (job->image_pixels - 1) / job->item_pixels;
    size_t items = (size_t)job->out.n * job->image_items;
    if (total > BLOCK_GRAIN) {
        parallel_for(items, block_item, job);
        return;
    }
    for (size_t i = 0; i < items; i++) {
        block_item(job, i, 0);
    }
}

void block_flatten(struct op_block *block)
{
    bool dense = block->a_stride == block->channels && block->out_stride == block->channels &&
                 (!block->b || block->b_stride == block->channels);
    if (dense) {
        block->channels *= block->pixels;
        block->pixels = 1;
    }
}
