/* Where gradients lie. The gradient of an output lies as the output does: inside its concatenation's,
 * over its in-place consumer's, or as a slice of its source's. What remains is to know, for every gradient a
 * layer hands down, whether those channels were written before (then it adds) or not (then it writes). */
#include "net/plan_internal.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/elementwise.h"
#include "layers/batchnorm.h"

static bool moves(const struct plan *p, int layer)
{
    const struct layer *l = &p->net->layers[layer];
    for (int k = 0; k < l->param_count; k++) {
        if (mode_moves(p->modes[layer], &l->params[k])) {
            return true;
        }
    }
    return false;
}

static void find_moved(struct plan *p)
{
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        bool flows = moves(p, i);
        for (int k = 0; k < l->input_count; k++) {
            flows = flows || p->slots[plan_slot(l->inputs[k])].flows;
        }
        p->slots[plan_slot(i)].flows = flows;
    }
}

static bool has_losses(const struct network *net)
{
    bool has = false;
    for (int i = 0; i < net->layer_count; i++) {
        has = has || net->layers[i].has_loss;
    }
    return has;
}

/* What no loss is computed from has no gradient. Without any the last output stands for the loss. */
static void leave_dead_ends(struct plan *p)
{
    const struct network *net = p->net;
    p->slots[plan_slot(net->layer_count - 1)].has_loss = !has_losses(net);
    for (int i = net->layer_count - 1; i >= 0; i--) {
        const struct layer *l = &net->layers[i];
        struct slot *slot = &p->slots[plan_slot(i)];
        bool is_trained = slot->has_loss || l->has_loss;
        slot->flows = slot->flows && is_trained;
        for (int k = 0; is_trained && k < l->input_count; k++) {
            p->slots[plan_slot(l->inputs[k])].has_loss = true;
        }
    }
}

void plan_find_flow(struct plan *p)
{
    find_moved(p);
    leave_dead_ends(p);
}

struct channel_range plan_flow_channels(const struct plan *p, int slot)
{
    int all = slot > 0 ? p->net->layers[slot - 1].out.c : p->net->size.c;
    if (slot == 0 || p->wants[slot - 1].place != PLACE_CONCAT) {
        return (struct channel_range){0, all};
    }
    const struct layer *l = &p->net->layers[slot - 1];
    int first = all, end = 0, channel = 0;
    for (int k = 0; k < l->input_count; k++) {
        if (p->slots[plan_slot(l->inputs[k])].flows) {
            struct channel_range r = plan_flow_channels(p, plan_slot(l->inputs[k]));
            first = channel + r.first < first ? channel + r.first : first;
            end = channel + r.first + r.count;
        }
        channel += l->input_shapes[k].c;
    }
    return (struct channel_range){first, end > first ? end - first : 0};
}

static enum result check_flow(const struct plan *p, struct error *err)
{
    for (int i = 0; i < p->net->layer_count; i++) {
        const struct layer *l = &p->net->layers[i];
        bool flows = p->slots[plan_slot(i)].flows;
        if (flows && !l->ops->backward && !l->has_loss && p->wants[i].place != PLACE_VIEW) {
            return layer_error(l, ERR_UNSUPPORTED, err, "cannot be trained through");
        }
        if (flows && l->has_loss && p->slots[plan_slot(i)].has_loss) {
            return layer_error(
                l, ERR_UNSUPPORTED, err,
                "cannot be trained through: another head is computed from its output");
        }
        if (flows && !mode_rules[p->modes[i]].keeps_backward) {
            return layer_error(l, ERR_ARG, err, "is in inference mode above a layer that trains");
        }
    }
    return OK;
}

static void extend_life(struct region *region, int time)
{
    if (time < region->birth) {
        region->birth = time;
    }
    if (time > region->death) {
        region->death = time;
    }
}

static enum result note_zeroing(struct plan *p, struct zeroing zeroing, struct error *err)
{
    TRY(mem_grow((void **)&p->zeroings, p->zeroing_count, &p->zeroing_capacity, sizeof zeroing,
                 err));
    p->zeroings[p->zeroing_count++] = zeroing;
    return OK;
}

/* Channels [channel, channel + count) of a root that are not written yet are zeroed before `layer` runs. */
static enum result zero_unwritten(struct plan *p, int layer, int root, int channel, int count,
                                  struct error *err)
{
    bool *written = p->slots[root].is_written;
    for (int c = channel; c < channel + count;) {
        int end = c;
        while (end < channel + count && written[end] == written[c]) {
            end++;
        }
        if (!written[c]) {
            TRY(note_zeroing(p, (struct zeroing){layer, root, c, end - c}, err));
            memset(written + c, true, (size_t)(end - c));
        }
        c = end;
    }
    return OK;
}

static int count_written(const struct slot *root, int channel, int count)
{
    int written = 0;
    for (int c = channel; c < channel + count; c++) {
        written += root->is_written[c];
    }
    return written;
}

/* Whether slot a is b or lies in b's place: then their gradients share memory. */
static bool lies_inside(const struct plan *p, int a, int b)
{
    while (a != b && a != NO_PARENT) {
        a = p->slots[a].parent;
    }
    return a == b;
}

/* `adds` belong to layer i's inputs. */
static enum result visit_layer(struct plan *p, int i, bool *adds, struct error *err)
{
    const struct layer *l = &p->net->layers[i];
    int channel;
    int root = plan_root(p, plan_slot(i), &channel);
    int time = plan_backward_time(p, i);
    if (!l->has_loss) {
        extend_life(&p->slots[root].grad, time);
    }
    if (!l->has_loss && i == p->net->layer_count - 1) { /* the caller's seed */
        memset(p->slots[root].is_written + channel, true, (size_t)l->out.c);
        extend_life(&p->slots[root].grad, p->net->layer_count);
    } else if (!l->has_loss && p->wants[i].place != PLACE_VIEW) {
        TRY(zero_unwritten(p, i, root, channel, l->out.c, err));
    }
    for (int k = 0; k < l->input_count; k++) {
        int input = plan_slot(l->inputs[k]);
        int input_channel;
        int input_root = plan_root(p, input, &input_channel);
        if (!p->slots[input].flows) {
            continue;
        }
        extend_life(&p->slots[input_root].grad, time);
        int count = p->slots[input].shape.c;
        bool is_shared = lies_inside(p, input, plan_slot(i)) || lies_inside(p, plan_slot(i), input);
        if (is_shared && !l->has_loss) {
            /* In place, backward writes over what it was given. Else that is there already; of an
             * input listed twice one lies elsewhere in the root, and is added to. */
            adds[k] = p->wants[i].place != PLACE_IN_PLACE;
            continue;
        }
        int written = count_written(&p->slots[input_root], input_channel, count);
        adds[k] = written > 0;
        if (written > 0 && written < count) {
            TRY(zero_unwritten(p, i, input_root, input_channel, count, err));
        }
        memset(p->slots[input_root].is_written + input_channel, true, (size_t)count);
    }
    return OK;
}

static size_t first_input(const struct plan *p, int layer)
{
    size_t first = 0;
    for (int i = 0; i < layer; i++) {
        first += (size_t)p->net->layers[i].input_count;
    }
    return first;
}

static enum result visit_all(struct plan *p, struct error *err)
{
    const struct network *net = p->net;
    for (int i = 0; i < net->layer_count; i++) {
        if (net->layers[i].has_loss && p->slots[plan_slot(i)].flows) {
            TRY(visit_layer(p, i, p->grad_adds + first_input(p, i), err));
        }
    }
    for (int i = net->layer_count - 1; i >= 0; i--) {
        if (!net->layers[i].has_loss && p->slots[plan_slot(i)].flows) {
            TRY(visit_layer(p, i, p->grad_adds + first_input(p, i), err));
        }
    }
    return OK;
}

enum result plan_size_gradients(struct plan *p, struct error *err)
{
    TRY(check_flow(p, err));
    int slots = p->net->layer_count + 1;
    size_t channels = 0;
    for (int s = 0; s < slots; s++) {
        channels += (size_t)p->slots[s].shape.c;
    }
    bool *written = mem_alloc(channels, sizeof *written);
    if (!written) {
        return mem_error(err, "planning gradients");
    }
    bool *next = written;
    for (int s = 0; s < slots; s++) {
        p->slots[s].is_written = next;
        next += p->slots[s].shape.c;
        p->slots[s].grad = (struct region){.birth = INT_MAX, .death = INT_MIN};
    }
    enum result result = visit_all(p, err);
    for (int s = 0; s < slots; s++) {
        struct slot *slot = &p->slots[s];
        slot->is_written = NULL;
        if (slot->parent == NO_PARENT && slot->grad.birth <= slot->grad.death) {
            slot->grad.floats = slot->data.floats;
        }
    }
    mem_free(written);
    return result;
}

void plan_repack(struct plan *plan)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        const struct layer *l = &plan->net->layers[i];
        if (l->ops->prepare && moves(plan, i)) {
            plan_round_weights(plan, i);
            l->ops->prepare(l, &plan->execs[i]);
        }
    }
}

void plan_set_seed(struct plan *plan, uint64_t seed)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        plan->execs[i].seed = seed;
    }
}

void plan_set_bn_momentum(struct plan *plan, float momentum)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        plan->execs[i].bn_momentum = momentum;
    }
}

/* Of layer i; 0: it does not use the batch's statistics. */
static size_t record_floats(const struct plan *plan, int i)
{
    const struct layer *l = &plan->net->layers[i];
    size_t channels = 0;
    for (int k = 0; k < l->param_count; k++) {
        bool is_moved = l->params[k].is_statistic && mode_rules[plan->modes[i]].uses_batch;
        channels = is_moved ? l->params[k].count : channels;
    }
    return channels > 0 ? batchnorm_record_floats(channels) : 0;
}

size_t plan_record_floats(const struct plan *plan)
{
    size_t floats = 0;
    for (int i = 0; i < plan->net->layer_count; i++) {
        floats += record_floats(plan, i);
    }
    return floats;
}

void plan_record_statistics(struct plan *plan, float *record)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        plan->execs[i].record = record;
        record += record ? record_floats(plan, i) : 0;
    }
}

void plan_move_statistics(const struct plan *plan, const float *record)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        size_t floats = record_floats(plan, i);
        if (floats > 0) {
            batchnorm_move(&plan->net->layers[i], &plan->execs[i], record);
        }
        record += floats;
    }
}

static void zero_before(const struct plan *plan, int layer)
{
    for (size_t k = 0; k < plan->zeroing_count; k++) {
        const struct zeroing *z = &plan->zeroings[k];
        if (z->layer == layer) {
            struct tensor whole = plan_tensor(plan, z->root, true);
            struct tensor slice = tensor_channels(&whole, z->channel, z->count);
            op_zero(&slice);
        }
    }
}

void plan_loss(struct plan *plan, const struct truth_set *truths, struct loss_parts *sum,
               struct loss_parts *each)
{
    for (int i = 0; i < plan->net->layer_count; i++) {
        const struct layer *l = &plan->net->layers[i];
        if (!l->has_loss) {
            continue;
        }
        struct loss_parts parts = {0};
        zero_before(plan, i);
        l->ops->loss(l, &plan->execs[i], truths, &parts);
        loss_parts_add(sum, &parts);
        if (each) {
            loss_parts_add(each++, &parts);
        }
    }
}

struct backward {
    struct plan *plan;
    void (*passed)(void *ctx, size_t first); /* NULL: nobody watches */
    void *ctx;
};

/* The first float of the layer's gradients in its set; false: it has none. */
static bool find_gradients(const struct plan *plan, int layer, size_t *first)
{
    const float *set = plan_gradient_set(plan, plan->gradient_set);
    for (int k = 0; k < plan->net->layers[layer].param_count; k++) {
        const float *gradient = plan->execs[layer].param_grads[k];
        if (gradient) {
            *first = (size_t)(gradient - set);
            return true;
        }
    }
    return false;
}

/* Inputs that have been forgotten are made again; afterwards (`is_over`) they are where forward looks for them. */
static void remake_inputs(const struct plan *plan, int layer, bool is_over)
{
    struct tensor *inputs = plan->inputs + (plan->execs[layer].inputs - plan->inputs);
    for (int k = 0; k < plan->net->layers[layer].input_count; k++) {
        int from = plan->net->layers[layer].inputs[k];
        if (from < 0 || plan->remade[from].floats == 0) {
            continue;
        }
        if (is_over) {
            inputs[k].data = plan_tensor(plan, plan_slot(from), false).data;
        } else {
            const struct layer *l = &plan->net->layers[from];
            inputs[k].data = plan->activations + plan->remade[from].offset;
            l->ops->remake(l, &plan->execs[from], &inputs[k]);
            plan_round_again(plan, from, &inputs[k]);
        }
    }
}

void plan_backward_layer(const struct plan *plan, int layer)
{
    const struct layer *l = &plan->net->layers[layer];
    if (plan->slots[plan_slot(layer)].flows && l->ops->backward && !l->has_loss) {
        zero_before(plan, layer);
        plan_pass_gradient(plan, layer);
        remake_inputs(plan, layer, false);
        l->ops->backward(l, &plan->execs[layer]);
        remake_inputs(plan, layer, true);
    }
}

static void backward_all(void *ctx)
{
    const struct backward *b = ctx;
    const struct plan *plan = b->plan;
    size_t first;
    for (int i = plan->net->layer_count - 1; i >= 0; i--) {
        plan_backward_layer(plan, i);
        if (b->passed && find_gradients(plan, i, &first)) {
            b->passed(b->ctx, first);
        }
    }
}

void plan_backward_watched(struct plan *plan, void (*passed)(void *ctx, size_t first), void *ctx)
{
    struct backward backward = {plan, passed, ctx};
    parallel_team(backward_all, &backward);
}

void plan_backward(struct plan *plan)
{
    plan_backward_watched(plan, NULL, NULL);
}

float *plan_gradient_set(const struct plan *plan, int set)
{
    return plan->gradients + (size_t)set * plan->gradient_floats;
}

size_t plan_gradient_floats(const struct plan *plan)
{
    return plan->gradient_floats;
}

void plan_use_gradients(struct plan *plan, int set)
{
    ptrdiff_t away = (set - plan->gradient_set) * (ptrdiff_t)plan->gradient_floats;
    for (int i = 0; i < plan->net->layer_count; i++) {
        for (int k = 0; k < plan->net->layers[i].param_count; k++) {
            float **gradient = &plan->execs[i].param_grads[k];
            *gradient = *gradient ? *gradient + away : NULL;
        }
    }
    plan->gradient_set = set;
}

float *plan_gradient(const struct plan *plan, int layer, int param)
{
    return plan->execs[layer].param_grads[param];
}

enum layer_mode plan_mode(const struct plan *plan, int layer)
{
    return plan->modes[layer];
}

const struct tensor *plan_output_gradient(const struct plan *plan, int layer)
{
    return &plan->execs[layer].out_grad;
}
