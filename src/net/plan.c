/* Planning: where every output lies, for how long, and what is packed.
 *
 * Slots number the tensors: slot 0 is the image, slot i + 1 the output of layer i. A slot either owns a
 * buffer (a root) or lies inside its parent's: a view inside its input, an input of a concatenation
 * inside the concatenation, an in-place input under its consumer. Parents are settled from the last
 * layer to the first, so that nested concatenations fall into one buffer. A root lives from the first
 * write to any of its members to the last read of any of them; roots that do not live at the same time
 * share memory (greedy by size: Pisarchyk & Lee 2020, arXiv:2001.03288). */
#include "net/plan.h"

#include <limits.h>
#include <string.h>

#include "base/memory.h"

enum { STRIDE_ALIGN = 16, FOREVER = INT_MAX, NO_PARENT = -1 };

struct slot {
    struct shape shape;
    int parent, channel; /* NO_PARENT: a root */
    int readers;
    int birth, death;    /* layer numbers; of the whole buffer for roots */
    size_t stride;       /* roots: floats between pixels */
    size_t floats;       /* roots: for the whole batch */
    size_t offset;       /* roots: in the activation block, floats */
};

struct plan {
    struct network *net;
    const struct kernels *kern;
    struct plan_options options;
    struct slot *slots;         /* [layer_count + 1] */
    struct layer_plan *wants;   /* [layer_count] */
    struct exec *execs;         /* [layer_count] */
    struct tensor *inputs;      /* all layers' input tensors, one after the other */
    size_t *prepared_at;        /* [layer_count], floats into prepared */
    struct tensor image;
    float *activations, *prepared;
    void *scratch;
    struct plan_memory memory;
};

static int layer_slot(int layer)
{
    return layer + 1; /* LAYER_IMAGE is -1 */
}

static bool can_lie_elsewhere(const struct plan *p, int slot)
{
    return slot > 0 && p->slots[slot].parent == NO_PARENT &&
           p->wants[slot - 1].place != PLACE_VIEW;
}

static void adopt_concat_inputs(struct plan *p, const struct layer *l)
{
    int channel = 0;
    for (int k = 0; k < l->input_count; k++) {
        int child = layer_slot(l->inputs[k]);
        if (can_lie_elsewhere(p, child)) {
            p->slots[child].parent = layer_slot(l->index);
            p->slots[child].channel = channel;
        }
        channel += l->input_shapes[k].c;
    }
}

static void adopt_in_place_input(struct plan *p, const struct layer *l)
{
    int child = layer_slot(l->inputs[0]);
    const struct shape *a = &p->slots[child].shape;
    bool same = a->h == l->out.h && a->w == l->out.w && a->c == l->out.c;
    if (same && !p->options.keep_outputs && p->slots[child].readers == 1 &&
        can_lie_elsewhere(p, child)) {
        p->slots[child].parent = layer_slot(l->index);
        p->slots[child].channel = 0;
    }
}

static void place_outputs(struct plan *p)
{
    const struct network *net = p->net;
    p->slots[0].shape = (struct shape){net->size.h, net->size.w, net->size.c};
    p->slots[0].parent = NO_PARENT;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        struct slot *s = &p->slots[layer_slot(i)];
        s->shape = l->out;
        s->parent = NO_PARENT;
        for (int k = 0; k < l->input_count; k++) {
            p->slots[layer_slot(l->inputs[k])].readers++;
        }
        if (p->wants[i].place == PLACE_VIEW) {
            s->parent = layer_slot(l->inputs[0]);
            s->channel = p->wants[i].view_channel;
        }
    }
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        if (p->wants[i].place == PLACE_CONCAT) {
            adopt_concat_inputs(p, l);
        } else if (p->wants[i].place == PLACE_IN_PLACE) {
            adopt_in_place_input(p, l);
        }
    }
}

/* The root of a slot's buffer; *channel gets the slot's first channel in it. */
static struct slot *find_root(const struct plan *p, int slot, int *channel)
{
    int c = 0;
    while (p->slots[slot].parent != NO_PARENT) {
        c += p->slots[slot].channel;
        slot = p->slots[slot].parent;
    }
    if (channel) {
        *channel = c;
    }
    return &p->slots[slot];
}

static void extend_life(struct plan *p, int slot, int time)
{
    struct slot *root = find_root(p, slot, NULL);
    if (time < root->birth) {
        root->birth = time;
    }
    if (time > root->death) {
        root->death = time;
    }
}

static void settle_lifetimes(struct plan *p)
{
    const struct network *net = p->net;
    for (int s = 0; s <= net->layer_count; s++) {
        p->slots[s].birth = INT_MAX;
        p->slots[s].death = INT_MIN;
    }
    extend_life(p, 0, -1);
    extend_life(p, 0, FOREVER); /* a caller may run the same input twice */
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        extend_life(p, layer_slot(i), i);
        for (int k = 0; k < l->input_count; k++) {
            extend_life(p, layer_slot(l->inputs[k]), i);
        }
        if (l->ops->detect || i == net->layer_count - 1 || p->options.keep_outputs) {
            extend_life(p, layer_slot(i), FOREVER);
        }
    }
}

static enum result size_roots(struct plan *p, struct error *err)
{
    p->memory.unshared_bytes = 0;
    for (int s = 0; s <= p->net->layer_count; s++) {
        struct slot *slot = &p->slots[s];
        if (slot->parent != NO_PARENT) {
            continue;
        }
        size_t c = (size_t)slot->shape.c;
        slot->stride = c > STRIDE_ALIGN ? (c + STRIDE_ALIGN - 1) / STRIDE_ALIGN * STRIDE_ALIGN : c;
        size_t pixels, floats;
        if (!size_mul((size_t)slot->shape.h, (size_t)slot->shape.w, &pixels) ||
            !size_mul(pixels, slot->stride, &floats) ||
            !size_mul(floats, (size_t)p->options.batch, &floats) ||
            floats > PTRDIFF_MAX / sizeof(float) / 1024) {
            return error_set(err, ERR_MEMORY, "layer %d: activations of %d x %d x %d x %d overflow",
                             s - 1, p->options.batch, slot->shape.h, slot->shape.w, slot->shape.c);
        }
        slot->floats = (floats + STRIDE_ALIGN - 1) / STRIDE_ALIGN * STRIDE_ALIGN;
        p->memory.unshared_bytes += slot->floats * sizeof(float);
    }
    return OK;
}

static bool live_together(const struct slot *a, const struct slot *b)
{
    return a->birth <= b->death && b->birth <= a->death;
}

/* Lowest offset at which `slot` collides with none of the `count` roots already in `order`, which is
 * kept sorted by offset. */
static void pack_root(struct slot *slot, struct slot **order, int count)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (!live_together(slot, order[i])) {
            continue;
        }
        if (offset + slot->floats <= order[i]->offset) {
            break;
        }
        size_t end = order[i]->offset + order[i]->floats;
        if (end > offset) {
            offset = end;
        }
    }
    slot->offset = offset;
    int at = count;
    while (at > 0 && order[at - 1]->offset > offset) {
        order[at] = order[at - 1];
        at--;
    }
    order[at] = slot;
}

static enum result share_memory(struct plan *p, struct error *err)
{
    int total = p->net->layer_count + 1;
    struct slot **order = mem_alloc((size_t)total, sizeof *order);
    bool *is_packed = mem_alloc((size_t)total, sizeof *is_packed);
    if (!order || !is_packed) {
        mem_free(order);
        mem_free(is_packed);
        return mem_error(err, "planning activations");
    }
    size_t top = 0;
    for (int count = 0;; count++) {
        struct slot *largest = NULL;
        for (int s = 0; s < total; s++) {
            struct slot *slot = &p->slots[s];
            if (slot->parent == NO_PARENT && !is_packed[s] &&
                (!largest || slot->floats > largest->floats)) {
                largest = slot;
            }
        }
        if (!largest) {
            break;
        }
        is_packed[largest - p->slots] = true;
        pack_root(largest, order, count);
        if (largest->offset + largest->floats > top) {
            top = largest->offset + largest->floats;
        }
    }
    p->memory.activation_bytes = top * sizeof(float);
    mem_free(order);
    mem_free(is_packed);
    return OK;
}

static void ask_layers(struct plan *p)
{
    struct plan_limits limits = {.kernels = p->kern, .allow_winograd = !p->options.no_winograd};
    size_t prepared = 0;
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        struct layer_plan *want = &p->wants[i];
        l->ops->plan(l, &limits, want);
        p->prepared_at[i] = prepared;
        prepared += (want->prepared_floats + STRIDE_ALIGN - 1) / STRIDE_ALIGN * STRIDE_ALIGN;
        if (want->scratch_bytes > p->memory.scratch_bytes) {
            p->memory.scratch_bytes = want->scratch_bytes;
        }
    }
    p->memory.prepared_bytes = prepared * sizeof(float);
}

/* Everything that can be said without the big allocations. */
static enum result draft(struct plan *p, struct error *err)
{
    const struct network *net = p->net;
    size_t layers = (size_t)net->layer_count, input_count = 0;
    for (int i = 0; i < net->layer_count; i++) {
        input_count += (size_t)net->layers[i].input_count;
    }
    p->slots = mem_alloc(layers + 1, sizeof *p->slots);
    p->wants = mem_alloc(layers, sizeof *p->wants);
    p->execs = mem_alloc(layers, sizeof *p->execs);
    p->prepared_at = mem_alloc(layers, sizeof *p->prepared_at);
    p->inputs = mem_alloc(input_count, sizeof *p->inputs);
    if (!p->slots || !p->wants || !p->execs || !p->prepared_at || !p->inputs) {
        return mem_error(err, "planning the network");
    }
    ask_layers(p);
    place_outputs(p);
    settle_lifetimes(p);
    TRY(size_roots(p, err));
    return share_memory(p, err);
}

static struct tensor slot_tensor(const struct plan *p, int slot)
{
    int channel;
    const struct slot *root = find_root(p, slot, &channel);
    const struct shape *shape = &p->slots[slot].shape;
    return (struct tensor){.data = p->activations + root->offset + channel,
                           .n = p->options.batch,
                           .h = shape->h,
                           .w = shape->w,
                           .c = shape->c,
                           .stride = root->stride};
}

static void wire(struct plan *p)
{
    struct tensor *next = p->inputs;
    p->image = slot_tensor(p, 0);
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        for (int k = 0; k < l->input_count; k++) {
            next[k] = slot_tensor(p, layer_slot(l->inputs[k]));
        }
        p->execs[i] = (struct exec){.kernels = p->kern,
                                    .inputs = next,
                                    .out = slot_tensor(p, layer_slot(i)),
                                    .prepared = p->prepared + p->prepared_at[i],
                                    .scratch = p->scratch,
                                    .choice = p->wants[i].choice};
        next += l->input_count;
    }
}

static bool has_parameters(const struct network *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        if (net->layers[i].param_count > 0 && net->layers[i].params[0].data) {
            return true;
        }
    }
    return false;
}

static enum result furnish(struct plan *p, struct error *err)
{
    p->prepared = mem_alloc_raw(p->memory.prepared_bytes, 1);
    p->activations = mem_alloc(p->memory.activation_bytes, 1);
    p->scratch = mem_alloc_raw(p->memory.scratch_bytes, 1);
    if (!p->prepared || !p->activations || !p->scratch) {
        mem_error(err, "running the network");
        return error_hint(err, "it needs %.0f MB for weights and %.0f MB for activations",
                          (double)p->memory.prepared_bytes / 1e6,
                          (double)p->memory.activation_bytes / 1e6);
    }
    wire(p);
    if (has_parameters(p->net)) {
        for (int i = 0; i < p->net->layer_count; i++) {
            const struct layer *l = &p->net->layers[i];
            if (l->ops->prepare) {
                l->ops->prepare(l, &p->execs[i]);
            }
            if (p->options.release_weights) {
                network_release(p->net, i);
            }
        }
    }
    return OK;
}

static enum result begin(struct network *net, const struct kernels *kern,
                         const struct plan_options *options, struct plan **plan, struct error *err)
{
    if (options->batch < 1) {
        return error_set(err, ERR_ARG, "batch %d: at least one image is needed", options->batch);
    }
    *plan = mem_alloc(1, sizeof **plan);
    if (!*plan) {
        return mem_error(err, "planning the network");
    }
    (*plan)->net = net;
    (*plan)->kern = kern;
    (*plan)->options = *options;
    return draft(*plan, err);
}

enum result plan_build(struct network *net, const struct kernels *kern,
                       const struct plan_options *options, struct plan **plan, struct error *err)
{
    struct plan *p = NULL;
    enum result result = begin(net, kern, options, &p, err);
    if (result == OK) {
        result = furnish(p, err);
    }
    if (result != OK) {
        plan_free(p);
        return result;
    }
    *plan = p;
    return OK;
}

enum result plan_measure(const struct network *net, const struct kernels *kern,
                         const struct plan_options *options, struct plan_memory *memory,
                         struct error *err)
{
    struct plan *p = NULL;
    struct network *drafted = (struct network *)(uintptr_t)net; /* a draft changes nothing in it */
    enum result result = begin(drafted, kern, options, &p, err);
    if (result == OK) {
        *memory = p->memory;
    }
    plan_free(p);
    return result;
}

void plan_free(struct plan *plan)
{
    if (!plan) {
        return;
    }
    mem_free(plan->slots);
    mem_free(plan->wants);
    mem_free(plan->execs);
    mem_free(plan->prepared_at);
    mem_free(plan->inputs);
    mem_free(plan->activations);
    mem_free(plan->prepared);
    mem_free(plan->scratch);
    mem_free(plan);
}

struct plan_memory plan_memory(const struct plan *plan)
{
    return plan->memory;
}

const struct tensor *plan_input(const struct plan *plan)
{
    return &plan->image;
}

void plan_begin(struct plan *plan, int images)
{
    struct tensor *next = plan->inputs;
    for (int i = 0; i < plan->net->layer_count; i++) {
        plan->execs[i].out.n = images;
        for (int k = 0; k < plan->net->layers[i].input_count; k++) {
            (next++)->n = images;
        }
    }
}

void plan_forward_layer(struct plan *plan, int layer)
{
    const struct layer *l = &plan->net->layers[layer];
    if (l->ops->forward && plan->wants[layer].place != PLACE_VIEW) {
        l->ops->forward(l, &plan->execs[layer]);
    }
}

void plan_forward(struct plan *plan, int images)
{
    plan_begin(plan, images);
    for (int i = 0; i < plan->net->layer_count; i++) {
        plan_forward_layer(plan, i);
    }
}

const struct tensor *plan_output(const struct plan *plan, int layer)
{
    return &plan->execs[layer].out;
}

const char *plan_algorithm(const struct plan *plan, int layer)
{
    const struct layer *l = &plan->net->layers[layer];
    const struct layer_plan *want = &plan->wants[layer];
    if (l->ops->choice_names) {
        return l->ops->choice_names[want->choice];
    }
    switch (want->place) {
    case PLACE_VIEW:
        return "view";
    case PLACE_CONCAT:
        return "concat";
    case PLACE_IN_PLACE: {
        bool is_over_input = plan->execs[layer].inputs[0].data == plan->execs[layer].out.data;
        return is_over_input ? "in place" : "own";
    }
    case PLACE_OWN:
        break;
    }
    return "own";
}

enum result plan_detect(const struct plan *plan, int image, float threshold,
                        struct detection_list *list, struct error *err)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        const struct layer *l = &plan->net->layers[i];
        if (l->ops->detect) {
            TRY(l->ops->detect(l, &plan->execs[i].out, image, threshold, list, err));
        }
    }
    return OK;
}
