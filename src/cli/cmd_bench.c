#include "cli/cmd.h"

#include <stdio.h>

#include "base/cores.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/parallel.h"
#include "base/path.h"
#include "base/text.h"
#include "kernels/peak.h"
#include "run/bench.h"
#include "run/model.h"
#include "run/quantize.h"
#include "train/step_bench.h"

struct bench_args {
    struct model_args model;
    int batch, runs, warmup, format;
    bool trains, from_features, by_layers;
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
    {"layers", OPTION_FLAG, offsetof(struct bench_args, by_layers), 0, 0, NULL,
     "with --train: each layer's forward and backward pass as well", 0},
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
    "used: the time is the same. memory is what the network holds while it runs; peak rss what making\n"
    "it took, too, with random weights also finding their int8 scales. gflop is the work of one image;\n"
    "gflops = gflop * batch / time. peak is what the processor reaches with multiply-adds in registers,\n"
    "measured before and after; Winograd's convolutions need fewer than are counted.\n"
    "--train times training steps on random pictures and boxes, --layers where in them the time goes.\n";

struct bench {
    const struct bench_args *args;
    struct model *model;
    struct plan *plan;
    struct timing whole;
    double *layer_ms; /* [layer_count], medians */
    char processor[128];
    double peak_gflops;
};

static void measure_peak(struct bench *b)
{
    double gflops = kernels_peak(b->model->kernels) / 1e9;
    b->peak_gflops = gflops > b->peak_gflops ? gflops : b->peak_gflops;
}

static double rate(double gflop, int batch, double ms)
{
    return ms > 0 ? gflop * batch * 1e3 / ms : 0;
}

static double peak_rss_mb(void)
{
    return memory_peak() / (1 << 20);
}

static const char *precision_name(const struct bench *b)
{
    return b->model->quant.layers ? "int8" : "fp32";
}

/* What both kinds of figures begin with. */
static cJSON *start_json(const struct bench *b, const char *times_name)
{
    const struct network *net = &b->model->net;
    char stem[256];
    model_stem(b->model, stem, sizeof stem);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", stem);
    cJSON_AddNumberToObject(root, "imgsz", net->size.w);
    if (net->size.h != net->size.w) {
        cJSON_AddNumberToObject(root, "imgsz_height", net->size.h);
    }
    cJSON_AddNumberToObject(root, "batch", b->args->batch);
    cJSON_AddNumberToObject(root, "threads", parallel_threads());
    cJSON_AddStringToObject(root, "processor", b->processor);
    cJSON_AddStringToObject(root, "isa", kernels_isa(b->model->kernels));
    json_add_rounded(root, "peak_gflops", b->peak_gflops, 1);
    cJSON_AddStringToObject(root, "precision", precision_name(b));
    json_add_rounded(root, "gflop", network_flops(net) / 1e9, 4);
    cJSON *whole = cJSON_AddObjectToObject(root, times_name);
    json_add_rounded(whole, "median", b->whole.median, 4);
    json_add_rounded(whole, "min", b->whole.min, 4);
    json_add_rounded(whole, "max", b->whole.max, 4);
    return root;
}

static void print_peak(const struct bench *b)
{
    printf("peak      %.1f GFLOP/s on %s\n", b->peak_gflops, b->processor);
}

static cJSON *bench_json(const struct bench *b)
{
    const struct network *net = &b->model->net;
    double gflop = network_flops(net) / 1e9;
    cJSON *root = start_json(b, "infer_ms");
    json_add_rounded(root, "gflops", rate(gflop, b->args->batch, b->whole.median), 3);
    const struct plan_memory memory = plan_memory(b->plan);
    json_add_rounded(root, "weights_mb", (double)memory.prepared_bytes / 1e6, 2);
    json_add_rounded(root, "activations_mb", (double)memory.activation_bytes / 1e6, 2);
    json_add_rounded(root, "scratch_mb", (double)memory.scratch_bytes / 1e6, 2);
    json_add_rounded(root, "peak_rss_mb", peak_rss_mb(), 1);
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "index", i);
        cJSON_AddStringToObject(row, "kind", l->ops->name);
        cJSON_AddStringToObject(row, "algorithm", plan_algorithm(b->plan, i));
        json_add_rounded(row, "ms", b->layer_ms[i], 5);
        json_add_rounded(row, "gflops",
                         rate(plan_flops(b->plan, i) / 1e9, b->args->batch, b->layer_ms[i]), 3);
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
               rate(plan_flops(b->plan, i) / 1e9, b->args->batch, b->layer_ms[i]));
    }
    printf("\n%s at %dx%d, batch %d, %d threads, %s, %s\n", text_mask(stem), net->size.w,
           net->size.h, b->args->batch, parallel_threads(), kernels_isa(b->model->kernels),
           precision_name(b));
    printf("infer     %.3f ms median, %.3f min, %.3f max of %d runs\n", b->whole.median,
           b->whole.min, b->whole.max, b->args->runs);
    printf("rate      %.1f GFLOP/s (%.3f GFLOP an image), %.2f images/s\n",
           rate(gflop, b->args->batch, b->whole.median), gflop,
           rate(1, b->args->batch, b->whole.median));
    print_peak(b);
    const struct plan_memory memory = plan_memory(b->plan);
    printf(
        "memory    %.1f MB: packed weights %.1f, activations %.1f, scratch %.1f; peak rss %.1f MB\n",
        (double)(memory.prepared_bytes + memory.activation_bytes + memory.scratch_bytes) / 1e6,
        (double)memory.prepared_bytes / 1e6, (double)memory.activation_bytes / 1e6,
        (double)memory.scratch_bytes / 1e6, peak_rss_mb());
}

static struct bench_runs runs_of(const struct bench_args *args)
{
    return (struct bench_runs){.batch = args->batch, .count = args->runs, .warmup = args->warmup};
}

static enum result bench_plan(struct bench *b, struct error *err)
{
    const struct bench_runs runs = runs_of(b->args);
    int layers = b->model->net.layer_count;
    bool wants_bytes = b->args->model.precision == PRECISION_INT8;
    if (wants_bytes && !b->model->quant.layers) {
        TRY(quantize_on_noise(b->model, err));
    }
    TRY(model_plan(b->model, b->args->batch, false, &b->plan, err));
    b->layer_ms = mem_alloc((size_t)layers, sizeof *b->layer_ms);
    if (!b->layer_ms) {
        return mem_error(err, "timings");
    }
    measure_peak(b);
    TRY(bench_forward(b->plan, layers, &runs, &b->whole, b->layer_ms, err));
    measure_peak(b);
    if (b->args->format == FORMAT_JSON) {
        return json_print(bench_json(b), false, err);
    }
    print_text(b);
    return OK;
}

/* ---- training steps ---- */

static void add_step_layers(const struct bench *b, const struct step_times *times, cJSON *root)
{
    const struct network *net = &b->model->net;
    if (!times->forward_ms) {
        return;
    }
    json_add_rounded(root, "loss_ms", times->loss_ms, 5);
    json_add_rounded(root, "update_ms", times->update_ms, 5);
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int i = 0; i < net->layer_count; i++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "index", i);
        cJSON_AddStringToObject(row, "kind", net->layers[i].ops->name);
        cJSON_AddStringToObject(row, "algorithm", times->algorithms[i]);
        json_add_rounded(row, "forward_ms", times->forward_ms[i], 5);
        json_add_rounded(row, "backward_ms", times->backward_ms[i], 5);
        cJSON_AddItemToArray(layers, row);
    }
}

static void print_step_layers(const struct bench *b, const struct step_times *times)
{
    const struct network *net = &b->model->net;
    double forward = 0, backward = 0;
    if (!times->forward_ms) {
        return;
    }
    for (int i = 0; i < net->layer_count; i++) {
        forward += times->forward_ms[i];
        backward += times->backward_ms[i];
    }
    double total = forward + backward + times->loss_ms + times->update_ms;
    printf("%5s  %-14s %-10s %-16s %10s %11s %6s\n", "layer", "kind", "algorithm", "output",
           "forward ms", "backward ms", "%");
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        double both = times->forward_ms[i] + times->backward_ms[i];
        char out[48];
        snprintf(out, sizeof out, "%dx%dx%d", l->out.w, l->out.h, l->out.c);
        printf("%5d  %-14s %-10s %-16s %10.3f %11.3f %6.1f\n", i, l->ops->name,
               times->algorithms[i], out, times->forward_ms[i], times->backward_ms[i],
               total > 0 ? 100 * both / total : 0);
    }
    printf("\nforward %.3f ms, losses %.3f, backward %.3f, update %.3f, one after the other\n",
           forward, times->loss_ms, backward, times->update_ms);
}

static enum result print_steps(const struct bench *b, const struct step_times *times,
                               struct error *err)
{
    const struct freeze_totals *totals = &times->totals;
    double seconds = b->whole.median / 1e3;
    if (b->args->format == FORMAT_JSON) {
        cJSON *root = start_json(b, "step_ms");
        json_add_rounded(root, "images_per_s", b->args->batch / seconds, 3);
        cJSON_AddNumberToObject(root, "trainable", (double)totals->moving);
        cJSON_AddNumberToObject(root, "frozen", (double)totals->frozen);
        cJSON_AddNumberToObject(root, "frozen_layers", totals->frozen_layers);
        cJSON_AddBoolToObject(root, "from_features", b->args->from_features);
        add_step_layers(b, times, root);
        json_add_rounded(root, "step_mb", (double)times->bytes / 1e6, 1);
        json_add_rounded(root, "peak_rss_mb", peak_rss_mb(), 1);
        return json_print(root, false, err);
    }
    const struct network *net = &b->model->net;
    print_step_layers(b, times);
    printf("%s at %dx%d, batch %d, %d threads, %s\n", path_base(b->model->cfg_path), net->size.w,
           net->size.h, b->args->batch, parallel_threads(), kernels_isa(b->model->kernels));
    printf("step      %.3f ms median, %.3f min, %.3f max of %d runs; %.2f images/s\n",
           b->whole.median, b->whole.min, b->whole.max, b->args->runs, b->args->batch / seconds);
    print_peak(b);
    printf("trained   %zu values; frozen %zu in %d of %d layers\n", totals->moving, totals->frozen,
           totals->frozen_layers, totals->layers);
    if (b->args->from_features) {
        printf("features  of %s, %.2f MB an image\n", times->features,
               (double)times->features_floats * sizeof(float) / 1e6);
    }
    printf("memory    %.1f MB beside the parameters; peak rss %.1f MB\n",
           (double)times->bytes / 1e6, peak_rss_mb());
    return OK;
}

static enum result bench_steps(struct bench *b, struct error *err)
{
    const struct bench_args *args = b->args;
    const struct step_bench_options options = {.runs = runs_of(args),
                                               .freeze = args->freeze,
                                               .by_layers = args->by_layers,
                                               .from_features = args->from_features};
    struct step_times times;
    TRY(model_load(b->model, err));
    measure_peak(b);
    enum result result = step_bench(b->model, &options, &times, err);
    measure_peak(b);
    b->whole = times.step;
    if (result == OK) {
        result = print_steps(b, &times, err);
    }
    step_times_free(&times);
    return result;
}

static enum result bench(const struct bench_args *args, struct error *err)
{
    struct model model = {0};
    struct bench b = {.args = args, .model = &model};
    if (args->freeze && !args->trains) {
        return error_set(err, ERR_ARG, "--freeze acts only with --train");
    }
    if (args->by_layers && !args->trains) {
        return error_set(err, ERR_ARG,
                         "--layers acts only with --train: without it layers are always shown");
    }
    if (args->from_features && !args->trains) {
        return error_set(err, ERR_ARG, "--cached acts only with --train --freeze SET");
    }
    if (args->trains && args->model.precision != PRECISION_FP32) {
        return error_set(err, ERR_ARG,
                         "--precision int8 has no effect with --train: training is fp32");
    }
    cores_name(b.processor, sizeof b.processor);
    text_mask(b.processor);
    enum result result = model_open(&args->model, MODEL_ANY, &model, err);
    if (result == OK) {
        result = args->trains ? bench_steps(&b, err) : bench_plan(&b, err);
    }
    plan_free(b.plan);
    mem_free(b.layer_ms);
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
                   {"Arithmetic", precision_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    bool done;
    TRY(options_parse_few(&usage, argc, argv, NULL, 0, &done, err));
    return done ? OK : bench(&args, err);
}

const struct command cmd_bench = {"bench", "", "latency and GFLOP/s, whole and per layer",
                                  run_bench};
