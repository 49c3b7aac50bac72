#include "kernels/conv.h"

#include "kernels/conv_private.h"

enum conv_algorithm conv_choose(const struct kernels *kern, const struct conv_geometry *g,
                                bool allow_winograd)
{
    if (depthwise_possible(g)) {
        return CONV_DEPTHWISE;
    }
    if (allow_winograd && winograd_wins(&kern->conv, g)) {
        return CONV_WINOGRAD;
    }
    return CONV_INDIRECT;
}

size_t conv_packed_floats(const struct kernels *kern, const struct conv_geometry *g,
                          enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
        return winograd_packed_floats(&kern->conv, g);
    case CONV_DEPTHWISE:
        return depthwise_packed_floats(g);
    default:
        return igemm_packed_floats(&kern->conv, g);
    }
}

void conv_pack(const struct kernels *kern, const struct conv_geometry *g,
               enum conv_algorithm algorithm, const float *weights, float *packed)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
        winograd_pack(&kern->conv, g, weights, packed);
        break;
    case CONV_DEPTHWISE:
        depthwise_pack(g, weights, packed);
        break;
    default:
        igemm_pack(&kern->conv, g, weights, packed);
        break;
    }
}

size_t conv_scratch_bytes(const struct kernels *kern, const struct conv_geometry *g,
                          enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
        return winograd_scratch_bytes(&kern->conv, g);
    case CONV_DEPTHWISE:
        return 0;
    default:
        return igemm_scratch_bytes(&kern->conv, g);
    }
}

void conv_forward(const struct kernels *kern, const struct conv_geometry *g,
                  enum conv_algorithm algorithm, const float *packed,
                  const struct conv_epilogue *epilogue, const struct tensor *in,
                  const struct tensor *out, void *scratch)
{
    struct conv_run run = {.slots = &kern->conv,
                           .g = g,
                           .packed = packed,
                           .epilogue = epilogue,
                           .in = in,
                           .out = out,
                           .scratch = scratch};
    switch (algorithm) {
    case CONV_WINOGRAD:
        winograd_forward(&run);
        break;
    case CONV_DEPTHWISE:
        depthwise_forward(&run);
        break;
    default:
        igemm_forward(&run);
        break;
    }
}
