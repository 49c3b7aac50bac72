#include "kernels/conv.h"

#include "kernels/conv_private.h"

enum conv_algorithm conv_choose(const struct kernels *kern, const struct conv_geometry *g)
{
    if (depthwise_possible(g)) {
        return CONV_DEPTHWISE;
    }
    if (winograd_wins(&kern->conv, g)) {
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

struct conv_weights conv_weights_plain(const struct conv_geometry *g, const float *weights)
{
    size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    size_t filter = (size_t)(g->in_c / g->groups) * taps;
    return (struct conv_weights){.at = weights,
                                 .group = (size_t)(g->filters / g->groups) * filter,
                                 .filter = filter,
                                 .channel = taps,
                                 .row = g->kernel_w,
                                 .column = 1};
}

void conv_pack_view(const struct kernels *kern, const struct conv_geometry *g,
                    enum conv_algorithm algorithm, const struct conv_weights *w, float *packed)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
        winograd_pack(&kern->conv, g, w, packed);
        break;
    case CONV_DEPTHWISE:
        depthwise_pack(g, w, packed);
        break;
    default:
        igemm_pack(&kern->conv, g, w, packed);
        break;
    }
}

void conv_pack(const struct kernels *kern, const struct conv_geometry *g,
               enum conv_algorithm algorithm, const float *weights, float *packed)
{
    struct conv_weights w = conv_weights_plain(g, weights);
    conv_pack_view(kern, g, algorithm, &w, packed);
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

void conv_run_algorithm(const struct conv_run *run, enum conv_algorithm algorithm)
{
    switch (algorithm) {
    case CONV_WINOGRAD:
        winograd_forward(run);
        break;
    case CONV_DEPTHWISE:
        depthwise_forward(run);
        break;
    default:
        igemm_forward(run);
        break;
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
                           .scratch = scratch,
                           .out_image = (size_t)out->h * (size_t)out->w * out->stride,
                           .out_row = (size_t)out->w * out->stride,
                           .out_pixel = out->stride};
    conv_run_algorithm(&run, algorithm);
}
