#include "kernels/int8_conv.h"

#include <limits.h>
#include <string.h>

#include "kernels/conv_private.h"
#include "kernels/int8_conv_private.h"
#include "kernels/kernels.h"

/* Terms of a sum of products of a byte and a weight that 31 bits hold. */
enum { MAX_TERMS = INT_MAX / (255 * 127) };

bool int8_conv_possible(const struct conv_geometry *g)
{
    long long terms = (long long)(g->in_c / g->groups) * g->kernel_h * g->kernel_w;
    return (g->groups == 1 || int8_depthwise_possible(g)) && terms <= MAX_TERMS;
}

enum int8_algorithm int8_conv_choose(const struct kernels *kern, const struct conv_geometry *g,
                                     int one_sign)
{
    if (int8_depthwise_possible(g)) {
        return INT8_DEPTHWISE;
    }
    return !kernels_are_direct(kern) && int8_winograd_wins(g, one_sign) ? INT8_WINOGRAD
                                                                        : INT8_DIRECT;
}

size_t int8_conv_packed_bytes(const struct kernels *kern, const struct conv_geometry *g,
                              enum int8_algorithm algorithm)
{
    switch (algorithm) {
    case INT8_WINOGRAD:
        return int8_winograd_packed_bytes(int8_slots_of(kern), g);
    case INT8_DEPTHWISE:
        return int8_depthwise_packed_bytes(int8_slots_of(kern), g);
    default:
        return int8_direct_packed_bytes(int8_slots_of(kern), g);
    }
}

void int8_conv_pack(const struct kernels *kern, const struct conv_geometry *g,
                    enum int8_algorithm algorithm, const int8_t *weights, void *packed)
{
    switch (algorithm) {
    case INT8_WINOGRAD:
        int8_winograd_pack(int8_slots_of(kern), g, weights, packed);
        break;
    case INT8_DEPTHWISE:
        int8_depthwise_pack(int8_slots_of(kern), g, weights, packed);
        break;
    default:
        int8_direct_pack(int8_slots_of(kern), g, weights, packed);
        break;
    }
}

void int8_conv_offsets(const struct conv_geometry *g, const int8_t *weights, const uint8_t *zeros,
                       int32_t *offset)
{
    int channels = g->in_c / g->groups, group_filters = g->filters / g->groups;
    int taps = g->kernel_h * g->kernel_w;
    for (int k = 0; k < g->filters; k++) {
        const uint8_t *zero = zeros + k / group_filters * channels;
        int32_t sum = 0;
        for (int c = 0; c < channels; c++) {
            for (int i = 0; i < taps; i++) {
                sum += *weights++ * zero[c];
            }
        }
        offset[k] = -sum;
    }
}

/* A pixel of zeros begins the scratch. */
static size_t zeros_bytes(const struct conv_geometry *g)
{
    return conv_round_up((size_t)g->in_c, MEM_ALIGN);
}

size_t int8_conv_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                               enum int8_algorithm algorithm, int images)
{
    switch (algorithm) {
    case INT8_WINOGRAD:
        return zeros_bytes(g) + int8_winograd_scratch_bytes(int8_slots_of(kern), g, images);
    case INT8_DEPTHWISE:
        return zeros_bytes(g) + int8_depthwise_scratch_bytes(g);
    default:
        return zeros_bytes(g) + int8_direct_scratch_bytes(int8_slots_of(kern), g);
    }
}

void int8_conv_forward(const struct kernels *kern, const struct conv_geometry *g,
                       enum int8_algorithm algorithm, const void *packed,
                       const struct int8_epilogue *epilogue, const struct int8_tensor *in,
                       const struct int8_tensor *out, void *scratch)
{
    const struct int8_run run = {.slots = int8_slots_of(kern),
                                 .g = g,
                                 .packed = packed,
                                 .epilogue = epilogue,
                                 .in = in,
                                 .out = out,
                                 .zeros = scratch,
                                 .scratch = (char *)scratch + zeros_bytes(g)};
    memcpy(scratch, in->zeros, (size_t)g->in_c);
    switch (algorithm) {
    case INT8_WINOGRAD:
        int8_winograd_forward(&run);
        break;
    case INT8_DEPTHWISE:
        int8_depthwise_forward(&run);
        break;
    default:
        int8_direct_forward(&run);
        break;
    }
}
