#include "train/step_bench.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "net/task.h"
#include "train/step_cost.h"

enum { TRUTHS = 8 };

/* Eight boxes of all sizes an image, the same on every run. */
static void fill_truths(struct truth *items, struct truth_set *sets, int images, int classes)
{
    struct rng rng = rng_make(1, 0, 0);
    for (int n = 0; n < images; n++) {
        struct truth *own = items + (size_t)n * TRUTHS;
        for (int i = 0; i < TRUTHS; i++) {
            float w = rng_uniform(&rng, 0.05f, 0.5f), h = rng_uniform(&rng, 0.05f, 0.5f);
            own[i].box.cx = rng_uniform(&rng, w / 2.0f, 1.0f - w / 2.0f);
            own[i].box.cy = rng_uniform(&rng, h / 2.0f, 1.0f - h / 2.0f);
            own[i].box.w = w;
            own[i].box.h = h;
            own[i].class_id = (int)rng_below(&rng, (uint64_t)classes);
        }
        sets[n] = (struct truth_set){.items = own, .count = TRUTHS};
    }
}

/* A class an image, or numbers within [0, 1]; the same on every run. Of a picture that is its own target: none. */
static void fill_values(float *values, struct truth_set *sets, int images,
                        const struct network *net)
{
    enum net_task task = task_of(net);
    size_t count = task_values(net);
    struct rng rng = rng_make(1, 0, 0);
    for (int n = 0; n < images && task != TASK_RECONSTRUCT; n++) {
        float *own = values + (size_t)n * count;
        for (size_t i = 0; i < count && task != TASK_CLASSIFY; i++) {
            own[i] = rng_uniform(&rng, 0.0f, 1.0f);
        }
        if (task == TASK_CLASSIFY) {
            own[rng_below(&rng, count)] = 1.0f;
        }
        sets[n] = (struct truth_set){.values = own, .value_count = count};
    }
}

/* What a run of steps borrows. */
struct bench {
    struct step_cost cost;
    struct freeze_set freeze;
    struct truth *items;
    float *values; /* [images][task_values] */
    struct truth_set *sets;
    double *samples; /* [runs] */
    double *parts;   /* by_layers: [runs][step_cost_parts], and as many medians */
};

static enum result prepare(struct model *model, const struct step_bench_options *o, struct bench *b,
                           struct error *err)
{
    size_t images = (size_t)o->runs.batch;
    b->items = mem_alloc(images * TRUTHS, sizeof *b->items);
    size_t floats, values = task_values(&model->net);
    b->values = size_mul(images, values ? values : 1, &floats)
                    ? mem_alloc(floats, sizeof *b->values)
                    : NULL;
    b->sets = mem_alloc(images, sizeof *b->sets);
    b->samples = mem_alloc((size_t)o->runs.count, sizeof(double));
    if (!b->items || !b->values || !b->sets || !b->samples) {
        return mem_error(err, "training steps");
    }
    if (task_of(&model->net) == TASK_NONE) {
        return error_at(
            err, ERR_CFG, model->cfg_path, 0,
            "no loss to train: it has no detection head, and ends neither with [softmax] nor with "
            "[cost]");
    }
    TRY(freeze_set_make(&model->net, o->freeze, BN_AUTO, NULL, &b->freeze, err));
    if (model->head) {
        fill_truths(b->items, b->sets, o->runs.batch, model->head->classes);
    } else {
        fill_values(b->values, b->sets, o->runs.batch, &model->net);
    }
    struct step_cost_options options = {
        .net = &model->net,
        .kernels = model->kernels,
        .freeze = &b->freeze,
        .batch = o->runs.batch,
        .optimizer = {.momentum = 0.9f, .decay = 0.0005f},
        .from_features = o->from_features,
    };
    TRY(step_cost_open(&options, &b->cost, err));
    return freeze_set_check(&b->freeze, err);
}

/* Medians of the parts, behind the samples. */
static const double *measure_parts(const struct step_bench_options *o, struct bench *b)
{
    size_t runs = (size_t)o->runs.count, count = step_cost_parts(&b->cost);
    double *medians = b->parts + runs * count;
    for (size_t run = 0; run < runs; run++) {
        bench_fill_input(plan_input(b->cost.step.plan));
        step_cost_run_parts(&b->cost, b->sets, o->runs.batch, b->parts + run * count);
        log_progress("layers, step %zu of %zu", run + 1, runs);
    }
    for (size_t part = 0; part < count; part++) {
        for (size_t run = 0; run < runs; run++) {
            b->samples[run] = b->parts[run * count + part];
        }
        medians[part] = timing_of(b->samples, o->runs.count).median;
    }
    return medians;
}

static enum result report_parts(const struct step_bench_options *o, struct bench *b,
                                struct step_times *times, struct error *err)
{
    size_t layers = (size_t)b->cost.step.o.net->layer_count, count = step_cost_parts(&b->cost);
    b->parts = mem_alloc(((size_t)o->runs.count + 1) * count, sizeof *b->parts);
    times->forward_ms = mem_alloc(layers, sizeof *times->forward_ms);
    times->backward_ms = mem_alloc(layers, sizeof *times->backward_ms);
    times->algorithms = mem_alloc(layers, sizeof *times->algorithms);
    if (!b->parts || !times->forward_ms || !times->backward_ms || !times->algorithms) {
        return mem_error(err, "timings");
    }
    const double *medians = measure_parts(o, b);
    for (size_t i = 0; i < layers; i++) {
        times->forward_ms[i] = medians[i];
        times->backward_ms[i] = medians[layers + i];
        times->algorithms[i] = plan_algorithm(b->cost.step.plan, (int)i);
    }
    times->loss_ms = medians[2 * layers];
    times->update_ms = medians[2 * layers + 1];
    return OK;
}

void step_times_free(struct step_times *times)
{
    mem_free(times->forward_ms);
    mem_free(times->backward_ms);
    mem_free((void *)times->algorithms);
    *times = (struct step_times){0};
}

static void measure(const struct step_bench_options *o, struct bench *b, struct step_times *times)
{
    int before = o->runs.warmup + o->from_features; /* features are made in the first one */
    for (int run = -before; run < o->runs.count; run++) {
        bench_fill_input(plan_input(b->cost.step.plan));
        double ms = step_cost_run(&b->cost, b->sets, o->runs.batch);
        if (run >= 0) {
            b->samples[run] = ms;
            log_progress("step %d of %d: %.2f ms", run + 1, o->runs.count, ms);
        }
    }
    *times = (struct step_times){.step = timing_of(b->samples, o->runs.count),
                                 .totals = b->freeze.totals,
                                 .bytes = b->cost.bytes};
    if (o->from_features) {
        features_describe(&b->cost.features, times->features, sizeof times->features);
        times->features_floats = b->cost.features.floats;
    }
}

enum result step_bench(struct model *model, const struct step_bench_options *options,
                       struct step_times *times, struct error *err)
{
    struct bench b = {0};
    enum result result = prepare(model, options, &b, err);
    *times = (struct step_times){0};
    if (result == OK) {
        measure(options, &b, times);
        result = options->by_layers ? report_parts(options, &b, times, err) : OK;
    }
    log_progress("%s", "");
    step_cost_close(&b.cost);
    freeze_set_free(&b.freeze);
    mem_free(b.items);
    mem_free(b.values);
    mem_free(b.sets);
    mem_free(b.samples);
    mem_free(b.parts);
    return result;
}
