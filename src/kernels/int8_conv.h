/* Quantised convolution, whole operations: bytes in, bytes out, with the geometry of conv.h.
 *
 *   sum[n, oy, ox, k] = sum over r, s, c of (in[...] - in's zero) weights[k, c, r, s]     (exact)
 *   out               = epilogue (slots_int8.h)
 *
 * The three algorithms give the same sums, so which one is taken is a matter of time alone:
 *
 *   INT8_DIRECT     blocks of output pixels, their windows gathered side by side, times panels of weights
 *   INT8_WINOGRAD   F(4x4, 3x3) in integers modulo 2^32 (int8_winograd.c): a quarter of the products, as in fp32
 *   INT8_DEPTHWISE  a filter for each channel, vectors along channels
 *
 * Bits depend neither on the instruction set nor on the number of threads. */
#ifndef KERNELS_INT8_CONV_H
#define KERNELS_INT8_CONV_H

#include "kernels/conv.h"
#include "kernels/int8_tensor.h"
#include "kernels/slots_int8.h"

enum int8_algorithm { INT8_DIRECT, INT8_WINOGRAD, INT8_DEPTHWISE };

/* One group, or depthwise; and no sum can leave 32 bits. */
bool int8_conv_possible(const struct conv_geometry *g);

/* Of an int8_conv_possible geometry. one_sign: of the sums of a filter's weights above zero, and of those below, the
 * largest; Winograd's results have fewer bits than the direct ones. */
enum int8_algorithm int8_conv_choose(const struct kernels *kern, const struct conv_geometry *g,
                                     int one_sign);

size_t int8_conv_packed_bytes(const struct kernels *kern, const struct conv_geometry *g,
                              enum int8_algorithm algorithm);
/* weights as in conv_pack; packed: 64-byte aligned. Runs in parallel. */
void int8_conv_pack(const struct kernels *kern, const struct conv_geometry *g,
                    enum int8_algorithm algorithm, const int8_t *weights, void *packed);
/* offset[k] = - the sum over filter k's weights times their channels' zeros: what a sum over raw bytes has too much. */
void int8_conv_offsets(const struct conv_geometry *g, const int8_t *weights, const uint8_t *zeros,
                       int32_t *offset);

/* Scratch for parallel_threads() threads and so many images at most. */
size_t int8_conv_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                               enum int8_algorithm algorithm, int images);
/* in, out as in conv_forward; scratch: 64-byte aligned. Allocates nothing, cannot fail. */
void int8_conv_forward(const struct kernels *kern, const struct conv_geometry *g,
                       enum int8_algorithm algorithm, const void *packed,
                       const struct int8_epilogue *epilogue, const struct int8_tensor *in,
                       const struct int8_tensor *out, void *scratch);

#endif
