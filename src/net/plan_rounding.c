/* Training as bytes compute: floats that hold what bytes would say (options.rounds_floats). Convolutions on bytes take rounded
 * weights; their outputs, and those of sums, are rounded in place. What is computed in fp32 and read as bytes keeps its
 * floats, for whoever takes floats, and has a rounded copy beside them.
 *
 * The gradient passes straight through (Bengio et al. 2013, arXiv:1308.3432): rounding counts as the identity, clipping as
 * what it is. Where an output in fp32 has readers of both kinds nothing is held back, for those of floats see no clipping. */
#include "net/plan_internal.h"

#include "base/memory.h"
#include "kernels/int8_ops.h"
#include "layers/int8_unit.h"
#include "layers/kinds.h"

static bool takes_bytes(const struct plan *p, int layer)
{
    return p->rounding->roles[layer] != QUANT_FLOAT;
}

static enum result find_rounded(struct plan *p, bool *flags, struct error *err)
{
    size_t layers = (size_t)p->net->layer_count;
    struct rounding_world *r = p->rounding;
    r->roles = mem_alloc(layers, sizeof *r->roles);
    r->layers = mem_alloc(layers, sizeof *r->layers);
    if (!flags || !r->roles || !r->layers) {
        return mem_error(err, "planning the network");
    }
    for (size_t i = 0; i < layers; i++) {
        flags[i] = p->options.quant->layers[i].is_int8;
    }
    quant_find_roles(p->net, flags, r->roles);
    quant_find_rounded(p->net, r->roles, flags);
    for (size_t i = 0; i < layers; i++) {
        r->layers[i].is_rounded = flags[i];
        r->layers[i].is_copied = flags[i] && !takes_bytes(p, (int)i);
    }
    return OK;
}

enum result plan_open_rounding(struct plan *p, struct error *err)
{
    p->rounding = mem_alloc(1, sizeof *p->rounding);
    if (!p->rounding) {
        return mem_error(err, "planning the network");
    }
    bool *flags = mem_alloc((size_t)p->net->layer_count, sizeof *flags);
    enum result result = find_rounded(p, flags, err);
    mem_free(flags);
    return result;
}

void plan_free_rounding(struct plan *p)
{
    if (p->rounding) {
        mem_free(p->rounding->roles);
        mem_free(p->rounding->layers);
        mem_free(p->rounding);
    }
}

bool plan_reads_copy(const struct plan *p, int layer, int input)
{
    int from = p->net->layers[layer].inputs[input];
    return p->rounding && from != LAYER_IMAGE && takes_bytes(p, layer) &&
           p->rounding->layers[from].is_copied;
}

static size_t dense_stride(const struct shape *shape)
{
    size_t c = (size_t)shape->c;
    return c > TENSOR_ALIGN ? tensor_align(c) : c;
}

static struct tensor copy_of(const struct plan *p, int slot)
{
    const struct shape *shape = &p->slots[slot].shape;
    return (struct tensor){.data = p->activations + p->rounding->layers[slot - 1].copy.offset,
                           .n = p->options.batch,
                           .h = shape->h,
                           .w = shape->w,
                           .c = shape->c,
                           .stride = dense_stride(shape)};
}

struct tensor plan_input_of(const struct plan *p, int layer, int input)
{
    int slot = plan_slot(p->net->layers[layer].inputs[input]);
    return plan_reads_copy(p, layer, input) ? copy_of(p, slot) : plan_tensor(p, slot, false);
}

void plan_ask_rounding(struct plan *p, int layer, struct layer_plan *want)
{
    const struct layer *l = &p->net->layers[layer];
    if (p->rounding && p->rounding->roles[layer] == QUANT_CONV) {
        p->rounding->layers[layer].weights_at = tensor_align(want->prepared_floats);
        want->prepared_floats =
            tensor_align(want->prepared_floats) + layer_param(l, "weights")->count;
    }
}

/* Is clipping seen by the gradient of this output? */
static bool holds_back(const struct plan *p, int layer)
{
    const struct rounding *r = &p->rounding->layers[layer];
    bool holds =
        r->is_rounded && p->slots[plan_slot(layer)].flows && p->wants[layer].place != PLACE_VIEW;
    for (int i = layer + 1; r->is_copied && i < p->net->layer_count; i++) {
        for (int k = 0; k < p->net->layers[i].input_count; k++) {
            holds = holds && (p->net->layers[i].inputs[k] != layer || takes_bytes(p, i));
        }
    }
    return holds;
}

static size_t pixels_of(const struct plan *p, int layer)
{
    const struct shape *shape = &p->net->layers[layer].out;
    return (size_t)p->options.batch * (size_t)shape->h * (size_t)shape->w;
}

static void extend(struct region *region, int time)
{
    region->death = time > region->death ? time : region->death;
}

void plan_place_rounding(struct plan *p)
{
    for (int i = 0; p->rounding && i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        struct rounding *r = &p->rounding->layers[i];
        r->copy = r->ranges = (struct region){.birth = i, .death = i};
        if (r->is_copied) {
            r->copy.floats = pixels_of(p, i) * dense_stride(&l->out);
        }
        if (holds_back(p, i)) {
            r->ranges.floats =
                (pixels_of(p, i) * (size_t)l->out.c + sizeof(float) - 1) / sizeof(float);
            r->ranges.death = plan_backward_time(p, i);
        }
        bool needs_input =
            mode_rules[p->modes[i]].keeps_backward && p->wants[i].backward_needs_input;
        for (int k = 0; k < l->input_count; k++) {
            if (plan_reads_copy(p, i, k)) {
                extend(&p->rounding->layers[l->inputs[k]].copy,
                       needs_input ? plan_backward_time(p, i) : i);
            }
        }
    }
}

void plan_wire_rounding(struct plan *p)
{
    for (int i = 0; p->rounding && i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        const struct quant_layer *quant = &p->options.quant->layers[i];
        struct exec *e = &p->execs[i];
        if (p->rounding->roles[i] == QUANT_CONV) {
            e->weights = e->prepared + p->rounding->layers[i].weights_at;
        }
        if (l->ops == &convolutional_ops && quant->channels == l->out.c) {
            e->bias = quant->bias;
        }
    }
}

void plan_round_weights(const struct plan *p, int layer)
{
    const struct layer *l = &p->net->layers[layer];
    if (p->rounding && p->rounding->roles[layer] == QUANT_CONV) {
        const float *steps = p->options.quant->layers[l->inputs[0]].steps;
        int8_unit_round_floats(l, steps,
                               p->execs[layer].prepared + p->rounding->layers[layer].weights_at);
    }
}

static uint8_t *ranges_of(const struct plan *p, int layer)
{
    const struct region *ranges = &p->rounding->layers[layer].ranges;
    return ranges->floats > 0 ? (uint8_t *)(void *)(p->activations + ranges->offset) : NULL;
}

void plan_round_output(const struct plan *p, int layer)
{
    if (!p->rounding || !p->rounding->layers[layer].is_rounded) {
        return;
    }
    const struct quant_layer *quant = &p->options.quant->layers[layer];
    const struct tensor *out = &p->execs[layer].out;
    struct tensor to = *out;
    if (p->rounding->layers[layer].is_copied) {
        to = copy_of(p, plan_slot(layer));
        to.n = out->n;
    }
    int8_round(p->kern, quant->steps, quant->zeros, out, &to, ranges_of(p, layer));
}

void plan_round_again(const struct plan *p, int layer, const struct tensor *out)
{
    if (p->rounding && p->rounding->layers[layer].is_rounded &&
        !p->rounding->layers[layer].is_copied) {
        const struct quant_layer *quant = &p->options.quant->layers[layer];
        int8_round(p->kern, quant->steps, quant->zeros, out, out, NULL);
    }
}

void plan_pass_gradient(const struct plan *p, int layer)
{
    const uint8_t *ranges = p->rounding ? ranges_of(p, layer) : NULL;
    if (ranges) {
        int8_pass_in_range(ranges, &p->execs[layer].out_grad);
    }
}
