/* Optimisers over a flat list of trainable tensors. Layers know nothing of them. A frozen parameter is simply not in
 * the list, so neither decay nor momentum can reach it.
 *
 *   SGD    v = momentum v + g + d w
 *          w -= lr v
 *   Adam   g' = g + d w;  m = b1 m + (1 - b1) g';  v = b2 v + (1 - b2) g'^2
 *          w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 *   AdamW  w *= 1 - lr d, then as Adam with g' = g
 *
 *   g   the mean gradient, sum / images
 *   d   the decay; 0 for parameters that do not decay (biases, gamma, beta)
 *   lr  the rate times the layer's learning_rate
 *   t   updates since this tensor began to move
 *
 * These are torch.optim's SGD, Adam and AdamW. SGD is also Darknet's update (darknet-spec 6.2), with its buffer divided
 * by -batch. Darknet's Adam on a GPU (6.3) takes the sum of the gradient in place of the mean, which only shifts the
 * meaning of eps, and decays biases too.
 *
 * Moving averages (ema_decay > 0) follow everything that moves: the parameters and, where a layer normalises by batch,
 * its running statistics, which belong to the averaged weights. Darknet averages the weights only and keeps the live
 * statistics (6.6). Each average starts as a copy. After update n of the run
 *
 *   a += (1 - min(ema_decay, (1 + n) / (10 + n))) (w - a)
 *
 * so that the first steps of a short run leave the start behind. */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include "net/plan.h"
#include "train/stateio.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_KIND_COUNT };

struct optimizer_options {
    const struct kernels *kernels; /* whose arithmetic is used */
    enum optimizer_kind kind;
    float momentum; /* SGD */
    float decay;
    float beta1, beta2, eps; /* Adam, AdamW */
    float clip_norm;         /* largest norm of the mean gradient over all that moves; 0 = none */
    float ema_decay;         /* 0 = none */
    const float *rate_scale; /* [layer_count], factors on the rate beside the cfg's learning_rate of
                                each layer; NULL: all 1. Outlives the optimiser */
};

struct optimizer;

const char *optimizer_kind_name(enum optimizer_kind kind);

/* An optimiser of everything that moves in `plan`. It reads the plan's modes now and does not keep the plan; the network
 * must outlive it and keep its parameters. State starts at zero, and averages at the values of the parameters. A tensor
 * that moved in `previous`, too (may be NULL; of the same network, not exchanged), keeps its average, and its momentum
 * and t if the kind is the same. So a stage that unfreezes gives the new tensors a fresh start and the others their old
 * state. Averages of tensors that no longer move are dropped: the network keeps its own values. */
NODISCARD enum result optimizer_new(const struct optimizer_options *options, struct network *net,
                                    const struct plan *plan, const struct optimizer *previous,
                                    struct optimizer **optimizer, struct error *err);
void optimizer_free(struct optimizer *optimizer);

/* For people: values that an update may change, and bytes of state kept. */
size_t optimizer_values(const struct optimizer *optimizer);
size_t optimizer_bytes(const struct optimizer *optimizer);
/* What optimizer_bytes of such an optimiser would be; the plan may be a draft. */
size_t optimizer_measure(const struct optimizer_options *options, const struct network *net,
                         const struct plan *plan);

/* One update from the plan's gradients, which are sums over `images` images, with `rate` times each layer's own
 * learning_rate. `plan` must move what the one given to optimizer_new moved; its input may have another size. Returns
 * the norm of the mean gradient before clipping; if that is NaN or infinite, nothing was updated. Clips as torch's
 * clip_grad_norm_: the gradient times clip_norm / (norm + 1e-6) if that is below 1. The bits are the same on any number
 * of threads. Not while exchanged. Pack the plan again afterwards. */
double optimizer_step(struct optimizer *optimizer, const struct plan *plan, float rate,
                      size_t images);

bool optimizer_has_ema(const struct optimizer *optimizer);
/* Exchange the network's values with their moving averages (validation, saving). Twice = as before,
 * bit for bit. Nothing without EMA. Plans that are to see it must be packed again. */
void optimizer_swap_ema(struct optimizer *optimizer);
bool optimizer_is_swapped(const struct optimizer *optimizer);

/* Everybody's (base/ranks.h) state becomes that of process 0. */
void optimizer_share(struct optimizer *optimizer);

/* State for the checkpoint: a self-describing block. Reading checks kind, averages, and the list of
 * tensors before it changes anything: ERR_FORMAT if they differ. */
void optimizer_write(const struct optimizer *optimizer, struct state_writer *out);
NODISCARD enum result optimizer_read(struct optimizer *optimizer, struct state_reader *in,
                                     struct error *err);

#endif
