/* The training step: mini-batches forward, their losses, backward; then one update from the gradients that they added
 * up. Its driver for the trainer, for the dry run and for `yolo bench --train`; validation takes its forward and loss.
 *
 *   step_begin;  { step_loss; step_backward } a mini-batch;  step_update */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "net/plan.h"
#include "train/optimizer.h"

struct step_options {
    struct network *net; /* parameters allocated */
    const struct kernels *kernels;
    const enum layer_mode *modes; /* [layer_count], outlives the step */
    int batch;                    /* images of a mini-batch */
    float bn_momentum;
    struct optimizer_options optimizer; /* but for its kernels */
};

struct step {
    struct step_options o;
    struct plan *plan;
    struct optimizer *optimizer;
    struct loss_parts sum; /* of this update's mini-batches that went backward */
    size_t images;         /* in them */
};

/* A mini-batch. */
struct step_input {
    const struct truth_set *truths; /* [images] */
    int images;
    uint64_t seed; /* from which dropout draws */
    /* Runs the plan forward; NULL: plan_forward, of what lies in plan_input. */
    void (*forward)(void *ctx, struct plan *plan, int images);
    void *ctx;
};

/* *step is zeroed, or open for an earlier stage: then what moved there, too, keeps its momentum (optimizer_new). Free
 * with step_close, also after an error. */
NODISCARD enum result step_open(const struct step_options *options, struct step *step,
                                struct error *err);
void step_close(struct step *step);

/* From here on the network has this size; the plan is another one if that changes it. Before the first mini-batch of
 * an update only. */
NODISCARD enum result step_resize(struct step *step, int w, int h, struct error *err);

/* Packed weights, activations, scratch, gradients, the optimiser's state; not the parameters. */
size_t step_bytes(const struct step *step);

void step_begin(struct step *step);
/* Forward and losses, by a plan of any kind whose heads have losses; the parts are sums over the images. */
struct loss_parts step_loss(struct plan *plan, const struct step_input *input);
/* Of the mini-batch that went forward last: `parts` is its loss. Left out where the loss cannot be trusted; the update
 * is then to begin anew. */
void step_backward(struct step *step, int images, const struct loss_parts *parts);
/* Returns the norm of the mean gradient; if it is not finite nothing was updated. */
double step_update(struct step *step, float rate);

#endif
