/* Inside of a plan, shared by plan.c (what the world calls), plan_place.c (where outputs lie),
 * plan_fuse.c (which layers run as one), plan_int8.c (on bytes), plan_rounding.c (as if on bytes), plan_gradient.c (where gradients lie and who writes first) and plan_memory.c
 * (sharing by lifetime). */
#ifndef NET_PLAN_INTERNAL_H
#define NET_PLAN_INTERNAL_H

#include <limits.h>

#include "layers/fused.h"
#include "net/plan.h"

enum { NO_PARENT = -1, FOREVER = INT_MAX };

/* A piece of the activation block, alive from birth to death (both inclusive). Time: layer i runs
 * forward at i, the losses at L, layer i backward at 2 L - i. floats == 0: not used. */
struct region {
    int birth, death;
    size_t floats;
    size_t offset; /* floats into the block */
};

/* Slot 0 is the image, slot i + 1 the output of layer i. A slot is a root with a buffer of its own or
 * lies at `channel` inside its parent's. Its gradient lies likewise. */
struct slot {
    struct shape shape;
    int parent, channel;
    int readers;
    size_t stride;            /* roots */
    bool has_loss;            /* a loss is computed from it */
    bool flows;               /* the gradient with respect to it is wanted */
    struct region data, grad; /* roots */
    bool *is_written;         /* roots, while gradients are planned: [channel] */
};

/* The bytes of a plan that runs on them. Slots as above, of those that are kept as bytes (needs_bytes). */
struct byte_slot {
    bool needs_bytes, needs_floats;
    bool comes_as_bytes; /* from a layer that takes floats, and of which nobody reads floats */
    int parent, channel;
    size_t stride;        /* roots, bytes */
    struct region region; /* roots */
    struct int8_tensor t;
};

struct byte_world {
    enum quant_role *roles;  /* [layer_count] */
    struct byte_slot *slots; /* [layer_count + 1] */
};

/* A plan that trains as bytes compute (rounds_floats). */
struct rounding {
    bool is_rounded; /* the output */
    bool
        is_copied; /* not in its place but beside it, for those that take bytes: it is made in fp32 */
    size_t weights_at;    /* rounded weights, floats into the layer's prepared memory */
    struct region copy;   /* of the output */
    struct region ranges; /* bytes of int8_round, until the layer runs backward */
};

struct rounding_world {
    enum quant_role *roles;  /* [layer_count] */
    struct rounding *layers; /* [layer_count] */
};

/* Channels of a gradient that nobody has written when `layer` reads them or, if it has a loss, adds to them. */
struct zeroing {
    int layer;
    int root, channel, count;
};

/* struct fused_layers that run in the last one's turn; -1: not among them. */
struct fusion {
    bool is_used;
    int widen, depthwise, narrow, shortcut;
};

struct plan {
    struct network *net;
    const struct kernels *kern;
    struct plan_options options;
    struct slot *slots;       /* [layer_count + 1] */
    struct layer_plan *wants; /* [layer_count] */
    enum layer_mode *modes;   /* [layer_count] */
    struct region *saved;     /* [layer_count] */
    struct region
        *remade;  /* [layer_count], its output, made again for its reader's backward pass */
    int *runs_in; /* [layer_count], the layer in whose turn it runs: its own, if alone */
    struct fusion *fusions; /* [layer_count] */
    struct exec *execs;     /* [layer_count] */
    size_t input_count;     /* of all layers */
    struct tensor *inputs;  /* [input_count], layer after layer */
    struct tensor *input_grads;
    bool *grad_adds;
    struct byte_world *bytes;        /* NULL: fp32 throughout */
    struct rounding_world *rounding; /* NULL: nothing is rounded in it */
    struct zeroing *zeroings;
    size_t zeroing_count, zeroing_capacity;
    size_t *prepared_at; /* [layer_count], floats into prepared */
    struct tensor image;
    float *activations, *prepared, *gradients; /* of gradients all sets */
    size_t gradient_floats;                    /* of a set */
    int gradient_set;                          /* in use */
    void *scratch;
    struct plan_memory memory;
};

static inline int plan_slot(int layer)
{
    return layer + 1; /* LAYER_IMAGE is -1 */
}

static inline int plan_backward_time(const struct plan *p, int layer)
{
    int layers = p->net->layer_count;
    return p->net->layers[layer].has_loss ? layers : 2 * layers - layer;
}

static inline bool plan_is_training(const struct plan *p)
{
    return p->options.modes != NULL;
}

/* The root slot of a slot's buffer; *channel (may be NULL) gets the first channel in it. */
int plan_root(const struct plan *p, int slot, int *channel);

/* A slot's tensor inside the block. */
struct tensor plan_tensor(const struct plan *p, int slot, bool is_grad);

/* Plans that run on bytes (options.quant); the others have p->bytes == NULL. */
NODISCARD enum result plan_open_bytes(struct plan *p, struct error *err);
void plan_free_bytes(struct plan *p);
/* Does the layer take floats, does it run as in fp32, is the slot kept as floats? True without bytes. */
bool plan_takes_floats(const struct plan *p, int layer);
bool plan_gives_floats(const struct plan *p, int layer);
bool plan_keeps_floats(const struct plan *p, int slot);
/* What a layer that takes or gives bytes wants; of the latter what it wants as one of floats is there. */
void plan_ask_bytes(const struct plan *p, int layer, struct layer_plan *want);
/* Where the slots that are kept as bytes lie, how large they are and how long they live. */
void plan_place_bytes(struct plan *p);
void plan_wire_bytes(struct plan *p);
NODISCARD enum result plan_prepare_bytes(struct plan *p, int layer, struct error *err);
void plan_begin_bytes(struct plan *p, int images);
void plan_forward_bytes(struct plan *p, int layer);

/* Plans that train as bytes compute (rounds_floats); the others have p->rounding == NULL, and nothing happens here. */
NODISCARD enum result plan_open_rounding(struct plan *p, struct error *err);
void plan_free_rounding(struct plan *p);
/* Does the layer read the rounded copy of this input? */
bool plan_reads_copy(const struct plan *p, int layer, int input);
/* What the layer reads. */
struct tensor plan_input_of(const struct plan *p, int layer, int input);
/* What a layer wants beside what it wants in fp32. */
void plan_ask_rounding(struct plan *p, int layer, struct layer_plan *want);
/* Lifetimes and sizes; after plan_size_outputs. */
void plan_place_rounding(struct plan *p);
void plan_wire_rounding(struct plan *p);
/* Before the layer's weights are packed. */
void plan_round_weights(const struct plan *p, int layer);
/* After a layer's forward; after its output was made again in `out`; before its backward pass. */
void plan_round_output(const struct plan *p, int layer);
void plan_round_again(const struct plan *p, int layer, const struct tensor *out);
void plan_pass_gradient(const struct plan *p, int layer);

/* Which outputs want a gradient: something moves at or before them, and a loss is computed from them. */
void plan_find_flow(struct plan *p);
/* The channels of a slot that want a gradient: of a concatenation those from its first moving source to its last. The
 * plans of the sources are settled. */
struct channel_range plan_flow_channels(const struct plan *p, int slot);
/* Decide which slots lie inside which. */
void plan_place(struct plan *p);
/* Is the output read after the whole forward? */
bool plan_is_result(const struct plan *p, int layer);
/* Decide which layers run as one, and lay what a convolution adds to where the sum lies; after plan_place. */
void plan_fuse(struct plan *p);
struct fused_layers plan_fused_layers(const struct plan *p, const struct fusion *f);
void plan_run_fused(const struct plan *p, const struct fusion *f);
/* Lifetimes and sizes of outputs and saved memory. */
NODISCARD enum result plan_size_outputs(struct plan *p, struct error *err);
/* Who writes each gradient first, and the gradients' lifetimes. Training plans only. */
NODISCARD enum result plan_size_gradients(struct plan *p, struct error *err);
/* Offsets for all regions; sets memory.activation_bytes and unshared_bytes. */
NODISCARD enum result plan_share(struct plan *p, struct error *err);

#endif
