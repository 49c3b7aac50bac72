/* The bytes of a plan that runs on them. A slot may be kept as bytes, as floats, or as both where the two meet: whoever
 * writes it converts it at once, while it is in cache. Floats are placed as in any plan; the bytes lie in the same
 * block, each as long as somebody reads it. Concatenations are written by their producers where these can. */
#include "net/plan_internal.h"

#include "base/memory.h"
#include "kernels/int8_ops.h"
#include "layers/int8_unit.h"
#include "layers/kinds.h"
#include "layers/settings.h"

bool plan_takes_floats(const struct plan *p, int layer)
{
    return !p->bytes || p->bytes->roles[layer] == QUANT_FLOAT;
}

bool plan_gives_floats(const struct plan *p, int layer)
{
    return plan_takes_floats(p, layer) &&
           !(p->bytes && p->bytes->slots[plan_slot(layer)].comes_as_bytes);
}

/* A root's floats are those of all that lies in it. */
bool plan_keeps_floats(const struct plan *p, int slot)
{
    for (int s = 0; p->bytes && s <= p->net->layer_count; s++) {
        if (p->bytes->slots[s].needs_floats && plan_root(p, s, NULL) == slot) {
            return true;
        }
    }
    return !p->bytes;
}

static bool is_read_as_floats(const struct plan *p, int layer)
{
    bool is_read = plan_is_result(p, layer);
    for (int i = layer + 1; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        for (int k = 0; k < l->input_count; k++) {
            is_read = is_read || (l->inputs[k] == layer && plan_takes_floats(p, i));
        }
    }
    return is_read;
}

static void find_needs(struct plan *p)
{
    const struct network *net = p->net;
    struct byte_slot *slots = p->bytes->slots;
    slots[0].needs_floats = true;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        bool takes_floats = plan_takes_floats(p, i);
        slots[plan_slot(i)].needs_floats = takes_floats || plan_is_result(p, i);
        slots[plan_slot(i)].needs_bytes = !takes_floats;
        for (int k = 0; k < l->input_count; k++) {
            struct byte_slot *in = &slots[plan_slot(l->inputs[k])];
            in->needs_floats = in->needs_floats || takes_floats;
            in->needs_bytes = in->needs_bytes || !takes_floats;
        }
    }
    for (int i = 0; i < net->layer_count; i++) {
        struct byte_slot *slot = &slots[plan_slot(i)];
        slot->comes_as_bytes = plan_takes_floats(p, i) && slot->needs_bytes &&
                               !is_read_as_floats(p, i) &&
                               conv_unit_gives_bytes(&net->layers[i], p->kern);
        slot->needs_floats = slot->needs_floats && !slot->comes_as_bytes;
    }
}

enum result plan_open_bytes(struct plan *p, struct error *err)
{
    size_t layers = (size_t)p->net->layer_count;
    bool *is_int8 = mem_alloc(layers, sizeof *is_int8);
    p->bytes = mem_alloc(1, sizeof *p->bytes);
    if (p->bytes) {
        p->bytes->roles = mem_alloc(layers, sizeof *p->bytes->roles);
        p->bytes->slots = mem_alloc(layers + 1, sizeof *p->bytes->slots);
    }
    bool has_memory = is_int8 && p->bytes && p->bytes->roles && p->bytes->slots;
    for (size_t i = 0; has_memory && i < layers; i++) {
        is_int8[i] = p->options.quant->layers[i].is_int8;
    }
    if (has_memory) {
        quant_find_roles(p->net, is_int8, p->bytes->roles);
        find_needs(p);
    }
    mem_free(is_int8);
    return has_memory ? OK : mem_error(err, "planning the network");
}

void plan_free_bytes(struct plan *p)
{
    if (p->bytes) {
        mem_free(p->bytes->roles);
        mem_free(p->bytes->slots);
        mem_free(p->bytes);
    }
}

static bool is_view(const struct plan *p, int layer)
{
    const struct layer *l = &p->net->layers[layer];
    return p->bytes->roles[layer] == QUANT_SAME && l->input_count == 1 &&
           (l->ops == &route_ops || l->ops == &dropout_ops);
}

void plan_ask_bytes(const struct plan *p, int layer, struct layer_plan *want)
{
    const struct layer *l = &p->net->layers[layer];
    if (plan_takes_floats(p, layer)) {
        want->scratch_bytes = conv_unit_bytes_scratch_bytes(l, p->kern);
        return;
    }
    *want = (struct layer_plan){.place = PLACE_OWN};
    if (p->bytes->roles[layer] == QUANT_SUM) {
        want->prepared_floats = int8_sum_floats(l->out.c);
    }
    if (p->bytes->roles[layer] == QUANT_CONV) {
        const struct conv_unit *u = l->state;
        const float *steps = p->options.quant->layers[l->inputs[0]].steps;
        enum int8_algorithm choice = int8_unit_choose(l, p->kern, steps);
        want->choice = (int)choice;
        want->prepared_floats = int8_unit_prepared_bytes(l, p->kern, choice) / sizeof(float);
        want->scratch_bytes =
            int8_conv_scratch_bytes(p->kern, &u->geometry, choice, p->options.batch);
    }
}

static void adopt_sources(struct plan *p, const struct layer *l)
{
    int channel = 0;
    for (int k = 0; k < l->input_count; k++) {
        int child = plan_slot(l->inputs[k]);
        struct byte_slot *s = &p->bytes->slots[child];
        if (s->parent == NO_PARENT && !is_view(p, child - 1)) {
            s->parent = plan_slot(l->index);
            s->channel = channel;
        }
        channel += l->input_shapes[k].c;
    }
}

static int root_of(const struct plan *p, int slot, int *channel)
{
    const struct byte_slot *slots = p->bytes->slots;
    for (*channel = 0; slots[slot].parent != NO_PARENT; slot = slots[slot].parent) {
        *channel += slots[slot].channel;
    }
    return slot;
}

static void extend(struct plan *p, int slot, int time)
{
    int channel;
    struct region *r = &p->bytes->slots[root_of(p, slot, &channel)].region;
    r->birth = time < r->birth ? time : r->birth;
    r->death = time > r->death ? time : r->death;
}

void plan_place_bytes(struct plan *p)
{
    const struct network *net = p->net;
    struct byte_slot *slots = p->bytes->slots;
    for (int s = 0; s <= net->layer_count; s++) {
        slots[s].parent = NO_PARENT;
        slots[s].region = (struct region){.birth = INT_MAX, .death = INT_MIN};
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (is_view(p, i)) {
            const struct route_state *s = l->state;
            slots[plan_slot(i)].parent = plan_slot(l->inputs[0]);
            slots[plan_slot(i)].channel = l->ops == &route_ops ? s->group_id * l->out.c : 0;
        }
    }
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        const struct route_state *s = l->state;
        if (!plan_takes_floats(p, i) && l->ops == &route_ops && l->input_count > 1 &&
            s->groups == 1) {
            adopt_sources(p, l);
        }
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (slots[plan_slot(i)].needs_bytes) {
            extend(p, plan_slot(i), i);
        }
        for (int k = 0; k < l->input_count && !plan_takes_floats(p, i); k++) {
            extend(p, plan_slot(l->inputs[k]), i);
        }
    }
    for (int s = 0; s <= net->layer_count; s++) {
        struct byte_slot *slot = &slots[s];
        const struct shape *shape = &p->slots[s].shape;
        if (slot->region.birth <= slot->region.death) {
            size_t align = MEM_ALIGN, c = (size_t)shape->c;
            slot->stride = c > align ? (c + align - 1) / align * align : c;
            size_t bytes =
                (size_t)p->options.batch * (size_t)shape->h * (size_t)shape->w * slot->stride;
            slot->region.floats = (bytes + sizeof(float) - 1) / sizeof(float);
        }
    }
}

void plan_wire_bytes(struct plan *p)
{
    for (int s = 1; s <= p->net->layer_count; s++) {
        struct byte_slot *slot = &p->bytes->slots[s];
        int channel;
        const struct byte_slot *root = &p->bytes->slots[root_of(p, s, &channel)];
        const struct shape *shape = &p->slots[s].shape;
        const struct quant_layer *quant = &p->options.quant->layers[s - 1];
        slot->t = (struct int8_tensor){
            .data = (uint8_t *)(void *)(p->activations + root->region.offset) + channel,
            .n = p->options.batch,
            .h = shape->h,
            .w = shape->w,
            .c = shape->c,
            .stride = root->stride,
            .steps = quant->steps,
            .zeros = quant->zeros};
    }
}

static const struct int8_tensor *bytes_of(const struct plan *p, int layer)
{
    return &p->bytes->slots[plan_slot(layer)].t;
}

/* In fp32, too, a convolution's bias makes up for what bytes before it have lost. */
static void prepare_floats(const struct plan *p, const struct layer *l)
{
    const struct quant_layer *quant = &p->options.quant->layers[l->index];
    const struct exec *e = &p->execs[l->index];
    if (l->ops->prepare) {
        l->ops->prepare(l, e);
    }
    if (l->ops == &convolutional_ops && quant->channels == l->out.c) {
        conv_unit_add_bias(l, e, quant->bias);
    }
}

enum result plan_prepare_bytes(struct plan *p, int layer, struct error *err)
{
    const struct layer *l = &p->net->layers[layer];
    if (plan_takes_floats(p, layer)) {
        prepare_floats(p, l);
        return OK;
    }
    const struct int8_tensor *in = bytes_of(p, l->inputs[0]), *out = bytes_of(p, layer);
    if (p->bytes->roles[layer] == QUANT_SUM) {
        const struct shortcut_state *s = l->state;
        int8_sum_prepare(s->act, in, bytes_of(p, l->inputs[1]), out, p->execs[layer].prepared);
    }
    if (p->bytes->roles[layer] != QUANT_CONV) {
        return OK;
    }
    return int8_unit_prepare(l, p->kern, (enum int8_algorithm)p->wants[layer].choice, in, out,
                             p->options.quant->layers[layer].bias, p->execs[layer].prepared, err);
}

const struct int8_tensor *plan_output_bytes(const struct plan *plan, int layer)
{
    bool is_there = plan->bytes && layer >= 0 && plan->bytes->slots[plan_slot(layer)].needs_bytes;
    return is_there ? bytes_of(plan, layer) : NULL;
}

enum result plan_prepare_layer(struct plan *plan, int layer, struct error *err)
{
    return plan_prepare_bytes(plan, layer, err);
}

void plan_begin_bytes(struct plan *p, int images)
{
    for (int s = 1; s <= p->net->layer_count; s++) {
        p->bytes->slots[s].t.n = images;
    }
}

static void join(const struct plan *p, const struct layer *l, const struct int8_tensor *out)
{
    const struct route_state *s = l->state;
    int at = 0;
    for (int k = 0; k < l->input_count; k++) {
        const struct int8_tensor *in = bytes_of(p, l->inputs[k]);
        int c = in->c / s->groups;
        struct int8_tensor from = int8_channels(in, s->group_id * c, c);
        struct int8_tensor to = int8_channels(out, at, c);
        if (from.data != to.data) { /* else its producer has written it there */
            int8_copy(&from, &to);
        }
        at += c;
    }
}

static void move(const struct plan *p, const struct layer *l, const struct int8_tensor *out)
{
    const struct int8_tensor *in = bytes_of(p, l->inputs[0]);
    if (l->ops == &maxpool_ops) {
        const struct pool_state *s = l->state;
        int8_max_pool(&s->geometry, in, out);
    } else if (l->ops == &upsample_ops) {
        const struct upsample_state *s = l->state;
        int8_upsample(s->stride, in, out);
    } else if (!is_view(p, l->index)) {
        join(p, l, out);
    }
}

static void run(const struct plan *p, int layer)
{
    const struct layer *l = &p->net->layers[layer];
    const struct exec *e = &p->execs[layer];
    const struct int8_tensor *in = bytes_of(p, l->inputs[0]), *out = bytes_of(p, layer);
    switch (p->bytes->roles[layer]) {
    case QUANT_CONV:
        int8_unit_forward(l, p->kern, (enum int8_algorithm)e->choice, e->prepared, in, out,
                          e->scratch);
        break;
    case QUANT_SAME:
        move(p, l, out);
        break;
    case QUANT_SUM: {
        const struct shortcut_state *s = l->state;
        int8_sum(p->kern, s->act, e->prepared, in, bytes_of(p, l->inputs[1]), out);
        break;
    }
    case QUANT_FLOAT:
        break;
    }
}

/* Of a layer that gave floats only the conversion remains to be done. */
void plan_forward_bytes(struct plan *p, int layer)
{
    const struct byte_slot *slot = &p->bytes->slots[plan_slot(layer)];
    if (slot->comes_as_bytes) {
        conv_unit_infer_bytes(&p->net->layers[layer], &p->execs[layer], &slot->t);
    } else if (!plan_takes_floats(p, layer)) {
        run(p, layer);
        if (slot->needs_floats) {
            int8_dequantize(p->kern, &slot->t, &p->execs[layer].out);
        }
    } else if (slot->needs_bytes) {
        int8_quantize(p->kern, &p->execs[layer].out, &slot->t);
    }
}
