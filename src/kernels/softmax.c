#include "kernels/softmax.h"

#include "kernels/blocks.h"

static void run_softmax(const struct block_job *job, struct op_block *block)
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
    struct block_job job = {.kern = kern,
                            .a = *in,
                            .out = *out,
                            .group = group,
                            .temperature = temperature,
                            .run = run_softmax};
    blocks_run(&job);
}

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
            softmax_backward_run(&run, job->temperature, job->adds);
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
                            .temperature = temperature,
                            .adds = adds,
                            .run = run_softmax_backward};
    blocks_run(&job);
}
