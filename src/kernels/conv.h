/* Convolution on channels-last tensors, whole operations: algorithm choice, weight packing, running.
 *
 * out[n, oy, ox, k] = act( scale[k] * sum_{r,s,c} in[n, oy*stride_y - pad_y + r*dilation,
 *                                                     ox*stride_x - pad_x + s*dilation, c] * w[k,c,r,s]
 *                          + shift[k] )
 * (cross-correlation, zeros outside; group g maps input channels [g*C/G, ...) to filters [g*K/G, ...)).
 *
 * Algorithms: CONV_INDIRECT = indirect GEMM (pointer table per block of output pixels, no im2col;
 * Dukhan 2019, arXiv:1907.02129) over weights packed into panels; CONV_WINOGRAD = F(4x4, 3x3) around
 * the same register tile (Lavin & Gray 2015, arXiv:1509.09308), CONV_WINOGRAD_STRIDE2 = the like for stride 2, F(4x4, 2x2) of the
 * even samples; CONV_DEPTHWISE = vectors along channels;
 * CONV_STRASSEN = 1x1 of many channels, Strassen's seven products of blocks around that tile;
 * CONV_POINTWISE = 1x1 of few channels without the table, CONV_ROWS = windows over few channels (a network's first
 * layer) without it, both with the bits of CONV_INDIRECT unless filters are half a vector or fewer.
 * The choice depends on the geometry alone, never on batch size or thread count; every output element
 * is computed by the same operations in the same order wherever it lies in a batch or tile, so an
 * image's result does not depend on its batch mates. (CONV_STRASSEN: a pixel's rounding depends on another one of its image, and what
 * is not finite in the one is not finite in the other.) */
#ifndef KERNELS_CONV_H
#define KERNELS_CONV_H

#include "kernels/activate.h"
#include "kernels/int8_tensor.h"
#include "kernels/tensor.h"

struct kernels;

struct conv_geometry {
    int in_h, in_w, in_c;
    int filters, groups;
    int kernel_h, kernel_w;
    int stride_y, stride_x;
    int pad_y, pad_x; /* rows and columns of zeros before the first pixel */
    int dilation;
    int out_h, out_w;
};

enum conv_algorithm {
    CONV_INDIRECT,
    CONV_WINOGRAD,
    CONV_DEPTHWISE,
    CONV_POINTWISE,
    CONV_ROWS,
    CONV_WINOGRAD_STRIDE2,
    CONV_STRASSEN
};

/* The fastest algorithm for this geometry on these kernels; neither Winograd's nor Strassen's on kernels_direct. */
enum conv_algorithm conv_choose(const struct kernels *kern, const struct conv_geometry *g);

/* Floats that conv_pack writes. */
size_t conv_packed_floats(const struct kernels *kern, const struct conv_geometry *g,
                          enum conv_algorithm algorithm);

/* weights: [filters][in_c / groups][kernel_h][kernel_w], Darknet's order, any 4-byte alignment.
 * packed: 64-byte aligned. Runs in parallel. */
void conv_pack(const struct kernels *kern, const struct conv_geometry *g,
               enum conv_algorithm algorithm, const float *weights, float *packed);

/* Scratch bytes conv_forward needs in all, for parallel_threads() threads. */
size_t conv_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                          enum conv_algorithm algorithm);

/* in: [n, in_h, in_w, in_c]; out: [n, out_h, out_w, filters], not overlapping in, which is added to if adds. scratch: 64-byte
 * aligned. Allocates nothing, cannot fail. */
void conv_forward(const struct kernels *kern, const struct conv_geometry *g,
                  enum conv_algorithm algorithm, const float *packed,
                  const struct conv_epilogue *epilogue, const struct tensor *in,
                  const struct tensor *out, bool adds, void *scratch);

/* The same with an output of bytes, for algorithms that make whole pixels (CONV_ROWS) and an activation in the epilogue: a
 * thread rounds a few pixels' floats at a time, so that they are never there as a whole. The bytes are those of
 * int8_quantize on conv_forward's output. */
bool conv_gives_bytes(enum conv_algorithm algorithm);
size_t conv_bytes_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                                enum conv_algorithm algorithm);
void conv_forward_bytes(const struct kernels *kern, const struct conv_geometry *g,
                        enum conv_algorithm algorithm, const float *packed,
                        const struct conv_epilogue *epilogue, const struct tensor *in,
                        const struct int8_tensor *out, void *scratch);

/* Gradients. z is the plain convolution (no scale, shift, activation) of g; dz = dL/dz is
 * [n, out_h, out_w, filters]. Both passes have n <= batch images and share one scratch of
 * conv_backward_scratch_bytes(kern, g, batch), 64-byte aligned, for parallel_threads() threads.
 * Neither allocates, fails, or depends on the number of threads. */
size_t conv_backward_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                                   int batch);

/* dL/dinput is a convolution of dz with the weights rotated by 180 degrees, filters and channels
 * exchanged. With a stride, the input's pixels fall into stride_y * stride_x classes by their
 * remainders, each with its own subset of taps: every class is a convolution of stride 1.
 *
 * Floats that conv_pack_backward writes; weights and packed as in conv_pack. The gradient of some channels only:
 * with one group, a geometry of that in_c, the weights at the first of them, and filter_channels, how many a
 * filter has in the weights (else in_c / groups). */
size_t conv_backward_packed_floats(const struct kernels *kern, const struct conv_geometry *g);
void conv_pack_backward(const struct kernels *kern, const struct conv_geometry *g,
                        const float *weights, int filter_channels, float *packed);
/* dx[n, in_h, in_w, in_c] = dL/dinput, or += if adds; dx does not overlap dz. */
void conv_backward_data(const struct kernels *kern, const struct conv_geometry *g,
                        const float *packed, const struct tensor *dz, const struct tensor *dx,
                        bool adds, void *scratch);

/* dw[k, c, r, s] = sum over n, oy, ox of dz[n, oy, ox, k]
 *                  * x[n, oy*stride_y - pad_y + r*dilation, ox*stride_x - pad_x + s*dilation, c]
 * in the order of conv_pack's weights, any 4-byte alignment. x: the convolution's input. Partial
 * sums of a few hundred pixels are summed separately, so rounding stays near 1e-7 of the sum of
 * magnitudes. */
void conv_backward_weights(const struct kernels *kern, const struct conv_geometry *g,
                           const struct tensor *x, const struct tensor *dz, float *dw,
                           void *scratch);

#endif
