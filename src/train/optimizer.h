/* Optimisers over a flat list of trainable tensors. Layers know nothing of them; a frozen parameter is simply
 * not in the list, so neither decay nor momentum can reach it. */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include <stdio.h>

#include "net/plan.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW };

struct optimizer_options {
    enum optimizer_kind kind;
    float momentum;            /* SGD */
    float decay;               /* L2 on weights (SGD, Adam); decoupled for AdamW */
    float beta1, beta2, eps;   /* Adam, AdamW */
    float clip_norm;           /* largest global gradient norm; 0 = none */
    float ema_decay;           /* 0 = none */
};

struct optimizer;

/* Slots for every parameter that moves in `plan`; state starts at zero, except what `previous` (may be NULL; its
 * state is moved over for parameters that moved before too and keep_state is true) already has. */
NODISCARD enum result optimizer_new(const struct optimizer_options *options, struct network *net,
                                    const struct plan *plan, struct optimizer **optimizer,
                                    struct error *err);
void optimizer_free(struct optimizer *optimizer);

/* One update from the plan's accumulated gradients of `images` images (they are sums), with `rate` times each
 * layer's own learning_rate scale. SGD as Darknet scales it: v = momentum v - (grad / images + decay w); w += rate v
 * (darknet-spec 6.2 in the classic form: equal as long as the rate does not change between steps; Darknet keeps v in
 * gradient units: v' = momentum v + g + decay w; w -= rate v', and so do we). Returns the gradient's global norm
 * before clipping (NaN or infinity if any gradient is: then nothing is updated). */
double optimizer_step(struct optimizer *optimizer, struct plan *plan, float rate, size_t images);

/* Exchange the network's moving parameters with their exponential moving averages (validation, saving). Twice =
 * as before. Nothing without EMA. */
void optimizer_swap_ema(struct optimizer *optimizer);

/* State for the checkpoint: a self-describing block; reading checks kinds, counts and layers. */
NODISCARD enum result optimizer_write(const struct optimizer *optimizer, FILE *out,
                                      struct error *err);
NODISCARD enum result optimizer_read(struct optimizer *optimizer, FILE *in, const char *path,
                                     struct error *err);

#endif
