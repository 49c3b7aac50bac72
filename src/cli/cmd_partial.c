#include "cli/cmd.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/options.h"
#include "results/paths.h"
#include "net/network.h"
#include "net/weights.h"

struct partial_args {
    const char *cfg, *weights, *out;
    int layers;
};

static const struct option partial_options[] = {
    {"cfg", OPTION_STRING, offsetof(struct partial_args, cfg), 0, 0, "FILE", "network description",
     0},
    {"weights", OPTION_STRING, offsetof(struct partial_args, weights), 0, 0, "FILE",
     "the weights to cut", 0},
    {"layers", OPTION_INT, offsetof(struct partial_args, layers), 1, INT_MAX, "N",
     "keep layers 0 .. N-1", 0},
    {"out", OPTION_STRING, offsetof(struct partial_args, out), 0, 0, "FILE", "the file to write",
     'o'},
    {0},
};

static const char about[] =
    "Cut a .weights file after its first N layers: a backbone to start a training from\n"
    "(yolov4.conv.137, yolov4-tiny.conv.29). The count of images seen becomes 0.\n"
    "Darknet's order of words is understood as well: yolo partial CFG IN OUT N\n";

static enum result partial(const struct partial_args *args, struct error *err)
{
    struct network net = {0};
    size_t trainable;
    enum result result = network_read(args->cfg, 0, 0, &net, err);
    if (result == OK && args->layers > net.layer_count) {
        result = error_set(err, ERR_ARG, "--layers %d: %s has %d layers", args->layers, args->cfg,
                           net.layer_count);
    }
    if (result == OK) {
        result = network_allocate(&net, err);
    }
    if (result == OK) {
        result = weights_load(args->weights, &net, err);
    }
    if (result == OK && args->layers > net.loaded_layers) {
        result = error_set(err, ERR_ARG, "--layers %d: %s ends after its first %d layers",
                           args->layers, args->weights, net.loaded_layers);
    }
    if (result == OK &&
        (is_same_file(args->out, args->weights) || is_same_file(args->out, args->cfg))) {
        result = error_set(err, ERR_ARG, "--out %s would overwrite an input (choose another name)",
                           args->out);
    }
    if (result == OK) {
        result = weights_save(args->out, &net, args->layers, 0, err);
    }
    if (result == OK) {
        log_info("%s: layers 0 to %d, %zu parameters", args->out, args->layers - 1,
                 network_param_floats(&net, args->layers, &trainable));
    }
    network_free(&net);
    return result;
}

static enum result take_positionals(const struct string_list *rest, struct partial_args *args,
                                    struct error *err)
{
    if (rest->count == 4 && !args->cfg && !args->weights && !args->out && !args->layers) {
        char *end;
        long layers = strtol(rest->items[3], &end, 10);
        if (*end || end == rest->items[3] || layers < 1 || layers > INT_MAX) {
            return error_set(err, ERR_ARG, "partial: %s is not a number of layers", rest->items[3]);
        }
        args->cfg = rest->items[0];
        args->weights = rest->items[1];
        args->out = rest->items[2];
        args->layers = (int)layers;
        return OK;
    }
    if (rest->count > 0) {
        return error_set(err, ERR_ARG, "partial: unexpected %s (either options, or CFG IN OUT N)",
                         rest->items[0]);
    }
    const char *missing = !args->cfg       ? "--cfg FILE"
                          : !args->weights ? "--weights FILE"
                          : !args->layers  ? "--layers N"
                          : !args->out     ? "--out FILE"
                                           : NULL;
    if (missing) {
        return error_set(err, ERR_ARG, "partial: %s is missing", missing);
    }
    return OK;
}

static enum result run_partial(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct partial_args args = {0};
    const struct usage usage = {
        .command = "partial",
        .arguments = "",
        .about = about,
        .example = "yolo partial --cfg cfg/yolov4.cfg --weights weights/yolov4.weights \\\n"
                   "      --layers 137 --out yolov4.conv.137",
        .groups = {{"Options", partial_options, &args}},
    };
    struct string_list rest = {0};
    bool done = false;
    enum result result = options_parse(&usage, argc, argv, &rest, &done, err);
    if (result == OK && !done) {
        result = take_positionals(&rest, &args, err);
    }
    if (result == OK && !done) {
        result = option_need_file("cfg", args.cfg, err);
    }
    if (result == OK && !done) {
        result = option_need_file("weights", args.weights, err);
    }
    if (result == OK && !done) {
        result = partial(&args, err);
    }
    string_list_free(&rest);
    return result;
}

const struct command cmd_partial = {"partial", "", "cut a .weights after layer N", run_partial};
