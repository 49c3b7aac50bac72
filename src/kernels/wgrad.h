/* The weights' gradient; private to kernels/. Contracts: conv_backward_weights and
 * conv_backward_scratch_bytes in conv.h. */
#ifndef KERNELS_WGRAD_H
#define KERNELS_WGRAD_H

#include "kernels/conv_private.h"

/* One call of conv_backward_weights. */
struct wgrad_run {
    const struct conv_slots *slots;
    const struct conv_geometry *g;
    const struct tensor *x, *dz;
    float *dw;
    void *scratch;
};

size_t wgrad_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                           int batch);

/* The same by Winograd's transforms, for the geometries that winograd_wins names. */
size_t winograd_weights_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                                      int batch);
void winograd_backward_weights(const struct wgrad_run *run);

/* Finished sums of one panel, [tap][channel][nr], and where they belong in dw. */
struct wgrad_panel {
    const float *sums;
    size_t nr;
    size_t first_filter, filters;
    size_t first_channel, channels;
};

/* dw += the panel. */
void wgrad_scatter(const struct conv_geometry *g, const struct wgrad_panel *panel, float *dw);

/* copies[0][i] += copies[1][i] + ... in this order; the copies are `distance` floats apart. */
void wgrad_reduce(float *copies, size_t count, size_t distance, size_t floats);

#endif
