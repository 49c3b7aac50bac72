#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/text.h"
#include "train/freeze.h"
#include "base/json.h"
#include "run/model.h"
#include "base/options.h"
#include "train/step.h"

struct bench_args {
    struct model_args model;
    int batch, runs, warmup, format;
    bool trains, from_features;
    const char *freeze;
};

enum { FORMAT_TEXT, FORMAT_JSON };

static const struct option bench_options[] = {
    {"batch", OPTION_INT, offsetof(struct bench_args, batch), 1, 1024, "N", "images at a time", 0},
    {"runs", OPTION_INT, offsetof(struct bench_args, runs), 1, 100000, "N", "measured runs", 0},
    {"warmup", OPTION_INT, offsetof(struct bench_args, warmup), 0, 1000, "N",
     "runs before the measured ones", 0},
    {"format", OPTION_CHOICE, offsetof(struct bench_args, format), 0, 0, "text|json",
     "output format", 0},
    {"train", OPTION_FLAG, offsetof(struct bench_args, trains), 0, 0, NULL,
     "training steps instead: forward, loss, backward, update of one batch", 0},
    {"freeze", OPTION_STRING, offsetof(struct bench_args, freeze), 0, 0, "SET",
     "with --train: " FREEZE_HELP, 0},
    {"cached", OPTION_FLAG, offsetof(struct bench_args, from_features), 0, 0, NULL,
     "with --train --freeze: steps from kept features of the frozen layers, as of train's "
     "--cache-features",
     0},
    {0},
};

static const char about[] =
    "Latency and GFLOP/s of a network's forward pass, whole and layer by layer: medians of --runs "
    "runs.\n"
    "Reading pictures and drawing are not in it. Without weights, random ones of a realistic size "
    "are\n"
    "used: the time is the same. gflop is the work of one image; gflops = gflop * batch / time.\n"
    "--train times training steps on random pictures and boxes.\n";

/* Milliseconds. */
struct timing {
    double median, min, max;
};

struct bench {
    const struct bench_args *args;
    struct model *model;
    struct plan *plan;
    struct timing whole;
    double *layer_ms;      /* [layer_count], medians */
    double *samples;       /* [runs] */
    double *layer_samples; /* [layer_count][runs] */
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the samples. */
static struct timing summarise(double *samples, int count)
{
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    double median = samples[count / 2];
    if (count % 2 == 0) {
        median = (median + samples[count / 2 - 1]) / 2;
    }
    return (struct timing){median, samples[0], samples[count - 1]};
}

/* Noise in [0, 1): a picture with all frequencies, the same on every run. */
static void fill_input(const struct tensor *input)
{
    unsigned state = 1;
    for (size_t i = 0; i < tensor_pixels(input); i++) {
        for (int c = 0; c < input->c; c++) {
            state = state * 1664525u + 1013904223u;
            input->data[i * input->stride + (size_t)c] = (float)(state >> 8) / 16777216.0f;
        }
    }
}

static void measure(void *ctx)
{
    struct bench *b = ctx;
    const struct bench_args *args = b->args;
    int layers = b->model->net.layer_count;
    fill_input(plan_input(b->plan));
    for (int run = -args->warmup; run < args->runs; run++) {
        double start = clock_ms();
        plan_forward(b->plan, args->batch);
        if (run >= 0) {
            b->samples[run] = clock_ms() - start;
            log_progress("run %d of %d: %.2f ms", run + 1, args->runs, b->samples[run]);
        }
    }
    b->whole = summarise(b->samples, args->runs);
    for (int run = 0; run < args->runs; run++) {
        fill_input(plan_input(b->plan)); /* activations may have been laid over it */
        plan_begin(b->plan, args->batch);
        for (int i = 0; i < layers; i++) {
            double start = clock_ms();
            plan_forward_layer(b->plan, i);
            b->layer_samples[i * args->runs + run] = clock_ms() - start;
        }
        log_progress("layers, run %d of %d", run + 1, args->runs);
    }
    log_progress("%s", "");
    for (int i = 0; i < layers; i++) {
        b->layer_ms[i] = summarise(b->layer_samples + i * args->runs, args->runs).median;
    }
}

static double layer_gflop(const struct layer *l)
{
    return l->ops->flops ? l->ops->flops(l) / 1e9 : 0;
}

static double rate(double gflop, int batch, double ms)
{
    return ms > 0 ? gflop * batch * 1e3 / ms : 0;
}

static double peak_rss_mb(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : 0;
}

/* What both kinds of figures begin with. */
static cJSON *start_json(const struct bench *b, const char *times_name)
{
    const struct network *net = &b->model->net;
    char stem[256];
    model_stem(b->model, stem, sizeof stem);
    cJSON *root = cJSON_CreateObject();
    json_add_text(root, "model", stem);
    cJSON_AddNumberToObject(root, "imgsz", net->size.w);
    if (net->size.h != net->size.w) {
        cJSON_AddNumberToObject(root, "imgsz_height", net->size.h);
    }
    cJSON_AddNumberToObject(root, "batch", b->args->batch);
    cJSON_AddNumberToObject(root, "threads", parallel_threads());
    json_add_text(root, "isa", kernels_isa(b->model->kernels));
    json_add_rounded(root, "gflop", network_flops(net) / 1e9, 4);
    cJSON *whole = cJSON_AddObjectToObject(root, times_name);
    json_add_rounded(whole, "median", b->whole.median, 4);
    json_add_rounded(whole, "min", b->whole.min, 4);
    json_add_rounded(whole, "max", b->whole.max, 4);
    return root;
}

static cJSON *bench_json(const struct bench *b)
{
    const struct network *net = &b->model->net;
    double gflop = network_flops(net) / 1e9;
    cJSON *root = start_json(b, "infer_ms");
    json_add_rounded(root, "gflops", rate(gflop, b->args->batch, b->whole.median), 3);
    json_add_rounded(root, "peak_rss_mb", peak_rss_mb(), 1);
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "index", i);
        json_add_text(row, "kind", l->ops->name);
        json_add_text(row, "algorithm", plan_algorithm(b->plan, i));
        json_add_rounded(row, "ms", b->layer_ms[i], 5);
        json_add_rounded(row, "gflops", rate(layer_gflop(l), b->args->batch, b->layer_ms[i]), 3);
        cJSON_AddItemToArray(layers, row);
    }
    return root;
}

static void print_text(const struct bench *b)
{
    const struct network *net = &b->model->net;
    double gflop = network_flops(net) / 1e9, total = 0;
    char stem[256];
    model_stem(b->model, stem, sizeof stem);
    for (int i = 0; i < net->layer_count; i++) {
        total += b->layer_ms[i];
    }
    printf("%5s  %-14s %-10s %-16s %10s %6s %10s\n", "layer", "kind", "algorithm", "output", "ms",
           "%", "GFLOP/s");
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        char out[48];
        snprintf(out, sizeof out, "%dx%dx%d", l->out.w, l->out.h, l->out.c);
        printf("%5d  %-14s %-10s %-16s %10.3f %6.1f %10.1f\n", i, l->ops->name,
               plan_algorithm(b->plan, i), out, b->layer_ms[i],
               total > 0 ? 100 * b->layer_ms[i] / total : 0,
               rate(layer_gflop(l), b->args->batch, b->layer_ms[i]));
    }
    printf("\n%s at %dx%d, batch %d, %d threads, %s\n", text_mask(stem), net->size.w, net->size.h,
           b->args->batch, parallel_threads(), kernels_isa(b->model->kernels));
    printf("infer     %.3f ms median, %.3f min, %.3f max of %d runs\n", b->whole.median,
           b->whole.min, b->whole.max, b->args->runs);
    printf("rate      %.1f GFLOP/s (%.3f GFLOP an image), %.2f images/s\n",
           rate(gflop, b->args->batch, b->whole.median), gflop,
           rate(1, b->args->batch, b->whole.median));
    printf("peak rss  %.1f MB\n", peak_rss_mb());
}

static enum result bench_plan(struct bench *b, struct error *err)
{
    size_t layers = (size_t)b->model->net.layer_count, runs = (size_t)b->args->runs;
    b->layer_ms = mem_alloc(layers, sizeof(double));
    b->samples = mem_alloc(runs, sizeof(double));
    b->layer_samples = mem_alloc(layers * runs, sizeof(double));
    enum result result = OK;
    if (!b->layer_ms || !b->samples || !b->layer_samples) {
        result = mem_error(err, "timings");
    }
    if (result == OK) {
        parallel_team(measure, b);
        if (b->args->format == FORMAT_JSON) {
            result = json_print(bench_json(b), false, err);
        } else {
            print_text(b);
        }
    }
    mem_free(b->layer_ms);
    mem_free(b->samples);
    mem_free(b->layer_samples);
    return result;
}

/* ---- training steps ---- */

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
        sets[n] = (struct truth_set){own, TRUTHS};
    }
}

static enum result print_steps(const struct bench *b, const struct train_step *step,
                               const struct freeze_totals *totals, struct error *err)
{
    double seconds = b->whole.median / 1e3;
    if (b->args->format == FORMAT_JSON) {
        cJSON *root = start_json(b, "step_ms");
        json_add_rounded(root, "images_per_s", b->args->batch / seconds, 3);
        cJSON_AddNumberToObject(root, "trainable", (double)totals->moving);
        cJSON_AddNumberToObject(root, "frozen", (double)totals->frozen);
        cJSON_AddNumberToObject(root, "frozen_layers", totals->frozen_layers);
        cJSON_AddBoolToObject(root, "from_features", b->args->from_features);
        json_add_rounded(root, "step_mb", (double)step->bytes / 1e6, 1);
        json_add_rounded(root, "peak_rss_mb", peak_rss_mb(), 1);
        return json_print(root, false, err);
    }
    const struct network *net = &b->model->net;
    printf("%s at %dx%d, batch %d, %d threads, %s\n", path_base(b->model->cfg_path), net->size.w,
           net->size.h, b->args->batch, parallel_threads(), kernels_isa(b->model->kernels));
    printf("step      %.3f ms median, %.3f min, %.3f max of %d runs; %.2f images/s\n",
           b->whole.median, b->whole.min, b->whole.max, b->args->runs, b->args->batch / seconds);
    printf("trained   %zu values; frozen %zu in %d of %d layers\n", totals->moving, totals->frozen,
           totals->frozen_layers, totals->layers);
    if (b->args->from_features) {
        char layers[256];
        features_describe(&step->features, layers, sizeof layers);
        printf("features  of %s, %.2f MB an image\n", layers,
               (double)step->features.floats * sizeof(float) / 1e6);
    }
    printf("memory    %.1f MB beside the parameters; peak rss %.1f MB\n", (double)step->bytes / 1e6,
           peak_rss_mb());
    return OK;
}

/* What a run of steps borrows. */
struct step_bench {
    struct train_step step;
    bool *frozen;
    struct truth *items;
    struct truth_set *sets;
};

static enum result prepare_steps(const struct bench *b, struct step_bench *s, struct error *err)
{
    struct network *net = &b->model->net;
    size_t images = (size_t)b->args->batch;
    s->frozen = mem_alloc((size_t)net->layer_count, sizeof *s->frozen);
    s->items = mem_alloc(images * TRUTHS, sizeof *s->items);
    s->sets = mem_alloc(images, sizeof *s->sets);
    if (!s->frozen || !s->items || !s->sets) {
        return mem_error(err, "training steps");
    }
    if (!b->model->head) {
        return error_at(err, ERR_CFG, b->model->cfg_path, 0,
                        "no detection head: it has no loss to train");
    }
    TRY(freeze_resolve(b->args->freeze, net, s->frozen, err));
    fill_truths(s->items, s->sets, b->args->batch, b->model->head->classes);
    struct train_step_options options = {
        .net = net,
        .kernels = b->model->kernels,
        .frozen = s->frozen,
        .batch = b->args->batch,
        .optimizer = {.kernels = b->model->kernels, .momentum = 0.9f, .decay = 0.0005f},
        .from_features = b->args->from_features,
    };
    return train_step_open(&options, &s->step, err);
}

static enum result bench_steps(struct bench *b, struct error *err)
{
    struct step_bench s = {0};
    const struct bench_args *args = b->args;
    b->samples = mem_alloc((size_t)args->runs, sizeof(double));
    enum result result = b->samples ? prepare_steps(b, &s, err) : mem_error(err, "timings");
    struct freeze_totals totals = {0};
    if (result == OK) {
        totals = freeze_count(&b->model->net, s.frozen, BN_AUTO);
        result = freeze_check_moves(&totals, err);
    }
    int before = args->warmup + args->from_features; /* features are made in the first one */
    for (int run = -before; result == OK && run < args->runs; run++) {
        fill_input(plan_input(s.step.plan));
        double ms = train_step_run(&s.step, s.sets, args->batch);
        if (run >= 0) {
            b->samples[run] = ms;
            log_progress("step %d of %d: %.2f ms", run + 1, args->runs, ms);
        }
    }
    log_progress("%s", "");
    if (result == OK) {
        b->whole = summarise(b->samples, args->runs);
        result = print_steps(b, &s.step, &totals, err);
    }
    train_step_close(&s.step);
    mem_free(s.frozen);
    mem_free(s.items);
    mem_free(s.sets);
    mem_free(b->samples);
    return result;
}

static enum result bench(const struct bench_args *args, struct error *err)
{
    struct model model = {0};
    struct bench b = {.args = args, .model = &model};
    if (args->freeze && !args->trains) {
        return error_set(err, ERR_ARG, "--freeze acts only with --train");
    }
    if (args->from_features && !args->trains) {
        return error_set(err, ERR_ARG, "--cached acts only with --train --freeze SET");
    }
    enum result result = model_open(&args->model, MODEL_ANY, &model, err);
    if (result == OK && args->trains) {
        result = bench_steps(&b, err);
        model_close(&model);
        return result;
    }
    if (result == OK) {
        result = model_plan(&model, args->batch, false, &b.plan, err);
    }
    if (result == OK) {
        result = bench_plan(&b, err);
    }
    plan_free(b.plan);
    model_close(&model);
    return result;
}

static enum result run_bench(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct bench_args args = {.batch = 1, .runs = 20, .warmup = 3};
    const struct usage usage = {
        .command = "bench",
        .arguments = "",
        .about = about,
        .example = "yolo bench --cfg cfg/yolov4.cfg --imgsz 416 --format json",
        .groups = {{"Options", bench_options, &args},
                   {"Model", model_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    struct string_list rest = {0};
    bool done = false;
    enum result result = options_parse(&usage, argc, argv, &rest, &done, err);
    if (result == OK && !done && rest.count > 0) {
        result = error_set(err, ERR_ARG, "bench: unexpected %s", rest.items[0]);
    }
    if (result == OK && !done) {
        result = bench(&args, err);
    }
    string_list_free(&rest);
    return result;
}

const struct command cmd_bench = {"bench", "", "latency and GFLOP/s, whole and per layer",
                                  run_bench};
