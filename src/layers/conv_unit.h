/* What [convolutional], [deconvolutional] and [connected] share: one convolution with batch
 * normalisation or biases folded into its epilogue, and an activation.
 *
 * Prepared memory: [packed weights | scale | shift], each part on 64 bytes. */
#ifndef LAYERS_CONV_UNIT_H
#define LAYERS_CONV_UNIT_H

#include "layers/layer.h"
#include "kernels/conv.h"

struct conv_unit {
    struct conv_geometry geometry; /* settled by shape() */
    enum activation act;
    bool has_bn;
};

/* Words for layer_plan.choice = enum conv_algorithm. */
extern const char *const conv_unit_choices[];

/* Keys activation, batch_normalize. */
NODISCARD enum result conv_unit_parse(struct layer *l, struct conv_unit *u, struct error *err);

/* Declares "weights": filters * (in_c / groups) * kernel_h * kernel_w floats. */
NODISCARD enum result conv_unit_add_weights(const struct conv_unit *u, struct layer *l,
                                            struct error *err);
/* Declares scales, rolling_mean, rolling_variance if there is batch normalisation. */
NODISCARD enum result conv_unit_add_bn(const struct conv_unit *u, struct layer *l,
                                       struct error *err);

/* Fills choice, prepared and saved floats, scratch_bytes; the output is OWN. */
void conv_unit_plan(const struct conv_unit *u, const struct plan_limits *limits,
                    struct layer_plan *p);

/* The part of prepared memory that is the unit's own; a kind may put more behind it. */
size_t conv_unit_prepared_floats(const struct conv_unit *u, const struct kernels *kern, int choice);

/* Packs `weights` (in conv_pack's order) and folds the layer's other parameters. */
void conv_unit_prepare(const struct conv_unit *u, const struct layer *l, const struct exec *e,
                       const float *weights);

/* The inference code: everything in the epilogue. */
void conv_unit_forward(const struct conv_unit *u, const struct exec *e, const struct tensor *in,
                       const struct tensor *out, void *scratch);

/* The slots of a layer whose state begins with its unit. */
void conv_unit_layer_plan(const struct layer *l, const struct plan_limits *limits,
                          struct layer_plan *p);
void conv_unit_layer_prepare(const struct layer *l, const struct exec *e);
void conv_unit_layer_forward(const struct layer *l, const struct exec *e);
void conv_unit_layer_backward(const struct layer *l, const struct exec *e);

#endif
