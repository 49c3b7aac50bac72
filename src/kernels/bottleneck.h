/* An inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381) in one pass: a 1x1 convolution that widens, a depthwise
 * one, a 1x1 convolution that narrows, and perhaps a shortcut. What is wide stays in the cache: a thread takes a few output
 * rows at a time, and of those a panel of channels after the other. Every value has the bits that conv_forward of
 * the three convolutions and op_add give it. */
#ifndef KERNELS_BOTTLENECK_H
#define KERNELS_BOTTLENECK_H

#include "kernels/conv.h"

/* One of the convolutions; packed as conv_pack does for its algorithm. */
struct bottleneck_part {
    const struct conv_geometry
        *g; /* NULL, of `widen` only: the depthwise one reads the input itself */
    const float *packed;
    struct conv_epilogue epilogue;
};

struct bottleneck {
    struct bottleneck_part widen, depthwise, narrow;
};

/* Can these be one, run by these algorithms? widen may be NULL. */
bool bottleneck_possible(const struct kernels *kern, const struct conv_geometry *widen,
                         const struct conv_geometry *depthwise, const struct conv_geometry *narrow);

/* Scratch bytes in all, for parallel_threads() threads; geometries as above. */
size_t bottleneck_scratch_bytes(const struct kernels *kern, const struct conv_geometry *depthwise,
                                const struct conv_geometry *narrow);

/* out = narrow(depthwise(widen(in))) + addend (NULL: none). out overlaps neither. scratch: 64-byte aligned. Allocates
 * nothing, cannot fail. */
void bottleneck_forward(const struct kernels *kern, const struct bottleneck *b,
                        const struct tensor *in, const struct tensor *addend,
                        const struct tensor *out, void *scratch);

#endif
