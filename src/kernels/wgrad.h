/* The weights' gradient; private to kernels/. Contract: conv_backward_weights in conv.h. */
#ifndef KERNELS_WGRAD_H
#define KERNELS_WGRAD_H

#include <stddef.h>

struct conv_geometry;
struct conv_slots;

size_t wgrad_scratch_bytes(const struct conv_slots *slots, const struct conv_geometry *g,
                           int batch);

#endif
