/* A plan: a network made ready to run forward on given kernels and batch size. All memory is settled
 * here: packed weights, one block for all activations (reused by liveness; concatenations and channel
 * groups are views), one scratch block. Running a plan allocates nothing and cannot fail. */
#ifndef NET_PLAN_H
#define NET_PLAN_H

#include "base/error.h"
#include "net/network.h"
#include "net/quant.h"
#include "net/weights.h"

struct plan;

struct plan_options {
    int batch;         /* images at most per forward */
    bool keep_outputs; /* every layer keeps its own output until the next forward (dump, tests) */
    bool release_weights; /* give each layer's raw parameters back once packed: inference only */
    struct weights_file *
        weights; /* from its start: read each layer's parameters as they are packed, and keep none. Inference
                                      only. NULL: they are in memory */
    const enum layer_mode *modes; /* [layer_count], training; NULL: MODE_INFER throughout */
    float bn_momentum;            /* for modes that use batch statistics */
    const struct plan *
        packed; /* a plan of the same network, quantisation and kernels, which must outlive this one: its packed weights
                                  are used, nothing is packed. Inference only. NULL: packed anew */
    int gradient_sets; /* of parameter gradients, of which plan_use_gradients takes one; 0: one */
    const struct quantization
        *quant; /* run on bytes as it says, which quant_check has passed; NULL: fp32. Where nothing
                                         moves; must outlive the plan */
    bool
        rounds_floats; /* quant in fp32 arithmetic, for training: weights and outputs rounded to what bytes would say; the
                           gradient passes straight through, but for outputs beyond their range */
};

struct plan_memory {
    size_t prepared_bytes, activation_bytes, scratch_bytes;
    size_t gradient_bytes; /* of parameters, all sets */
    size_t unshared_bytes; /* what the activations would take without reuse */
};

/* Build and (if parameters are allocated) pack. The network must outlive the plan and keep its size. */
NODISCARD enum result plan_build(struct network *net, const struct kernels *kern,
                                 const struct plan_options *options, struct plan **plan,
                                 struct error *err);
void plan_free(struct plan *plan);

/* A plan that says what it would take and never runs: quick and small for any network. For plan_memory,
 * plan_algorithm and plan_free only. */
NODISCARD enum result plan_draft(const struct network *net, const struct kernels *kern,
                                 const struct plan_options *options, struct plan **plan,
                                 struct error *err);

struct plan_memory plan_memory(const struct plan *plan);

/* The plan never runs again and gives back its memory, but for the packed weights that others use (plan_options.packed). */
void plan_only_lend(struct plan *plan);

/* The tensor [batch, height, width, channels] to fill before a forward. Values in [0, 1]. */
const struct tensor *plan_input(const struct plan *plan);

/* Run all layers on the first `images` of the input; 1 <= images <= batch. */
void plan_forward(struct plan *plan, int images);

/* Run one layer (bench, dump): call in order from 0 after plan_begin. */
void plan_begin(struct plan *plan, int images);
void plan_forward_layer(struct plan *plan, int layer);

/* A layer's output. Valid after a forward if the layer is a head, the last layer, or keep_outputs. */
const struct tensor *plan_output(const struct plan *plan, int layer);

/* Of a plan on bytes: a layer's output while nothing has been laid over it (as plan_forward_layer goes on); NULL where it
 * is none. And a layer's biases from the quantisation anew, where the raw weights are still there. */
const struct int8_tensor *plan_output_bytes(const struct plan *plan, int layer);
NODISCARD enum result plan_prepare_layer(struct plan *plan, int layer, struct error *err);

/* The name of what the layer runs: "winograd", "indirect", "depthwise", "view", ... for info and bench. "bottleneck" is
 * the last of several layers that run as one, in its turn, and a [shortcut] with the convolution before it what that one runs; those before
 * the last are "fused". */
const char *plan_algorithm(const struct plan *plan, int layer);

/* What is computed for one image in the layer's turn (network_flops' count): of layers that run as one all of it in the last one's. */
double plan_flops(const struct plan *plan, int layer);

/* Training plans (options.modes): one mini-batch is forward, loss, backward, which writes its gradients. Everything here allocates nothing and cannot fail. */

/* Pack the moving layers' weights again after an update. */
void plan_repack(struct plan *plan);
/* The step's seed, from which dropout draws. */
void plan_set_seed(struct plan *plan, uint64_t seed);
/* In place of the options' from here on. */
void plan_set_bn_momentum(struct plan *plan, float momentum);
/* Where a mini-batch's forward pass leaves the statistics that it would have moved the running ones by, of all layers that
 * use the batch's: plan_record_floats of them. NULL: it moves them, as at first. */
void plan_record_statistics(struct plan *plan, float *record);
size_t plan_record_floats(const struct plan *plan);
/* Move the running statistics by a record. */
void plan_move_statistics(const struct plan *plan, const float *record);
/* The losses against truths[images] and their gradients. Each layer's that has_loss is added to each[] in layer order
 * (may be NULL), their sum to *sum. After plan_forward(plan, batch). */
void plan_loss(struct plan *plan, const struct truth_set *truths, struct loss_parts *sum,
               struct loss_parts *each);
void plan_backward(struct plan *plan);
/* The same; `passed` is called after each layer that has gradients, on the caller's thread: those of the set in use are
 * complete from float `first` on. */
void plan_backward_watched(struct plan *plan, void (*passed)(void *ctx, size_t first), void *ctx);
/* One layer of it (bench): call in order from the last to 0. */
void plan_backward_layer(const struct plan *plan, int layer);
/* From here on plan_backward and plan_gradient mean this one of gradient_sets; 0 at first. */
void plan_use_gradients(struct plan *plan, int set);
/* All of a set, plan_gradient_floats of them: the gradients of layer 0 first, with gaps of zeros. */
float *plan_gradient_set(const struct plan *plan, int set);
size_t plan_gradient_floats(const struct plan *plan);
/* Gradient of params[param] of a layer: count floats; NULL if it does not move in this plan. */
float *plan_gradient(const struct plan *plan, int layer, int param);
enum layer_mode plan_mode(const struct plan *plan, int layer);
/* dL/doutput of a layer during backward: tests only. */
const struct tensor *plan_output_gradient(const struct plan *plan, int layer);

/* All detections of one image over all heads, in layer order. */
NODISCARD enum result plan_detect(const struct plan *plan, int image, float threshold,
                                  struct detection_list *list, struct error *err);

#endif
