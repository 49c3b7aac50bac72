/* The algorithms behind int8_conv.h; private to kernels/. */
#ifndef KERNELS_INT8_CONV_PRIVATE_H
#define KERNELS_INT8_CONV_PRIVATE_H

#include "kernels/int8_conv.h"

/* One call of int8_conv_forward. */
struct int8_run {
    const struct int8_slots *slots;
    const struct conv_geometry *g;
    const void *packed;
    const struct int8_epilogue *epilogue;
    const struct int8_tensor *in, *out;
    const uint8_t *zeros; /* a pixel outside the image */
    void *scratch;
};

/* Pixel (y, x) of image n, which may lie outside. */
static inline const uint8_t *int8_padded(const struct int8_run *run, int n, int y, int x)
{
    bool is_inside = y >= 0 && y < run->g->in_h && x >= 0 && x < run->g->in_w;
    return is_inside ? int8_at(run->in, n, y, x) : run->zeros;
}

size_t int8_direct_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g);
void int8_direct_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                      const int8_t *weights, void *packed);
size_t int8_direct_scratch_bytes(const struct int8_slots *slots, const struct conv_geometry *g);
void int8_direct_forward(const struct int8_run *run);

bool int8_winograd_wins(const struct conv_geometry *g, int one_sign);
size_t int8_winograd_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g);
void int8_winograd_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                        const int8_t *weights, void *packed);
size_t int8_winograd_scratch_bytes(const struct int8_slots *slots, const struct conv_geometry *g,
                                   int images);
void int8_winograd_forward(const struct int8_run *run);

bool int8_depthwise_possible(const struct conv_geometry *g);
size_t int8_depthwise_packed_bytes(const struct int8_slots *slots, const struct conv_geometry *g);
void int8_depthwise_pack(const struct int8_slots *slots, const struct conv_geometry *g,
                         const int8_t *weights, void *packed);
size_t int8_depthwise_scratch_bytes(const struct conv_geometry *g);
void int8_depthwise_forward(const struct int8_run *run);

#endif
