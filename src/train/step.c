#include "train/step.h"

#include "base/clock.h"
#include "base/memory.h"

static enum result keep_features(const struct train_step_options *o, struct train_step *step,
                                 struct error *err)
{
    size_t floats;
    TRY(features_find(o->net, step->modes, &step->features, err));
    if (step->features.kept == 0) {
        return error_set(err, ERR_ARG,
                         "no layer at the beginning of the network is frozen, so it has no "
                         "features to train from");
    }
    step->kept = size_mul((size_t)o->batch, step->features.floats, &floats)
                     ? mem_alloc_raw(floats, sizeof *step->kept)
                     : NULL;
    step->rows = mem_alloc((size_t)o->batch, sizeof *step->rows);
    if (!step->kept || !step->rows) {
        return mem_error(err, "features");
    }
    for (int i = 0; i < o->batch; i++) {
        step->rows[i] = step->kept + (size_t)i * step->features.floats;
    }
    return OK;
}

enum result train_step_open(const struct train_step_options *o, struct train_step *step,
                            struct error *err)
{
    step->modes = mem_alloc((size_t)o->net->layer_count, sizeof *step->modes);
    if (!step->modes) {
        return mem_error(err, "a training step");
    }
    modes_resolve(o->net, o->frozen, o->bn, step->modes);
    struct plan_options plan = {.batch = o->batch, .modes = step->modes, .bn_momentum = 0.01f};
    TRY(plan_build(o->net, o->kernels, &plan, &step->plan, err));
    TRY(optimizer_new(&o->optimizer, o->net, step->plan, NULL, &step->optimizer, err));
    struct plan_memory memory = plan_memory(step->plan);
    step->bytes = memory.prepared_bytes + memory.activation_bytes + memory.scratch_bytes +
                  memory.gradient_bytes + optimizer_bytes(step->optimizer);
    return o->from_features ? keep_features(o, step, err) : OK;
}

void train_step_close(struct train_step *step)
{
    optimizer_free(step->optimizer);
    plan_free(step->plan);
    mem_free(step->modes);
    features_free(&step->features);
    mem_free(step->kept);
    mem_free(step->rows);
    *step = (struct train_step){0};
}

static void forward(struct train_step *step, int images)
{
    if (!step->rows) {
        plan_forward(step->plan, images);
    } else if (!step->is_recorded) {
        features_record(&step->features, step->plan, images, step->rows);
        step->is_recorded = true;
    } else {
        features_forward(&step->features, step->plan, images, (const float *const *)step->rows);
    }
}

double train_step_run(struct train_step *step, const struct truth_set *truths, int images)
{
    struct loss_parts parts = {0};
    double start = clock_ms();
    plan_zero_gradients(step->plan);
    forward(step, images);
    plan_loss(step->plan, truths, &parts, NULL);
    plan_backward(step->plan);
    (void)optimizer_step(step->optimizer, step->plan, 0.0f, (size_t)images);
    plan_repack(step->plan);
    return clock_ms() - start;
}
