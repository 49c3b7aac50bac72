/* Where outputs lie. Parents are settled from the last layer to the first, so that nested concatenations
 * fall into one buffer. */
#include "net/plan_internal.h"

#include "base/memory.h"

bool plan_is_result(const struct plan *p, int layer)
{
    return p->net->layers[layer].ops->head || layer == p->net->layer_count - 1 ||
           p->options.keep_outputs;
}

static bool can_lie_elsewhere(const struct plan *p, int slot)
{
    return slot > 0 && p->slots[slot].parent == NO_PARENT && p->wants[slot - 1].place != PLACE_VIEW;
}

static void adopt_concat_inputs(struct plan *p, const struct layer *l)
{
    int channel = 0;
    for (int k = 0; k < l->input_count; k++) {
        int child = plan_slot(l->inputs[k]);
        if (can_lie_elsewhere(p, child) && !plan_reads_copy(p, l->index, k)) {
            p->slots[child].parent = plan_slot(l->index);
            p->slots[child].channel = channel;
        }
        channel += l->input_shapes[k].c;
    }
}

static void adopt_in_place_input(struct plan *p, const struct layer *l)
{
    int child = plan_slot(l->inputs[0]);
    const struct slot *s = &p->slots[child];
    bool same = s->shape.h == l->out.h && s->shape.w == l->out.w && s->shape.c == l->out.c;
    if (!same || s->readers != 1 || !can_lie_elsewhere(p, child) || plan_is_result(p, child - 1)) {
        return;
    }
    if (p->wants[child - 1].place ==
        PLACE_CONCAT) { /* its sources lie in it and may be read again */
        return;
    }
    if (plan_is_training(p) && p->wants[child - 1].backward_needs_output) {
        return;
    }
    p->slots[child].parent = plan_slot(l->index);
    p->slots[child].channel = 0;
}

void plan_place(struct plan *p)
{
    const struct network *net = p->net;
    p->slots[0].shape = (struct shape){net->size.h, net->size.w, net->size.c};
    p->slots[0].parent = NO_PARENT;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        struct slot *s = &p->slots[plan_slot(i)];
        s->shape = l->out;
        s->parent = NO_PARENT;
        for (int k = 0; k < l->input_count; k++) {
            p->slots[plan_slot(l->inputs[k])].readers++;
        }
        if (p->wants[i].place == PLACE_VIEW && plan_takes_floats(p, i)) {
            s->parent = plan_slot(l->inputs[0]);
            s->channel = p->wants[i].view_channel;
        }
    }
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        if (!plan_takes_floats(p, i)) {
            continue;
        }
        if (p->wants[i].place == PLACE_CONCAT) {
            adopt_concat_inputs(p, l);
        } else if (p->wants[i].place == PLACE_IN_PLACE) {
            adopt_in_place_input(p, l);
        }
    }
}

int plan_root(const struct plan *p, int slot, int *channel)
{
    int c = 0;
    while (p->slots[slot].parent != NO_PARENT) {
        c += p->slots[slot].channel;
        slot = p->slots[slot].parent;
    }
    if (channel) {
        *channel = c;
    }
    return slot;
}

struct tensor plan_tensor(const struct plan *p, int slot, bool is_grad)
{
    int channel;
    const struct slot *root = &p->slots[plan_root(p, slot, &channel)];
    const struct region *region = is_grad ? &root->grad : &root->data;
    const struct shape *shape = &p->slots[slot].shape;
    return (struct tensor){.data = p->activations + region->offset + channel,
                           .n = p->options.batch,
                           .h = shape->h,
                           .w = shape->w,
                           .c = shape->c,
                           .stride = root->stride};
}

static void extend_life(struct plan *p, int slot, int time)
{
    struct region *region = &p->slots[plan_root(p, slot, NULL)].data;
    if (time < region->birth) {
        region->birth = time;
    }
    if (time > region->death) {
        region->death = time;
    }
}

/* Can layer i's output be forgotten after its only reader's forward pass, and made again for the backward one? */
static bool can_be_remade(const struct plan *p, int i, int reader)
{
    const struct slot *s = &p->slots[plan_slot(i)];
    bool is_lent = s->parent != NO_PARENT || s->readers != 1 || plan_is_result(p, i);
    for (int k = 0; k <= p->net->layer_count && !is_lent; k++) {
        is_lent = p->slots[k].parent == plan_slot(i);
    }
    return !is_lent && p->wants[i].can_remake && !p->wants[i].backward_needs_output &&
           p->wants[reader].backward_needs_input;
}

/* The reader's backward pass wants its input once more. */
static void keep_for_backward(struct plan *p, int slot, int reader)
{
    int time = plan_backward_time(p, reader);
    if (slot > 0 && can_be_remade(p, slot - 1, reader)) {
        p->remade[slot - 1] = (struct region){.birth = time, .death = time};
    } else {
        extend_life(p, slot, time);
    }
}

static void settle_lifetimes(struct plan *p)
{
    const struct network *net = p->net;
    for (int s = 0; s <= net->layer_count; s++) {
        p->slots[s].data.birth = INT_MAX;
        p->slots[s].data.death = INT_MIN;
    }
    extend_life(p, 0, -1);
    extend_life(p, 0, FOREVER); /* a caller may run the same input twice */
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        bool keeps = mode_rules[p->modes[i]].keeps_backward;
        int time = p->runs_in[i];
        if (time == i) {
            extend_life(p, plan_slot(i), i);
        }
        for (int k = 0; k < l->input_count && plan_takes_floats(p, i); k++) {
            if (l->inputs[k] >= 0 && p->runs_in[l->inputs[k]] == time) {
                continue; /* inside of layers that run as one: it is never written */
            }
            if (plan_reads_copy(p, i, k)) {
                continue; /* plan_place_rounding sees to that */
            }
            extend_life(p, plan_slot(l->inputs[k]), time);
            if (keeps && p->wants[i].backward_needs_input) {
                keep_for_backward(p, plan_slot(l->inputs[k]), i);
            }
        }
        if (keeps && p->wants[i].backward_needs_output) {
            extend_life(p, plan_slot(i), plan_backward_time(p, i));
        }
        if (plan_is_result(p, i)) {
            extend_life(p, plan_slot(i), FOREVER);
        }
        if (keeps && p->wants[i].saved_floats > 0) {
            p->saved[i] = (struct region){
                .birth = i, .death = plan_backward_time(p, i), .floats = p->wants[i].saved_floats};
        }
    }
}

enum result plan_size_outputs(struct plan *p, struct error *err)
{
    settle_lifetimes(p);
    for (int s = 0; s <= p->net->layer_count; s++) {
        struct slot *slot = &p->slots[s];
        if (slot->parent != NO_PARENT || slot->data.birth > slot->data.death) {
            continue;
        }
        size_t c = (size_t)slot->shape.c;
        slot->stride = c > TENSOR_ALIGN ? tensor_align(c) : c;
        size_t pixels, floats;
        if (!size_mul((size_t)slot->shape.h, (size_t)slot->shape.w, &pixels) ||
            !size_mul(pixels, slot->stride, &floats) ||
            !size_mul(floats, (size_t)p->options.batch, &floats) ||
            floats > PTRDIFF_MAX / sizeof(float) / 4096) {
            return error_set(err, ERR_MEMORY, "layer %d: activations of %d x %d x %d x %d overflow",
                             s - 1, p->options.batch, slot->shape.h, slot->shape.w, slot->shape.c);
        }
        slot->data.floats = plan_keeps_floats(p, s) ? floats : 0;
        if (s > 0 && p->remade[s - 1].death > 0) {
            p->remade[s - 1].floats = floats;
        }
    }
    return OK;
}
