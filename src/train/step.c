#include "train/step.h"

#include <math.h>

static enum result build_plan(struct step *step, struct error *err)
{
    const struct step_options *o = &step->o;
    struct plan_options plan = {.batch = o->batch, .modes = o->modes};
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
    struct plan_options options = {.batch = o->batch, .modes = o->modes};
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
    plan_zero_gradients(step->plan);
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

void step_backward(struct step *step, int images, const struct loss_parts *parts)
{
    plan_backward(step->plan);
    loss_parts_add(&step->sum, parts);
    step->images += (size_t)images;
}

double step_update(struct step *step, float rate)
{
    double norm = optimizer_step(step->optimizer, step->plan, rate, step->images);
    if (isfinite(norm)) {
        plan_repack(step->plan);
    }
    return norm;
}
