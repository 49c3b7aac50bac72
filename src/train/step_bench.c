#include "train/step_bench.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
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

/* What a run of steps borrows. */
struct bench {
    struct step_cost cost;
    struct freeze_set freeze;
    struct truth *items;
    struct truth_set *sets;
    double *samples; /* [runs] */
};

static enum result prepare(struct model *model, const struct step_bench_options *o, struct bench *b,
                           struct error *err)
{
    size_t images = (size_t)o->runs.batch;
    b->items = mem_alloc(images * TRUTHS, sizeof *b->items);
    b->sets = mem_alloc(images, sizeof *b->sets);
    b->samples = mem_alloc((size_t)o->runs.count, sizeof(double));
    if (!b->items || !b->sets || !b->samples) {
        return mem_error(err, "training steps");
    }
    if (!model->head) {
        return error_at(err, ERR_CFG, model->cfg_path, 0,
                        "no detection head: it has no loss to train");
    }
    TRY(freeze_set_make(&model->net, o->freeze, BN_AUTO, NULL, &b->freeze, err));
    fill_truths(b->items, b->sets, o->runs.batch, model->head->classes);
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
    log_progress("%s", "");
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
    if (result == OK) {
        measure(options, &b, times);
    }
    step_cost_close(&b.cost);
    freeze_set_free(&b.freeze);
    mem_free(b.items);
    mem_free(b.sets);
    mem_free(b.samples);
    return result;
}
