/* What [convolutional], [deconvolutional] and [connected] share: one convolution with batch
 * normalisation or biases folded into its epilogue, and an activation. A kind's state begins with its unit.
 *
 * Prepared memory: [packed weights | scale | shift], each part on 64 bytes. */
#ifndef LAYERS_CONV_UNIT_H
#define LAYERS_CONV_UNIT_H

#include "layers/layer.h"
#include "kernels/conv.h"

enum { CONV_MAX_FILTERS = 1 << 20, CONV_MAX_WINDOW = 1024 };

struct conv_unit {
    struct conv_geometry
        geometry; /* filters and window: parse(); what depends on the input: shape() */
    int padding;  /* the key's, pixels; the geometry's margins follow from it */
    enum activation act;
    bool has_bn;
};

/* Words for layer_plan.choice = enum conv_algorithm. */
extern const char *const conv_unit_choices[];

/* Keys activation, batch_normalize; the input is the previous layer. The geometry becomes that of a window of one pixel. */
NODISCARD enum result conv_unit_parse(struct layer *l, struct conv_unit *u, struct error *err);
/* Keys filters, size, pad, padding. */
NODISCARD enum result conv_unit_parse_window(struct layer *l, struct conv_unit *u,
                                             struct error *err);
/* An input of this shape with `margin` zeros on each side gives l->out, which is set. */
void conv_unit_shape(const struct layer *l, struct conv_unit *u, struct shape in, int margin);

/* Slot. A convolution's order: biases, batch normalisation's, weights. */
NODISCARD enum result conv_unit_params(struct layer *l, struct error *err);
/* Declares "biases" or "weights": filters, and that * (in_c / groups) * kernel_h * kernel_w floats. */
NODISCARD enum result conv_unit_add_biases(const struct conv_unit *u, struct layer *l,
                                           struct error *err);
NODISCARD enum result conv_unit_add_weights(const struct conv_unit *u, struct layer *l,
                                            struct error *err);
/* Declares scales, rolling_mean, rolling_variance if there is batch normalisation. */
NODISCARD enum result conv_unit_add_bn(const struct conv_unit *u, struct layer *l,
                                       struct error *err);

/* The part of prepared memory that is the unit's own; a kind may put more behind it. */
size_t conv_unit_prepared_floats(const struct conv_unit *u, const struct kernels *kern, int choice);

/* Packs `weights` (in conv_pack's order) and folds the layer's other parameters. */
void conv_unit_prepare_from(const struct layer *l, const struct exec *e, const float *weights);

/* Batch normalisation or biases, and the activation, if it is one of those that can be in an epilogue. */
struct conv_epilogue conv_unit_epilogue(const struct conv_unit *u, const struct exec *e);

/* Adds bias[filters] to what has been folded: before the activation. */
void conv_unit_add_bias(const struct layer *l, const struct exec *e, const float *bias);

/* The inference code: everything in the epilogue. With `adds`, for an activation that can be there, out += the output. */
void conv_unit_infer(const struct conv_unit *u, const struct exec *e, const struct tensor *in,
                     const struct tensor *out, bool adds, void *scratch);

/* The same into bytes: whether the layer can, in inference; its scratch. */
bool conv_unit_gives_bytes(const struct layer *l, const struct kernels *kern);
size_t conv_unit_bytes_scratch_bytes(const struct layer *l, const struct kernels *kern);
void conv_unit_infer_bytes(const struct layer *l, const struct exec *e,
                           const struct int8_tensor *out);

/* Modes that keep for backward, for a kind with a convolution of its own: it writes z = conv_unit_z with the epilogue
 * conv_unit_z_epilogue, then conv_unit_finish makes the output of it. conv_unit_backward_to_z turns e->out_grad into
 * dL/dz in place and adds the gradients of all parameters but the weights. */
struct tensor conv_unit_z(const struct conv_unit *u, const struct exec *e);
struct conv_epilogue conv_unit_z_epilogue(const struct conv_unit *u, const struct exec *e);
void conv_unit_finish(const struct layer *l, const struct exec *e);
void conv_unit_backward_to_z(const struct layer *l, const struct exec *e);

/* Slots. */
void conv_unit_plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p);
void conv_unit_prepare(const struct layer *l, const struct exec *e);
void conv_unit_forward(const struct layer *l, const struct exec *e);
void conv_unit_backward(const struct layer *l, const struct exec *e);
void conv_unit_remake(const struct layer *l, const struct exec *e, const struct tensor *out);

#endif
