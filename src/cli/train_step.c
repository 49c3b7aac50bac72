#include "cli/train_step.h"

#include "base/clock.h"
#include "base/memory.h"

enum { MAX_HEADS = 16 };

enum result train_step_open(const struct train_step_options *o, struct train_step *step,
                            struct error *err)
{
    step->modes = mem_alloc((size_t)o->net->layer_count, sizeof *step->modes);
    if (!step->modes) {
        return mem_error(err, "a training step");
    }
    modes_resolve(o->net, o->frozen, o->bn, step->modes);
    struct plan_options plan = {.batch = o->batch,
                                .no_winograd = o->no_winograd,
                                .modes = step->modes,
                                .bn_momentum = 0.01f};
    TRY(plan_build(o->net, o->kernels, &plan, &step->plan, err));
    TRY(optimizer_new(&o->optimizer, o->net, step->plan, NULL, &step->optimizer, err));
    struct plan_memory memory = plan_memory(step->plan);
    step->bytes = memory.prepared_bytes + memory.activation_bytes + memory.scratch_bytes +
                  memory.gradient_bytes + optimizer_bytes(step->optimizer);
    return OK;
}

void train_step_close(struct train_step *step)
{
    optimizer_free(step->optimizer);
    plan_free(step->plan);
    mem_free(step->modes);
    *step = (struct train_step){0};
}

double train_step_run(struct train_step *step, const struct truth_set *truths, int images)
{
    struct loss_parts parts[MAX_HEADS] = {{0}};
    double start = clock_ms();
    plan_zero_gradients(step->plan);
    plan_forward(step->plan, images);
    plan_loss(step->plan, truths, parts);
    plan_backward(step->plan);
    (void)optimizer_step(step->optimizer, step->plan, 0.0f, (size_t)images);
    plan_repack(step->plan);
    return clock_ms() - start;
}
