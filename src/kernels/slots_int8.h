/* What an instruction set does of a quantised convolution. Sums are of integers modulo 2^32, and everything behind
 * them are single IEEE operations on floats in a fixed order (no fused multiply-add): every set gives the same bytes. */
#ifndef KERNELS_SLOTS_INT8_H
#define KERNELS_SLOTS_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/activation.h"

struct kernels;

enum { INT8_MAX_MR = 16, INT8_MAX_NR = 32 };

/* acc[i][k] (+)= sum over the steps s of the products of 4 bytes of pixel i with 4 bytes of panel[s][k]: two int16 by
 * two int16 (pairs), or four uint8 by four int8 (quads). */
struct int8_tile {
    const void *in;    /* pixel i's at in + i * in_stride */
    size_t in_stride;  /* bytes */
    const void *panel; /* [steps][nr], 4 bytes each */
    size_t steps;
    int pixels;    /* 1 .. mr */
    uint32_t *acc; /* [pixels], acc_stride apart; nr each */
    size_t acc_stride;
    bool accumulate;
};

/* From sums to bytes, by channel:  r   = act((sum + offset) scale + shift),
 *                                  out = zero + the nearest whole number to r per_step, within [low, high] (ties to even).
 * Of activations that commute with a factor (linear, leaky, relu, relu6) per_step is in scale and shift already.
 * Each array has a value for every channel and is readable up to the next multiple of INT8_MAX_NR. */
struct int8_epilogue {
    const int32_t *offset, *zero;
    const float *scale, *shift, *per_step, *low, *high;
    enum activation act; /* < ACT_FUSED_COUNT */
};

/* int8_tile's sums of pairs, of any number of pixels and filters, through the epilogue at once. */
struct int8_block {
    const void *in;
    size_t in_stride;
    const void *panels; /* panel_stride bytes apart, as int8_tile's */
    size_t panel_stride;
    size_t steps;
    size_t pixels, filters;
    const struct int8_epilogue *e; /* int8_commutes(act) */
    uint8_t *out;
    size_t out_stride;
};

struct int8_finish {
    const uint32_t *acc;
    size_t acc_stride;
    size_t pixels, filters;
    const struct int8_epilogue *e;
    size_t first; /* filter, of e's arrays */
    uint8_t *out;
    size_t out_stride;
};

/* Integer Winograd F(4x4, 3x3), see int8_winograd.c. 36 pixels to V[xi][c]. */
struct int8_winograd_input {
    const uint8_t *const *in; /* [36] */
    size_t offset, channels;
    int16_t *v; /* xi_stride apart, written up to the next multiple of INT8_MAX_NR */
    size_t xi_stride;
};

/* Weights [pairs of channels][9][nr][2] to U[xi][pairs][nr][2]. */
struct int8_winograd_filter {
    const int8_t *weights;
    size_t pairs;
    int16_t *u;
    size_t xi_stride;
};

/* M[xi] of one tile to its pixels. */
struct int8_winograd_output {
    const uint32_t *m;
    size_t xi_stride;
    size_t filters;
    const struct int8_epilogue *e;
    size_t first;
    uint8_t *out;
    size_t row_stride, pixel_stride;
    int rows, columns; /* <= 4 */
};

/* Neighbouring output pixels of a row; each channel has its own filter. Taps are multiplied in pairs: each of an even row of
 * the window with that below it, and those of an odd last row two and two. What lies behind the last window, one tap and INT8_MAX_NR
 * bytes, is read, too. */
struct int8_depthwise {
    const uint8_t *const *in; /* [rows], the first pixel's window */
    size_t in_tap, in_step;   /* bytes */
    int rows, columns;
    size_t pixels, channels;
    const uint32_t *weights; /* [channels / lanes][pairs][lanes]: the first tap's in the low half */
    const struct int8_epilogue *e;
    uint8_t *out;
    size_t out_stride;
};

static inline size_t int8_depthwise_pairs(int rows, int columns)
{
    return (size_t)(rows / 2 * columns + rows % 2 * (columns + 1) / 2);
}

/* Two sums of one term each: r = act(a scale + b scale_b + shift), and on as the epilogue says; offset is not used. out
 * may be a. */
struct int8_add {
    const uint8_t *a, *b;
    size_t a_stride, b_stride, out_stride;
    size_t pixels, channels;
    const struct int8_epilogue *e;
    const float *scale_b;
    size_t first; /* channel, of e's arrays and scale_b */
    uint8_t *out;
};

/* Between floats and bytes of pixels, the strides in elements: a byte is its channel's zero + nearest(float / step), within
 * 0 .. 255. */
struct int8_convert {
    float *floats;
    uint8_t *bytes;
    size_t floats_stride, bytes_stride;
    size_t pixels, channels;
    const float *steps; /* [channels] */
    const uint8_t *zeros;
};

struct int8_slots {
    int mr, nr;
    int lanes;      /* int32 of a vector */
    bool has_quads; /* tile_quads is there: faster, weights are half as large */
    void (*tile_pairs)(const struct int8_tile *t);
    void (*tile_quads)(const struct int8_tile *t);
    void (*block)(const struct int8_block *b);
    void (*finish)(const struct int8_finish *f);
    void (*widen)(const uint8_t *from, size_t count, int16_t *to);
    void (*winograd_input)(const struct int8_winograd_input *w);
    void (*winograd_filter)(const struct int8_winograd_filter *w);
    void (*winograd_output)(const struct int8_winograd_output *w);
    void (*depthwise)(const struct int8_depthwise *d);
    void (*add)(const struct int8_add *a);
    void (*quantize)(const struct int8_convert *c);
    void (*dequantize)(const struct int8_convert *c);
};

extern const struct int8_slots int8_slots_scalar;
#if HAVE_X86_KERNELS
extern const struct int8_slots int8_slots_avx2, int8_slots_avx2_vnni, int8_slots_avx512,
    int8_slots_avx512_vnni;
#endif

/* Those of a table's instruction set, with VNNI where the machine has it. */
const struct int8_slots *int8_slots_of(const struct kernels *kern);

#endif
