/* Layers that a plan for inference runs as one. */
#ifndef LAYERS_FUSED_H
#define LAYERS_FUSED_H

#include "layers/layer.h"

/* Either a bottleneck (kernels/bottleneck.h): [convolutional] 1x1, depthwise, 1x1, and [shortcut] of two inputs whose first is the last
 * convolution's output; widen and shortcut may be NULL. Or, without `depthwise`, any [convolutional], `narrow`, and such a [shortcut], whose
 * output lies where its second input does. */
struct fused_layers {
    const struct layer *widen, *depthwise, *narrow, *shortcut;
};

/* What fused_run takes: the execs of the same layers. */
struct fused_execs {
    const struct exec *widen, *depthwise, *narrow, *shortcut;
};

/* Can they run as one, as far as their kinds and settings go? */
bool fused_fits(const struct fused_layers *layers, const struct kernels *kern);

/* Scratch bytes of such a run, beside what each layer alone asks for. */
size_t fused_scratch(const struct fused_layers *layers, const struct kernels *kern);

/* The last of them gets its output; those of the others are neither read nor written. */
void fused_run(const struct fused_layers *layers, const struct fused_execs *execs);

#endif
