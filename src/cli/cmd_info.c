#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "train/freeze.h"
#include "base/json.h"
#include "run/model.h"
#include "base/options.h"
#include "net/backbone.h"
#include "net/class_rows.h"

struct info_args {
    struct model_args model;
    const char *freeze;
    int format, batch;
};

enum { FORMAT_TEXT, FORMAT_JSON };

static const struct option info_options[] = {
    {"format", OPTION_CHOICE, offsetof(struct info_args, format), 0, 0, "text|json",
     "output format", 0},
    {"batch", OPTION_INT, offsetof(struct info_args, batch), 1, 1024, "N",
     "images at a time, for the memory figures", 0},
    {"freeze", OPTION_STRING, offsetof(struct info_args, freeze), 0, 0, "SET", FREEZE_HELP, 0},
    {0},
};

static const char about[] =
    "Layers, shapes, parameters, arithmetic and memory of a network. Only the cfg is read; with\n"
    "--weights the file is also loaded, which proves that it fits.\n"
    "GFLOP counts a multiply-add as two operations. Statistics are the batch norms' running means\n"
    "and variances: part of the file, but not trained. Layers that --freeze or the cfg "
    "(trainable=0,\n"
    "stopbackward=1, onlyforward=1) freezes show what they do in training; nothing of theirs is\n"
    "trained. What the cfg freezes for the first updates only (stopbackward=N, dont_update=N,\n"
    "burnin_update=K) counts as trained, and has lines of its own.\n"
    "Backbone, neck and head are what --freeze calls so: the head is each detection layer with "
    "the\n"
    "convolution that feeds only it, the backbone what ends with the features of the coarsest "
    "grid.\n";

struct layer_figures {
    size_t floats, trainable;
    double gflop;
    char details[96];
};

/* What is shown. */
struct view {
    const struct model *model;
    const struct plan *plan;
    int batch;
    const char *freeze_text;  /* --freeze, or NULL */
    struct freeze_set freeze; /* once the keys for the first updates have ended */
    enum net_part *parts;     /* [layer_count]; NULL: no detection heads */
};

static struct layer_figures layer_figures(const struct view *view, const struct layer *l)
{
    struct layer_figures figures = {0};
    for (int i = 0; i < l->param_count; i++) {
        figures.floats += l->params[i].count;
        figures.trainable += mode_moves(view->freeze.modes[l->index], &l->params[i])
                                 ? class_rows_moving(&view->model->net, l->index, &l->params[i])
                                 : 0;
    }
    figures.gflop = l->ops->flops ? l->ops->flops(l) / 1e9 : 0;
    if (l->ops->describe) {
        l->ops->describe(l, figures.details, sizeof figures.details);
    }
    return figures;
}

static struct shape input_shape(const struct layer *l)
{
    return l->input_count > 0 ? l->input_shapes[0]
                              : (struct shape){l->net->h, l->net->w, l->net->c};
}

static double megabytes(size_t bytes)
{
    return (double)bytes / 1e6;
}

static size_t weights_bytes(size_t floats)
{
    enum { HEADER = 20 };
    return HEADER + 4 * floats;
}

static const char *state_word(const struct view *view, int layer)
{
    return view->freeze.frozen[layer] ? "frozen" : "";
}

static void print_rows(const struct view *view)
{
    const struct model *model = view->model;
    printf("%5s  %-14s %-26s %-16s %-16s %10s %10s %-6s  %-10s %8s\n", "layer", "kind", "details",
           "input", "output", "params", "trainable", "", "algorithm", "GFLOP");
    for (int i = 0; i < model->net.layer_count; i++) {
        const struct layer *l = &model->net.layers[i];
        struct layer_figures figures = layer_figures(view, l);
        struct shape in = input_shape(l);
        char from[48], to[48];
        snprintf(from, sizeof from, "%dx%dx%d", in.w, in.h, in.c);
        snprintf(to, sizeof to, "%dx%dx%d", l->out.w, l->out.h, l->out.c);
        printf("%5d  %-14s %-26s %-16s %-16s %10zu %10zu %-6s  %-10s %8.3f\n", i, l->ops->name,
               figures.details, from, to, figures.floats, figures.trainable, state_word(view, i),
               plan_algorithm(view->plan, i), figures.gflop);
    }
}

static void print_frozen(const struct view *view)
{
    char layers[256];
    const struct freeze_totals *f = &view->freeze.totals;
    if (f->frozen_layers > 0) {
        freeze_describe(&view->model->net, view->freeze.frozen, layers, sizeof layers);
        printf("frozen      layers %s: %d of %d with parameters, %zu values; their statistics keep "
               "still, "
               "too\n",
               layers, f->frozen_layers, f->layers, f->frozen);
    }
}

/* Calls `show` for each span of first updates in which the cfg freezes more. */
static void each_span(const struct view *view,
                      void (*show)(const struct network *net, const struct freeze_set *set,
                                   uint64_t from, uint64_t to, cJSON *rows),
                      cJSON *rows)
{
    const struct network *net = &view->model->net;
    struct freeze_time at = {.burn_in = (uint64_t)net->options.burn_in};
    for (uint64_t to; (to = freeze_next_change(net, view->freeze_text, &at)) > 0; at.updates = to) {
        struct freeze_set set;
        struct error ignored;
        if (freeze_set_make(net, view->freeze_text, BN_AUTO, &at, &set, &ignored) == OK) {
            show(net, &set, at.updates + 1, to, rows);
        }
        freeze_set_free(&set);
    }
}

static void print_span(const struct network *net, const struct freeze_set *set, uint64_t from,
                       uint64_t to, cJSON *rows)
{
    char layers[256];
    (void)rows;
    freeze_describe(net, set->frozen, layers, sizeof layers);
    printf("at first    updates %llu-%llu: layers %s keep still, %zu values are trained\n",
           (unsigned long long)from, (unsigned long long)to, layers, set->totals.moving);
}

static void add_span(const struct network *net, const struct freeze_set *set, uint64_t from,
                     uint64_t to, cJSON *rows)
{
    cJSON *row = cJSON_CreateObject(), *layers = cJSON_AddArrayToObject(row, "frozen");
    for (int i = 0; i < net->layer_count; i++) {
        if (set->frozen[i]) {
            cJSON_AddItemToArray(layers, cJSON_CreateNumber(i));
        }
    }
    cJSON_AddNumberToObject(row, "from", (double)from);
    cJSON_AddNumberToObject(row, "to", (double)to);
    cJSON_AddItemToArray(rows, row);
}

static void print_parts(const struct view *view)
{
    int count = view->parts ? view->model->net.layer_count : 0;
    for (int part = 0; count > 0 && part < PART_COUNT; part++) {
        const char *separator = "";
        printf("%-12s", part_names[part]);
        for (int i = 0; i < count; i++) {
            if ((int)view->parts[i] != part || (i > 0 && (int)view->parts[i - 1] == part)) {
                continue;
            }
            int last = i;
            while (last + 1 < count && (int)view->parts[last + 1] == part) {
                last++;
            }
            printf("%s%d-%d", separator, i, last);
            separator = ",";
        }
        printf("%s\n", *separator ? "" : "none");
    }
}

static void print_text(const struct view *view)
{
    const struct model *model = view->model;
    int batch = view->batch;
    const struct network *net = &model->net;
    size_t floats = network_param_floats(net, net->layer_count, NULL);
    struct plan_memory memory = plan_memory(view->plan);
    print_rows(view);
    printf("\ninput       %d x %d x %d (width x height x channels)\n", net->size.w, net->size.h,
           net->size.c);
    if (model->head) {
        printf("classes     %d\n", model->head->classes);
    } else if (model->task != TASK_NONE) {
        printf("task        %s, %zu values\n", task_name(model->task), task_values(net));
    }
    printf("parameters  %zu (%zu trainable, %zu statistics), %.2f MB as .weights\n", floats,
           view->freeze.totals.moving, view->freeze.totals.statistics,
           megabytes(weights_bytes(floats)));
    print_parts(view);
    print_frozen(view);
    each_span(view, print_span, NULL);
    printf("arithmetic  %.3f GFLOP an image\n", network_flops(net) / 1e9);
    printf("memory      %.2f MB for inference, batch %d: packed weights %.2f, activations %.2f "
           "(%.2f without reuse), scratch %.2f\n",
           megabytes(memory.prepared_bytes + memory.activation_bytes + memory.scratch_bytes), batch,
           megabytes(memory.prepared_bytes), megabytes(memory.activation_bytes),
           megabytes(memory.unshared_bytes), megabytes(memory.scratch_bytes));
    printf("kernels     %s\n", kernels_isa(model->kernels));
    if (model->weights_path[0]) {
        printf("weights     ");
        text_put(stdout, model->weights_path);
        printf(": %d of %d layers, %llu images seen in training\n", net->loaded_layers,
               net->layer_count, (unsigned long long)net->seen);
    }
}

static cJSON *shape_json(struct shape shape)
{
    int whc[] = {shape.w, shape.h, shape.c};
    return cJSON_CreateIntArray(whc, 3);
}

static cJSON *layers_json(const struct view *view)
{
    const struct model *model = view->model;
    cJSON *layers = cJSON_CreateArray();
    for (int i = 0; i < model->net.layer_count; i++) {
        const struct layer *l = &model->net.layers[i];
        struct layer_figures figures = layer_figures(view, l);
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "index", i);
        cJSON_AddStringToObject(row, "kind", l->ops->name);
        cJSON_AddStringToObject(row, "details", figures.details);
        if (view->parts) {
            cJSON_AddStringToObject(row, "part", part_names[view->parts[i]]);
        }
        cJSON_AddItemToObject(row, "inputs", cJSON_CreateIntArray(l->inputs, l->input_count));
        cJSON_AddItemToObject(row, "input_whc", shape_json(input_shape(l)));
        cJSON_AddItemToObject(row, "output_whc", shape_json(l->out));
        cJSON_AddNumberToObject(row, "parameters", (double)figures.floats);
        cJSON_AddNumberToObject(row, "trainable", (double)figures.trainable);
        cJSON_AddBoolToObject(row, "frozen", view->freeze.frozen[i]);
        cJSON_AddStringToObject(row, "algorithm", plan_algorithm(view->plan, i));
        json_add_rounded(row, "gflop", figures.gflop, 6);
        cJSON_AddItemToArray(layers, row);
    }
    return layers;
}

static cJSON *info_json(const struct view *view)
{
    const struct model *model = view->model;
    const struct network *net = &model->net;
    size_t floats = network_param_floats(net, net->layer_count, NULL);
    struct plan_memory memory = plan_memory(view->plan);
    char stem[256];
    model_stem(model, stem, sizeof stem);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", stem);
    cJSON_AddStringToObject(root, "cfg", model->cfg_path);
    cJSON_AddNumberToObject(root, "width", net->size.w);
    cJSON_AddNumberToObject(root, "height", net->size.h);
    cJSON_AddNumberToObject(root, "channels", net->size.c);
    if (model->head) {
        cJSON_AddNumberToObject(root, "classes", model->head->classes);
    } else if (model->task != TASK_NONE) {
        cJSON_AddStringToObject(root, "task", task_name(model->task));
        cJSON_AddNumberToObject(root, "values", (double)task_values(net));
    }
    cJSON_AddNumberToObject(root, "parameters", (double)floats);
    cJSON_AddNumberToObject(root, "trainable", (double)view->freeze.totals.moving);
    cJSON_AddNumberToObject(root, "frozen", (double)view->freeze.totals.frozen);
    cJSON_AddNumberToObject(root, "frozen_layers", view->freeze.totals.frozen_layers);
    each_span(view, add_span, cJSON_AddArrayToObject(root, "first_updates"));
    cJSON_AddNumberToObject(root, "statistics", (double)view->freeze.totals.statistics);
    cJSON_AddNumberToObject(root, "weights_bytes", (double)weights_bytes(floats));
    json_add_rounded(root, "gflop", network_flops(net) / 1e9, 6);
    cJSON_AddStringToObject(root, "isa", kernels_isa(model->kernels));
    cJSON *sizes = cJSON_AddObjectToObject(root, "memory");
    cJSON_AddNumberToObject(sizes, "batch", view->batch);
    cJSON_AddNumberToObject(sizes, "prepared_bytes", (double)memory.prepared_bytes);
    cJSON_AddNumberToObject(sizes, "activation_bytes", (double)memory.activation_bytes);
    cJSON_AddNumberToObject(sizes, "unshared_bytes", (double)memory.unshared_bytes);
    cJSON_AddNumberToObject(sizes, "scratch_bytes", (double)memory.scratch_bytes);
    if (model->weights_path[0]) {
        cJSON_AddStringToObject(root, "weights", model->weights_path);
        cJSON_AddNumberToObject(root, "loaded_layers", net->loaded_layers);
        cJSON_AddNumberToObject(root, "seen", (double)net->seen);
    }
    cJSON_AddItemToObject(root, "layers", layers_json(view));
    return root;
}

static enum result find_frozen(struct view *view, struct error *err)
{
    const struct network *net = &view->model->net;
    if (view->model->head) {
        view->parts = mem_alloc((size_t)net->layer_count, sizeof *view->parts);
        TRY(view->parts ? parts_find(net, view->parts, err) : mem_error(err, "the layers"));
    }
    return freeze_set_make(net, view->freeze_text, BN_AUTO, NULL, &view->freeze, err);
}

static enum result info(const struct info_args *args, struct error *err)
{
    struct model model = {0};
    struct plan *plan = NULL;
    struct view view = {.model = &model, .batch = args->batch, .freeze_text = args->freeze};
    bool has_file = args->model.weights && !weights_are_none(args->model.weights);
    enum model_need need = has_file ? MODEL_PARTIAL : MODEL_CFG_ONLY;
    enum result result = model_open(&args->model, need, &model, err);
    if (result == OK) {
        result = model_load(&model, err); /* tells of odd values */
    }
    if (result == OK) {
        result = find_frozen(&view, err);
    }
    if (result == OK) {
        struct plan_options options = {.batch = args->batch};
        result = plan_draft(&model.net, model.kernels, &options, &plan, err);
        view.plan = plan;
    }
    if (result == OK && args->format == FORMAT_JSON) {
        result = json_print(info_json(&view), true, err);
    } else if (result == OK) {
        print_text(&view);
    }
    plan_free(plan);
    freeze_set_free(&view.freeze);
    mem_free(view.parts);
    model_close(&model);
    return result;
}

static enum result run_info(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct info_args args = {.batch = 1};
    const struct usage usage = {
        .command = "info",
        .arguments = "[CFG]",
        .about = about,
        .example = "yolo info --cfg cfg/yolov4.cfg --imgsz 416",
        .groups = {{"Output", info_options, &args},
                   {"Model", model_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    const char *cfg;
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &cfg, 1, &done, err));
    if (cfg && args.model.cfg) {
        return error_set(err, ERR_ARG, "info: unexpected %s", cfg);
    }
    args.model.cfg = cfg ? cfg : args.model.cfg;
    return done ? OK : info(&args, err);
}

const struct command cmd_info = {"info", "summary", "layers, shapes, parameters, FLOPs and memory",
                                 run_info};
