/* Losses against values: what [softmax] and [cost] share. Computed in double from float outputs, image by image;
 * images run in parallel and their sums are added in order, so no result depends on the number of threads. */
#ifndef LAYERS_VALUE_LOSS_H
#define LAYERS_VALUE_LOSS_H

#include "layers/layer.h"

/* [cost] type=: the loss of one value x with the target t, summed over all values of an image. */
enum cost_type {
    COST_SSE, /* (x - t)^2 / 2: its gradient x - t is what Darknet steps by; the loss is half of what Darknet prints */
    COST_MASKED, /* the same; none where t is -1234 */
    COST_SMOOTH, /* d = |x - t|: d^2 / 2 below 1, d - 1/2 above (Huber; half of what Darknet prints) */
    COST_L1,     /* |x - t| */
    COST_BCE,    /* -t ln x - (1 - t) ln(1 - x), binary cross-entropy: x and t within [0, 1] */
    COST_CE /* -t ln x, categorical cross-entropy: x a distribution, of a [softmax] right before */
};
enum cost_type cost_type_of(const struct layer *cost);
/* noloss=1 */
bool softmax_is_mute(const struct layer *softmax);

/* The work on one image. */
struct value_image {
    const struct layer *l;
    struct tensor out;
    struct tensor gradient; /* data NULL: not wanted */
    bool adds;              /* to the gradient; else it is written */
    double weight;          /* of the image; value_put_gradient and value_loss_run see to it */
    const float *target;    /* as `out`, but for its own stride */
    size_t target_stride;
};

static inline const float *value_target_at(const struct value_image *image, size_t pixel)
{
    return image->target + pixel * image->target_stride;
}

/* Writes or adds one value of the gradient. */
static inline void value_put_gradient(const struct value_image *image, size_t pixel, int channel,
                                      double slope)
{
    if (image->gradient.data) {
        float *at = image->gradient.data + pixel * image->gradient.stride + (size_t)channel;
        double weighted = slope * image->weight;
        *at = image->adds ? (float)((double)*at + weighted) : (float)weighted;
    }
}

/* -t ln p, finite for every p in [0, 1]; slope with respect to p. */
struct value_term {
    double value, slope;
};
struct value_term value_cross_entropy(double p, double t);

/* For ops->plan: scratch for the images' sums. */
void value_loss_plan(const struct plan_limits *limits, struct layer_plan *p);

/* ops->loss. image_loss returns the loss of one image, before loss_scale, and puts the gradient with it. An image
 * without a target has neither: its gradient is 0. */
void value_loss_run(double (*image_loss)(const struct value_image *image), const struct layer *l,
                    const struct exec *e, const struct truth_set *truths, struct loss_parts *parts);

#endif
