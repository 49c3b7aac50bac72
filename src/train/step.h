/* The training step. Each mini-batch runs forward, has its loss, and runs backward; then one update follows from the sum
 * of their gradients (train/sum_tree.h). The trainer, the dry run and `yolo bench --train` all drive it:
 *
 *   step_begin
 *   step_loss, step_backward     for each mini-batch, or those of the process's share
 *   step_exchange                where it is shared
 *   step_update
 *
 * Validation takes step_loss alone. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include <stdbool.h>

#include "net/plan.h"
#include "train/optimizer.h"
#include "train/sum_tree.h"

struct step_options {
    struct network *net; /* parameters allocated */
    const struct kernels *kernels;
    const enum layer_mode *modes; /* [layer_count], outlives the step */
    int batch;                    /* images of a mini-batch */
    int mini_batches;             /* of an update; 0: one */
    bool is_shared; /* each process (base/ranks.h) makes its share of them (sum_tree_share) */
    const struct quantization
        *quant; /* trains as it computes (plan_options.rounds_floats), or NULL */
    struct optimizer_options optimizer; /* but for its kernels */
};

struct step {
    struct step_options o;
    struct plan *plan;
    struct optimizer *optimizer;
    struct loss_parts sum; /* of this update's mini-batches that went backward */
    size_t images;         /* in them */
    int mini_batch;        /* of the update, the next one */
    struct sum_tree tree;  /* node i is the plan's set i of gradients */
    struct sum_share share;
    struct step_exchange *exchange; /* with other processes; NULL: there is none */
};

/* A mini-batch. */
struct step_input {
    const struct truth_set *truths; /* [images] */
    int images;
    uint64_t seed;     /* from which dropout draws */
    float bn_momentum; /* its share in running statistics that move */
    /* Runs the plan forward; NULL: plan_forward, of what lies in plan_input. */
    void (*forward)(void *ctx, struct plan *plan, int images);
    void *ctx;
};

/* *step is zeroed, or open for an earlier stage: then tensors that moved there, too, keep their momentum (optimizer_new).
 * Free with step_close, also after an error. */
NODISCARD enum result step_open(const struct step_options *options, struct step *step,
                                struct error *err);
void step_close(struct step *step);

/* Give the network another input size; that makes another plan. Only before the first mini-batch of an update. */
NODISCARD enum result step_resize(struct step *step, int w, int h, struct error *err);

/* Packed weights, activations, scratch, gradients and those that wait for others, the optimiser's state; not the parameters. */
size_t step_bytes(const struct step *step);
/* What step_bytes would be, and the parameters, where the input's pixels become `growth` times as many
 * (multiscale_growth). Nothing is made; the network needs no memory. ERR_* if it cannot be trained so. */
NODISCARD enum result step_measure(const struct step_options *options, double growth, double *bytes,
                                   struct error *err);

void step_begin(struct step *step);
/* Run the plan forward and return the losses, summed over the images. Any plan whose heads have losses will do. */
struct loss_parts step_loss(struct plan *plan, const struct step_input *input);
/* Run the latest mini-batch backward; `parts` is its loss. Leave it out where that cannot be trusted, and begin the update
 * anew. */
void step_backward(struct step *step, int images, const struct loss_parts *parts);
/* Everybody has made its share, or given it up: from here on step->sum, the gradients and the running statistics are of the
 * whole update, as if one process had made it. */
void step_exchange(struct step *step);
/* Returns the norm of the mean gradient; if it is not finite nothing was updated. */
double step_update(struct step *step, float rate);

#endif
