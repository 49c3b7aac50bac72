/* Whole tensors cut into blocks of pixels for one call of a slot each; private to kernels/. */
#ifndef KERNELS_BLOCKS_H
#define KERNELS_BLOCKS_H

#include <stdbool.h>

#include "kernels/activation.h"
#include "kernels/slots.h"
#include "kernels/tensor.h"

struct channel_affine3;

/* Floats per item: large against the cost of handing one out, small against a core's L2. Work of
 * one item or less runs without waking a thread. */
enum { BLOCK_GRAIN = 16 * 1024 };

/* What `run` is given beside its block; each reads the fields that its operation needs. */
struct block_job {
    const struct kernels *kern;
    struct tensor a, b, out;
    enum activation act;
    const struct conv_epilogue *epilogue;
    const struct channel_affine3 *affine;
    int group;
    float factor, temperature;
    bool adds;
    void (*run)(const struct block_job *job, struct op_block *block);
    size_t image_pixels, item_pixels, image_items; /* set by blocks_run */
};

/* Cut the output into ranges of pixels that stay within an image, and run each. a and b may be one
 * pixel for the whole image: a stride of 0 repeats it. The cut depends on the shapes only, and
 * slots do not care where a block ends, so results depend on neither the number of threads nor the
 * batch. */
void blocks_run(struct block_job *job);

/* Dense pixels are one long run: fewer and fuller vectors. */
void block_flatten(struct op_block *block);

#endif
