/* Layers that a plan for inference runs as one: kernels/bottleneck.h. */
#ifndef LAYERS_BOTTLENECK_H
#define LAYERS_BOTTLENECK_H

#include "layers/layer.h"

/* [convolutional] 1x1, depthwise, 1x1, and [shortcut] of two inputs whose first is the last convolution's output.
 * widen and shortcut may be NULL. */
struct bottleneck_layers {
    const struct layer *widen, *depthwise, *narrow, *shortcut;
};

/* What bottleneck_run takes: the execs of the same layers. */
struct bottleneck_execs {
    const struct exec *widen, *depthwise, *narrow, *shortcut;
};

/* Can they run as one, as far as their kinds and settings go? */
bool bottleneck_fits(const struct bottleneck_layers *layers, const struct kernels *kern);

/* Scratch bytes of such a run. */
size_t bottleneck_scratch(const struct bottleneck_layers *layers, const struct kernels *kern);

/* The last of them gets its output; those of the others are neither read nor written. */
void bottleneck_run(const struct bottleneck_layers *layers, const struct bottleneck_execs *execs);

#endif
