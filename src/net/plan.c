/* Building and running plans. See plan_internal.h for the other halves. */
#include "net/plan.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "layers/head.h"
#include "layers/int8_unit.h"
#include "net/plan_internal.h"

static void ask_layers(struct plan *p)
{
    size_t prepared = 0;
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        struct layer_plan *want = &p->wants[i];
        struct plan_limits limits = {
            .kernels = p->kern, .batch = p->options.batch, .mode = p->modes[i]};
        for (int k = 0; k < l->input_count; k++) {
            limits.passes_gradient =
                limits.passes_gradient ||
                (p->slots[plan_slot(i)].flows && p->slots[plan_slot(l->inputs[k])].flows);
        }
        limits.grad_channels = plan_flow_channels(p, plan_slot(l->inputs[0]));
        if (plan_takes_floats(p, i)) {
            l->ops->plan(l, &limits, want);
        }
        if (!plan_gives_floats(p, i)) {
            plan_ask_bytes(p, i, want);
        }
        plan_ask_rounding(p, i, want);
        p->prepared_at[i] = prepared;
        prepared += tensor_align(want->prepared_floats);
        if (want->scratch_bytes > p->memory.scratch_bytes) {
            p->memory.scratch_bytes = want->scratch_bytes;
        }
    }
    p->memory.prepared_bytes = prepared * sizeof(float);
}

static void size_parameter_gradients(struct plan *p)
{
    size_t floats = 0;
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            if (mode_moves(p->modes[i], &l->params[k])) {
                floats += tensor_align(l->params[k].count);
            }
        }
    }
    int sets = p->options.gradient_sets > 0 ? p->options.gradient_sets : 1;
    p->gradient_floats = floats;
    p->memory.gradient_bytes = floats * sizeof(float) * (size_t)sets;
}

/* Everything that can be said without the big allocations. */
static enum result draft(struct plan *p, struct error *err)
{
    const struct network *net = p->net;
    size_t layers = (size_t)net->layer_count;
    for (int i = 0; i < net->layer_count; i++) {
        p->input_count += (size_t)net->layers[i].input_count;
    }
    p->slots = mem_alloc(layers + 1, sizeof *p->slots);
    p->wants = mem_alloc(layers, sizeof *p->wants);
    p->modes = mem_alloc(layers, sizeof *p->modes);
    p->saved = mem_alloc(layers, sizeof *p->saved);
    p->remade = mem_alloc(layers, sizeof *p->remade);
    p->runs_in = mem_alloc(layers, sizeof *p->runs_in);
    p->fusions = mem_alloc(layers, sizeof *p->fusions);
    p->execs = mem_alloc(layers, sizeof *p->execs);
    p->prepared_at = mem_alloc(layers, sizeof *p->prepared_at);
    p->inputs = mem_alloc(p->input_count, sizeof *p->inputs);
    p->input_grads = mem_alloc(p->input_count, sizeof *p->input_grads);
    p->grad_adds = mem_alloc(p->input_count, sizeof *p->grad_adds);
    if (!p->slots || !p->wants || !p->modes || !p->saved || !p->remade || !p->runs_in ||
        !p->fusions || !p->execs || !p->prepared_at || !p->inputs || !p->input_grads ||
        !p->grad_adds) {
        return mem_error(err, "planning the network");
    }
    for (size_t i = 0; i < layers; i++) {
        p->modes[i] = plan_is_training(p) ? p->options.modes[i] : MODE_INFER;
    }
    if (p->options.quant) {
        TRY(p->options.rounds_floats ? plan_open_rounding(p, err) : plan_open_bytes(p, err));
    }
    plan_find_flow(p);
    ask_layers(p);
    plan_place(p);
    plan_fuse(p);
    TRY(plan_size_outputs(p, err));
    if (p->bytes) {
        plan_place_bytes(p);
    }
    plan_place_rounding(p);
    if (plan_is_training(p)) {
        TRY(plan_size_gradients(p, err));
        size_parameter_gradients(p);
    }
    return plan_share(p, err);
}

static void wire_inputs(struct plan *p, int layer, size_t first)
{
    const struct layer *l = &p->net->layers[layer];
    for (int k = 0; k < l->input_count; k++) {
        int slot = plan_slot(l->inputs[k]);
        p->inputs[first + (size_t)k] = plan_input_of(p, layer, k);
        if (p->slots[slot].flows) {
            p->input_grads[first + (size_t)k] = plan_tensor(p, slot, true);
        }
    }
}

static void wire(struct plan *p)
{
    size_t first = 0;
    float *gradient = p->gradients;
    p->image = plan_tensor(p, 0, false);
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        struct exec *e = &p->execs[i];
        wire_inputs(p, i, first);
        *e = (struct exec){.kernels = p->kern,
                           .inputs = p->inputs + first,
                           .out = plan_tensor(p, plan_slot(i), false),
                           .prepared = p->prepared + p->prepared_at[i],
                           .scratch = p->scratch,
                           .choice = p->wants[i].choice,
                           .mode = p->modes[i],
                           .image = &p->image,
                           .input_grads = p->input_grads + first,
                           .grad_adds = p->grad_adds + first,
                           .grad_channels = plan_flow_channels(p, plan_slot(l->inputs[0])),
                           .bn_momentum = p->options.bn_momentum};
        first += (size_t)l->input_count;
        if (p->saved[i].floats > 0) {
            e->saved = p->activations + p->saved[i].offset;
        }
        if (p->slots[plan_slot(i)].flows) {
            e->out_grad = plan_tensor(p, plan_slot(i), true);
        }
        for (int k = 0; k < l->param_count; k++) {
            if (mode_moves(p->modes[i], &l->params[k])) {
                e->param_grads[k] = gradient;
                gradient += tensor_align(l->params[k].count);
            }
            if (l->params[k].is_statistic && mode_rules[p->modes[i]].uses_batch) {
                e->stats[k] = l->params[k].data;
            }
        }
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

struct packing {
    struct plan *plan;
    enum result result;
    struct error *err;
};

static enum result pack_layer(struct plan *p, int i, struct error *err)
{
    const struct layer *l = &p->net->layers[i];
    if (p->bytes) {
        return plan_prepare_bytes(p, i, err);
    }
    plan_round_weights(p, i);
    if (l->ops->prepare) {
        l->ops->prepare(l, &p->execs[i]);
    }
    return OK;
}

static void pack_from_memory(void *ctx)
{
    struct packing *job = ctx;
    struct network *net = job->plan->net;
    bool is_allocated = has_parameters(net);
    for (int i = 0; i < net->layer_count && job->result == OK; i++) {
        if (is_allocated || net->layers[i].param_count == 0) {
            job->result = pack_layer(job->plan, i, job->err);
        }
        if (job->plan->options.release_weights) {
            network_release(net, i);
        }
    }
}

/* One block for all layers, one after the other: it stays in cache, and its pages are cleared once. */
static void pack_from_file(void *ctx)
{
    struct packing *job = ctx;
    struct network *net = job->plan->net;
    size_t floats = network_largest_block(net);
    float *block = mem_map(floats, sizeof *block);
    job->result = block ? OK : mem_error(job->err, "reading weights");
    for (int i = 0; i < net->layer_count && job->result == OK; i++) {
        network_lend(net, i, block);
        job->result = weights_read_next(job->plan->options.weights, net, job->err);
        if (job->result == OK) {
            job->result = pack_layer(job->plan, i, job->err);
        }
        network_lend(net, i, NULL);
    }
    mem_unmap(block, floats, sizeof *block);
}

static enum result furnish(struct plan *p, struct error *err)
{
    p->prepared = p->options.packed ? p->options.packed->prepared
                                    : mem_alloc_raw(p->memory.prepared_bytes, 1);
    p->activations = mem_alloc(p->memory.activation_bytes, 1);
    p->scratch = mem_alloc_raw(p->memory.scratch_bytes, 1);
    p->gradients = mem_alloc(p->memory.gradient_bytes, 1);
    if (!p->prepared || !p->activations || !p->scratch || !p->gradients) {
        mem_error(err, "running the network");
        return error_hint(err, "it needs %.0f MB for weights and %.0f MB for activations",
                          (double)p->memory.prepared_bytes / 1e6,
                          (double)p->memory.activation_bytes / 1e6);
    }
    wire(p);
    if (p->bytes) {
        plan_wire_bytes(p);
    }
    plan_wire_rounding(p);
    struct packing job = {.plan = p, .err = err};
    if (p->options.packed) {
        assert(p->memory.prepared_bytes == p->options.packed->memory.prepared_bytes);
        return OK;
    }
    parallel_team(p->options.weights ? pack_from_file : pack_from_memory, &job);
    return job.result;
}

static enum result begin(struct network *net, const struct kernels *kern,
                         const struct plan_options *options, bool is_furnished, struct plan **plan,
                         struct error *err)
{
    if (options->batch < 1) {
        return error_set(err, ERR_ARG, "batch %d: at least one image is needed", options->batch);
    }
    struct plan *p = mem_alloc(1, sizeof *p);
    if (!p) {
        return mem_error(err, "planning the network");
    }
    p->net = net;
    p->kern = kern;
    p->options = *options;
    enum result result = draft(p, err);
    if (result == OK && is_furnished) {
        result = furnish(p, err);
    }
    if (result != OK) {
        plan_free(p);
        return result;
    }
    *plan = p;
    return OK;
}

enum result plan_build(struct network *net, const struct kernels *kern,
                       const struct plan_options *options, struct plan **plan, struct error *err)
{
    return begin(net, kern, options, true, plan, err);
}

enum result plan_draft(const struct network *net, const struct kernels *kern,
                       const struct plan_options *options, struct plan **plan, struct error *err)
{
    struct network *drafted = (struct network *)(uintptr_t)net; /* a draft changes nothing in it */
    return begin(drafted, kern, options, false, plan, err);
}

void plan_free(struct plan *plan)
{
    if (!plan) {
        return;
    }
    plan_free_bytes(plan);
    plan_free_rounding(plan);
    mem_free(plan->slots);
    mem_free(plan->wants);
    mem_free(plan->modes);
    mem_free(plan->saved);
    mem_free(plan->remade);
    mem_free(plan->runs_in);
    mem_free(plan->fusions);
    mem_free(plan->execs);
    mem_free(plan->prepared_at);
    mem_free(plan->inputs);
    mem_free(plan->input_grads);
    mem_free(plan->grad_adds);
    mem_free(plan->zeroings);
    mem_free(plan->gradients);
    mem_free(plan->activations);
    if (!plan->options.packed) {
        mem_free(plan->prepared);
    }
    mem_free(plan->scratch);
    mem_free(plan);
}

void plan_only_lend(struct plan *plan)
{
    mem_free(plan->activations);
    mem_free(plan->scratch);
    plan->activations = NULL;
    plan->scratch = NULL;
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
    if (plan->bytes) {
        plan_begin_bytes(plan, images);
    }
}

void plan_forward_layer(struct plan *plan, int layer)
{
    const struct layer *l = &plan->net->layers[layer];
    if (plan->fusions[layer].is_used) {
        plan_run_fused(plan, &plan->fusions[layer]);
    } else if (plan->runs_in[layer] == layer && plan_gives_floats(plan, layer) && l->ops->forward &&
               plan->wants[layer].place != PLACE_VIEW) {
        l->ops->forward(l, &plan->execs[layer]);
    }
    if (plan->bytes) {
        plan_forward_bytes(plan, layer);
    }
    plan_round_output(plan, layer);
}

static void forward_all(void *ctx)
{
    struct plan *plan = ctx;
    for (int i = 0; i < plan->net->layer_count; i++) {
        plan_forward_layer(plan, i);
    }
}

void plan_forward(struct plan *plan, int images)
{
    plan_begin(plan, images);
    parallel_team(forward_all, plan);
}

const struct tensor *plan_output(const struct plan *plan, int layer)
{
    return &plan->execs[layer].out;
}

const char *plan_algorithm(const struct plan *plan, int layer)
{
    const struct fusion *f = &plan->fusions[layer];
    bool is_sum = f->is_used && f->depthwise < 0;
    int of = is_sum ? f->narrow : layer;
    const struct layer *l = &plan->net->layers[of];
    const struct layer_plan *want = &plan->wants[of];
    if (f->is_used && !is_sum) {
        return "bottleneck";
    }
    if (plan->runs_in[layer] != layer) {
        return "fused";
    }
    if (!plan_takes_floats(plan, layer)) {
        return plan->bytes->roles[layer] == QUANT_CONV ? int8_unit_choices[want->choice] : "int8";
    }
    if (l->ops->choice_names) {
        return l->ops->choice_names[want->choice];
    }
    switch (want->place) {
    case PLACE_VIEW:
        return "view";
    case PLACE_CONCAT:
        return "concat";
    case PLACE_IN_PLACE:
        return plan->slots[plan_slot(l->inputs[0])].parent == plan_slot(layer) ? "in place" : "own";
    case PLACE_OWN:
        break;
    }
    return "own";
}

double plan_flops(const struct plan *plan, int layer)
{
    double flops = 0;
    for (int i = 0; i <= layer; i++) {
        const struct layer *l = &plan->net->layers[i];
        flops += plan->runs_in[i] == layer && l->ops->flops ? l->ops->flops(l) : 0;
    }
    return flops;
}

enum result plan_detect(const struct plan *plan, int image, float threshold,
                        struct detection_list *list, struct error *err)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        const struct layer *l = &plan->net->layers[i];
        if (l->ops->head) {
            TRY(head_detect(l, &plan->execs[i].out, image, threshold, list, err));
        }
    }
    return OK;
}
