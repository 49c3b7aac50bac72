#include "train/step.h"

#include <math.h>

static int mini_batches_of(const struct step_options *o)
{
    return o->mini_batches > 0 ? o->mini_batches : 1;
}

static struct plan_options plan_options_of(const struct step_options *o)
{
    int mini_batches = mini_batches_of(o);
    return (struct plan_options){.batch = o->batch,
                                 .modes = o->modes,
                                 .gradient_sets = sum_tree_room(mini_batches, 0, mini_batches)};
}

static enum result build_plan(struct step *step, struct error *err)
{
    const struct step_options *o = &step->o;
    struct plan_options plan = plan_options_of(o);
    return plan_build(o->net, o->kernels, &plan, &step->plan, err);
}

static void drop_plan(struct step *step)
{
    plan_free(step->plan);
    step->plan = NULL;
}

enum result step_open(const struct step_options *options, struct step *step, struct error *err)
{
    struct optimizer *previous = step->optimizer, *fresh;
    struct optimizer_options how = options->optimizer;
    how.kernels = options->kernels;
    step->o = *options;
    drop_plan(step);
    TRY(build_plan(step, err));
    TRY(optimizer_new(&how, options->net, step->plan, previous, &fresh, err));
    optimizer_free(previous);
    step->optimizer = fresh;
    return OK;
}

void step_close(struct step *step)
{
    optimizer_free(step->optimizer);
    plan_free(step->plan);
    *step = (struct step){0};
}

enum result step_resize(struct step *step, int w, int h, struct error *err)
{
    const struct net_size *size = &step->o.net->size;
    if (size->w == w && size->h == h) {
        return OK;
    }
    drop_plan(step);
    TRY(network_resize(step->o.net, w, h, err));
    return build_plan(step, err);
}

static double sum_bytes(const struct plan *plan, double growth, size_t optimizer)
{
    struct plan_memory m = plan_memory(plan);
    return (double)(m.prepared_bytes + m.gradient_bytes + optimizer) +
           growth * (double)(m.activation_bytes + m.scratch_bytes);
}

size_t step_bytes(const struct step *step)
{
    return (size_t)sum_bytes(step->plan, 1.0, optimizer_bytes(step->optimizer));
}

enum result step_measure(const struct step_options *o, double growth, double *bytes,
                         struct error *err)
{
    struct plan_options options = plan_options_of(o);
    struct plan *draft = NULL;
    enum result result = plan_draft(o->net, o->kernels, &options, &draft, err);
    if (result == OK) {
        size_t parameters = network_param_floats(o->net, o->net->layer_count, NULL) * sizeof(float);
        *bytes = (double)parameters +
                 sum_bytes(draft, growth, optimizer_measure(&o->optimizer, o->net, draft));
    }
    plan_free(draft);
    return result;
}

void step_begin(struct step *step)
{
    step->sum = (struct loss_parts){0};
    step->images = 0;
    step->mini_batch = 0;
    step->tree = (struct sum_tree){.mini_batches = mini_batches_of(&step->o)};
}

struct loss_parts step_loss(struct plan *plan, const struct step_input *input)
{
    struct loss_parts parts = {0};
    plan_set_seed(plan, input->seed);
    plan_set_bn_momentum(plan, input->bn_momentum);
    if (input->forward) {
        input->forward(input->ctx, plan, input->images);
    } else {
        plan_forward(plan, input->images);
    }
    plan_loss(plan, input->truths, &parts, NULL);
    return parts;
}

/* The two last sets of gradients become one. */
static void add_last(struct step *step, int last)
{
    sum_floats(plan_gradient_set(step->plan, last - 1), plan_gradient_set(step->plan, last), 0,
               plan_gradient_floats(step->plan));
}

void step_backward(struct step *step, int images, const struct loss_parts *parts)
{
    int set = step->tree.held;
    plan_use_gradients(step->plan, set);
    plan_zero_gradients(step->plan);
    plan_backward(step->plan);
    for (int sums = sum_tree_add(&step->tree, (struct sum_node){step->mini_batch++, 1}); sums > 0;
         sums--) {
        add_last(step, set--);
    }
    loss_parts_add(&step->sum, parts);
    step->images += (size_t)images;
}

double step_update(struct step *step, float rate)
{
    for (; step->tree.held > 1; step->tree.held--) { /* of an update that was cut short */
        add_last(step, step->tree.held - 1);
    }
    plan_use_gradients(step->plan, 0);
    double norm = optimizer_step(step->optimizer, step->plan, rate, step->images);
    if (isfinite(norm)) {
        plan_repack(step->plan);
    }
    return norm;
}
