/* The kernel table: what differs by instruction set, behind typed slots.
 *
 * kernels_select fills a table at start: scalar first (the truth, plain C that any compiler vectorises),
 * then AVX2 + FMA, then AVX-512 override what they do better. The table is const afterwards and passed
 * down; nothing tests the CPU inside a loop. Only avx2_* and avx512_* files include <immintrin.h>.
 *
 * Counts are in elements. Pointers need 4-byte alignment unless said otherwise. Nothing reads or
 * writes outside the given ranges (masks, no overread). */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "kernels/activation.h"
#include "kernels/tensor.h"

struct kernels; /* slots: kernels/slots.h, private to this folder, its tests and the bench */

/* isa: NULL or "auto" = the best this CPU and operating system run; else "scalar", "avx2", "avx512"
 * (anything else, or one this machine lacks: ERR_ARG). The table is static. */
NODISCARD enum result kernels_select(const char *isa, const struct kernels **kern,
                                     struct error *err);

const char *kernels_isa(const struct kernels *kern);

/* The same instruction set without Winograd's transforms: convolutions and their gradients are direct sums
 * throughout (--no-winograd). The table is static. */
const struct kernels *kernels_direct(const struct kernels *kern);
bool kernels_are_direct(const struct kernels *kern);

/* Element-wise and pooling operations on whole tensors, run in parallel over pixels. Shapes of in and
 * out agree unless said otherwise; `in` and `out` may be the same tensor where marked in-place. */

/* out = act(in); in-place. All activations, also the per-pixel ones. */
void op_activate(const struct kernels *kern, enum activation act, const struct tensor *in,
                 const struct tensor *out);
/* out = in; e.g. a concatenation input that could not be placed. */
void op_copy(const struct kernels *kern, const struct tensor *in, const struct tensor *out);
/* out = 0. */
void op_zero(const struct tensor *out);
/* out = act(a + b) on the first min(a.c, b.c) channels, act(a) on the rest of a.c; in-place on a. */
void op_add(const struct kernels *kern, enum activation act, const struct tensor *a,
            const struct tensor *b, const struct tensor *out);
/* out[.., c] = in[.., c] * scale[c] + shift[c]; NULL = 1 / 0; in-place. */
void op_scale_shift(const struct kernels *kern, const float *scale, const float *shift,
                    const struct tensor *in, const struct tensor *out);
struct conv_epilogue;
/* out = act(scale[c] * in + shift[c]) with the bits of a convolution's epilogue; in-place. */
void op_epilogue(const struct kernels *kern, const struct conv_epilogue *f, const struct tensor *in,
                 const struct tensor *out);
/* out = a * b element by element; b may be [n, 1, 1, c] (one gate per channel) or [n, h, w, 1] (one per
 * pixel); in-place on a. */
void op_multiply(const struct kernels *kern, const struct tensor *a, const struct tensor *b,
                 const struct tensor *out);

struct pool_geometry {
    int size, stride_y, stride_x;
    int offset; /* the window of output (y, x) starts at (y*stride_y - offset, x*stride_x - offset) */
};
/* Max over the in-bounds pixels of each window. A window without any gives -FLT_MAX. */
void op_max_pool(const struct kernels *kern, const struct pool_geometry *g, const struct tensor *in,
                 const struct tensor *out);
/* Mean over the in-bounds pixels of each window. */
void op_avg_pool(const struct kernels *kern, const struct pool_geometry *g, const struct tensor *in,
                 const struct tensor *out);
/* Mean over all pixels of an image: out is [n, 1, 1, c]. Summed in double. */
void op_global_avg(const struct kernels *kern, const struct tensor *in, const struct tensor *out);
/* out[n, y, x, c] = factor * in[n, y / stride, x / stride, c]. */
void op_upsample(const struct kernels *kern, int stride, float factor, const struct tensor *in,
                 const struct tensor *out);
/* Softmax with temperature over each run of `group` neighbouring channels of each pixel; in-place. */
void op_softmax(const struct kernels *kern, int group, float temperature, const struct tensor *in,
                const struct tensor *out);

#endif
