/* The layer contract: one const struct layer_ops per [section] kind, one file per kind, one line in
 * kinds.h. A layer is described completely before anything runs:
 *
 *   parse   keys of the section into private state; names its inputs
 *   shape   input shapes to output shape; the last step that can reject a network; called again when
 *           the network's input size changes
 *   params  declares parameter tensors in .weights file order
 *   plan    what it needs at run time on given kernels: packed weights, scratch, where its output may lie
 *   prepare packs weights (after they were loaded, and again when they change)
 *   forward / backward   run: return void, allocate nothing, cannot fail, the layer is const
 *
 * Only what a caller may touch is here; each kind's private struct is defined in its own .c file. */
#ifndef LAYERS_LAYER_H
#define LAYERS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/activation.h"
#include "kernels/kernels.h"
#include "kernels/tensor.h"
#include "layers/box.h"

struct cfg_section;
struct layer;

/* What every layer may know of the whole network. */
struct net_size {
    int w, h, c;
};

enum { LAYER_MAX_PARAMS = 6, LAYER_IMAGE = -1 /* as an input: the network's image */ };

/* One parameter tensor. Roles are the words of the .weights format. */
struct param {
    const char *role; /* "biases", "scales", "rolling_mean", "rolling_variance", "weights" */
    size_t count;
    float *data;       /* count floats in the layer's parameter block; NULL before allocation */
    bool is_statistic; /* moved by batch statistics, never by the optimiser */
    bool is_affine;    /* gamma or beta of a batch norm */
    bool decays;       /* weight decay applies */
    size_t fan_in; /* inputs one output value depends on; 0: `initial` is used, nothing random */
    float initial; /* value before loading, for everything but "weights" */
};

struct layer {
    const struct layer_ops *ops;
    int index;                   /* Darknet's layer number */
    struct cfg_section *section; /* where it stands in the cfg; outlives the layer */
    const struct net_size *net;  /* the network's current input size */
    int *inputs;                 /* producers: layer numbers below index, or LAYER_IMAGE */
    int input_count;
    struct shape *input_shapes; /* [input_count], filled before shape() */
    struct shape out;
    struct param params[LAYER_MAX_PARAMS];
    int param_count;
    void *state; /* ops->state_bytes, zeroed */

    /* Settled by net/losses.c, which sees the whole network: */
    bool has_loss;     /* ops->loss runs: heads, or the one [softmax] or [cost] at the end */
    double loss_scale; /* [cost]'s `scale`, on this layer's loss; heads do not look at it */
    bool
        by_logit; /* a loss that has taken the layer's logistic with it: its gradient is that of what goes into the
                          activation. True of both, the layer with the activation and that with the loss */
    enum activation act; /* what layer_activation read; else ACT_LINEAR */

    /* Keys that every section may have; read by net/network. */
    bool dontload, dontloadscales; /* these parameters are not in the file: they keep their initial
                                      values */
    bool is_trainable;             /* trainable=0: frozen by the cfg */
    int stopbackward;              /* 0; 1: layers 0 .. this are frozen; N > 1: for N iterations */
    bool onlyforward;              /* frozen, and no gradient passes */
    bool train_only_bn;            /* of this layer and all before it only batch norms train */
    int dont_update;               /* frozen for so many iterations */
    int burnin_update;             /* frozen for so many times [net]'s burn_in */
    float learning_rate;           /* factor on the network's; 1 */
};

/* What a layer does in a plan. Plans for inference use MODE_INFER throughout; for training one function
 * (net/modes.h) decides, per stage, and everything else only reads. "Frozen weights with moving
 * statistics" exists only as MODE_ADAPT, which must be asked for in words. */
enum layer_mode {
    MODE_INFER,         /* the inference code; nothing saved, no gradient through it */
    MODE_FROZEN,        /* nothing moves; stored statistics; the gradient passes */
    MODE_AFFINE_FROZEN, /* weights move; gamma, beta and statistics keep (bn=frozen) */
    MODE_TUNE,          /* weights, gamma, beta move; stored statistics (bn=eval) */
    MODE_TRAIN,         /* all moves; batch statistics, running statistics follow */
    MODE_ADAPT,         /* legacy: weights keep, batch statistics, running statistics follow */
    MODE_COUNT
};

struct mode_rules {
    const char *name;
    bool moves_weights;  /* everything but batch-norm affine parameters and statistics */
    bool moves_affine;   /* gamma, beta */
    bool uses_batch;     /* normalises with the batch's statistics and updates the running ones */
    bool is_training;    /* dropout drops */
    bool keeps_backward; /* saves what backward needs */
};
extern const struct mode_rules mode_rules[MODE_COUNT];

/* Whether the optimiser may touch this parameter in this mode. Statistics: never. */
bool mode_moves(enum layer_mode mode, const struct param *param);

/* Where a layer's output may lie. */
enum output_place {
    PLACE_OWN,      /* its own buffer; forward writes every element */
    PLACE_IN_PLACE, /* as OWN, and may lie over input 0 if that has no other reader */
    PLACE_VIEW,     /* is channels [view_channel, view_channel + out.c) of input 0: nothing runs */
    PLACE_CONCAT,   /* inputs side by side along channels; producers write there directly where they
                       can, forward copies the others */
};

/* Filled by ops->plan. */
struct layer_plan {
    enum output_place place;
    int view_channel;
    int choice;             /* the kind's own: e.g. enum conv_algorithm */
    size_t prepared_floats; /* packed weights and the like, for the life of the plan */
    size_t scratch_bytes;   /* shared by all layers, free after each forward or backward */
    /* Modes that keep for backward: */
    size_t saved_floats; /* written by forward, read by backward (whole batch) */
    bool backward_needs_input, backward_needs_output;
    bool can_remake; /* ops->remake will do */
};

/* Channels [first, first + count). */
struct channel_range {
    int first, count;
};

struct plan_limits {
    const struct kernels *kernels;
    int batch;
    enum layer_mode mode;
    bool passes_gradient; /* an ancestor moves: the gradient with respect to the inputs is wanted */
    struct channel_range grad_channels; /* as in struct exec */
};

/* What forward works on. */
struct exec {
    const struct kernels *kernels;
    const struct tensor *inputs; /* [input_count] */
    struct tensor out;
    float *prepared; /* 64-byte aligned */
    void *scratch;   /* 64-byte aligned */
    int choice;
    enum layer_mode mode;
    const struct tensor *image; /* the network's input */

    /* Modes that keep for backward; NULL elsewhere. */
    float *saved;
    struct tensor out_grad;           /* dL/dout; backward may overwrite it */
    const struct tensor *input_grads; /* [input_count]; data NULL: not wanted */
    /* Of input_grads[0]; what lies outside leads to nothing that moves and may be left unwritten. */
    struct channel_range grad_channels;
    /* [input_count]; true: add to what is there; false: write. In place, input_grads[0] is the memory of
     * out_grad, and written over (false). So is that of an input placed in its concatenation: there already. */
    const bool *grad_adds;
    float *param_grads[LAYER_MAX_PARAMS]; /* by params[] index; NULL: not wanted; backward writes */
    float *stats[LAYER_MAX_PARAMS];       /* running statistics that forward may write; NULL unless
                                          rules say uses_batch */
    float bn_momentum;                    /* running = (1 - m) running + m batch */
    float *
        record; /* where forward leaves the batch's statistics in place of moving the running ones; NULL: it moves them */
    const float *weights,
        *bias; /* of a convolution that trains as on bytes: in place of its own; added before its
                                    activation. Else NULL */
    uint64_t seed; /* of this step; dropout draws from (seed, layer, element) */
};

/* Loss over one mini-batch, summed (not averaged) over its images. */
struct loss_parts {
    double box, objectness, classes; /* the parts of heads; total = the sum of all parts */
    double values;                   /* of [softmax] and [cost] */
    double iou_sum;                  /* over assignments */
    size_t assignments, truths;
};

static inline void loss_parts_add(struct loss_parts *into, const struct loss_parts *from)
{
    into->box += from->box;
    into->objectness += from->objectness;
    into->classes += from->classes;
    into->values += from->values;
    into->iou_sum += from->iou_sum;
    into->assignments += from->assignments;
    into->truths += from->truths;
}

static inline double loss_parts_total(const struct loss_parts *parts)
{
    return parts->box + parts->objectness + parts->classes + parts->values;
}

struct layer_ops {
    const char *name;           /* section name without brackets */
    const char *const *aliases; /* NULL-terminated, or NULL */
    size_t state_bytes;
    bool
        acts_in_training; /* without parameters, and yet other than in inference wherever it stands: [dropout] */

    enum result (*parse)(struct layer *l, struct error *err);
    void (*destroy)(struct layer *l); /* frees what parse put into state; NULL if nothing */
    enum result (*shape)(struct layer *l, struct error *err);
    enum result (*params)(struct layer *l, struct error *err); /* NULL: none */
    void (*plan)(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p);
    void (*prepare)(const struct layer *l, const struct exec *e); /* NULL: nothing to pack */
    void (*forward)(const struct layer *l, const struct exec *e); /* NULL with PLACE_VIEW */

    const char *const
        *choice_names; /* what layer_plan.choice means, for people; NULL: nothing to say */

    /* Multiply-adds times two as Darknet counts them (darknet-spec section 11); NULL = 0. */
    double (*flops)(const struct layer *l);
    /* The middle columns of `yolo info`: filters, size/stride, source layers. NULL: blank. */
    void (*describe)(const struct layer *l, char *text, size_t size);

    /* Detection heads only: the box of predictor k of a cell (y w + x) from its `entries` outputs, as fractions of
     * the network input, not necessarily finite; returns how sure the head is of its place, a factor of the
     * confidence. head_detect (layers/head.h) calls it for those that pass the threshold. */
    float (*decode)(const struct layer *l, const struct tensor *out, int cell, int k,
                    const float *values, struct box_cxcywh_norm *box);
    const struct head_info *(*head)(const struct layer *l); /* heads only */

    /* dL/dout to dL/dinputs and parameter gradients; NULL for heads, whose loss does it, and for kinds
     * that cannot be trained. Runs after every consumer's backward; not where the layer has the loss. */
    void (*backward)(const struct layer *l, const struct exec *e);
    /* Writes the output once more to `out`, from what forward has saved, with the same bits; between forward and backward.
     * NULL for kinds that cannot. */
    void (*remake)(const struct layer *l, const struct exec *e, const struct tensor *out);
    /* Heads, [softmax], [cost]; runs if the layer has_loss: the loss of the mini-batch in e->out against
     * truths[e->out.n] added to *parts; writes (or adds, grad_adds) dL/dinput to input_grads[0] if wanted. dL/dx of
     * the SUM over the mini-batch's images; the optimiser divides by the batch. */
    void (*loss)(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts);
};

enum nms_kind { NMS_DEFAULT, NMS_GREEDY, NMS_DIOU, NMS_CORNERS };

/* Suppression goes by IoU - (d/c)^exponent (box_diou); by plain IoU if this is negative. */
float nms_exponent(enum nms_kind kind, float beta_nms);

/* What the outside needs to know of a detection head. Channels of its output: predictor box k of a cell has
 * [k entries, (k + 1) entries), its class scores are the last ones, behind the objectness. */
struct head_info {
    int classes;
    int first_class,
        class_end; /* those that it is for (class_range=): it finds no others and learns no others */
    int slots;     /* predictor boxes of a cell, each with a channel per class */
    int entries, objectness; /* channels of a predictor box; which of them is the objectness */
    int max_truths;          /* the loss ignores further ones of an image */
    bool has_raw_classes;    /* scores of classes may exceed 1 and lift any objectness */
    bool hides_objectness;   /* detections report 1 */
    enum nms_kind nms_kind;
    float beta_nms;
};

/* Helpers for the kinds. */

/* Resolve `count` Darknet references of the option `key` (negative = relative) and store them as the
 * layer's inputs; `with_previous` puts layer index-1 in front. ERR_CFG with path:line if one does not
 * point to an earlier layer. */
NODISCARD enum result layer_set_inputs(struct layer *l, const char *key, const int *references,
                                       size_t count, bool with_previous, struct error *err);

/* Slots of kinds that have nothing to say of their own. parse: no keys, the previous layer is the input. */
NODISCARD enum result layer_read_previous(struct layer *l, struct error *err);
/* shape: that of input 0. */
NODISCARD enum result layer_keep_shape(struct layer *l, struct error *err);
/* plan: PLACE_OWN, nothing kept. */
void layer_plan_own(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p);

/* Declare the next parameter in file order. ERR_CFG if count overflows. */
NODISCARD enum result layer_add_param(struct layer *l, const char *role, size_t count,
                                      struct error *err);
/* By role; NULL if the layer has none. */
const struct param *layer_param(const struct layer *l, const char *role);
/* Where a backward pass writes the gradient of a parameter that the layer has; NULL: it keeps still. */
float *layer_param_grad(const struct layer *l, const struct exec *e, const char *role);

/* Floats in all its parameters. */
size_t layer_values(const struct layer *l);

/* Read the key "activation" (fallback as Darknet's for the kind); notes it in the layer, too. */
NODISCARD enum result layer_activation(struct layer *l, enum activation fallback,
                                       enum activation *act, struct error *err);

/* The activation that backward undoes: none by_logit. */
enum activation layer_backward_activation(const struct layer *l);

/* ERR_CFG / ERR_UNSUPPORTED at the section's line with "[kind] layer N: " in front. */
enum result layer_error(const struct layer *l, enum result code, struct error *err, const char *fmt,
                        ...) PRINTF_LIKE(4, 5);

#endif
