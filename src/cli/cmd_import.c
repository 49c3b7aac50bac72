#include "cli/cmd.h"

#include <stdio.h>

#include "base/log.h"
#include "base/options.h"
#include "exchange/import.h"
#include "net/weights.h"
#include "results/paths.h"

struct import_args {
    const char *cfg, *out;
    int norm, layout;
    float eps; /* below 0: not given */
    bool is_turned;
};

static const struct option import_options_table[] = {
    {"cfg", OPTION_STRING, offsetof(struct import_args, cfg), 0, 0, "FILE", "the network", 0},
    {"out", OPTION_STRING, offsetof(struct import_args, out), 0, 0, "FILE",
     "the .weights file to write", 'o'},
    {"layout", OPTION_CHOICE, offsetof(struct import_args, layout), 0, 0, "auto|oihw|hwio",
     "axes of weights; auto: what fits the shapes, oihw where both do", 0},
    {"norm", OPTION_CHOICE, offsetof(struct import_args, norm), 0, 0, "torch|lasagne",
     "batch norms whose names say nothing: gamma, beta, mean, variance; or beta, gamma, mean, 1 / "
     "deviation",
     0},
    {"eps", OPTION_FLOAT, offsetof(struct import_args, eps), 0, 1, "X",
     "what the source adds to variances, if its file does not say (Keras: .001); default 1e-05", 0},
    {"turned", OPTION_FLAG, offsetof(struct import_args, is_turned), 0, 0, NULL,
     "windows are turned by 180 degrees (Theano's and Lasagne's convolution)", 0},
    {0},
};

static const char about[] =
    "Weights of another program's file as .weights for a cfg with the same layers: F is a .npz of\n"
    "NumPy, a .safetensors or an .onnx file. Tensors go to layers by order and shape: weights\n"
    "[outputs, inputs, h, w], or [h, w, inputs, outputs] as TensorFlow and Keras have them; batch\n"
    "norms by the names of their vectors, else by --norm. A batch norm that the source has put into\n"
    "its weights becomes one that changes nothing. Each pair is printed; what does not fit is an\n"
    "error, and nothing is written. Names decide the order in a .safetensors file (their numbers\n"
    "count; 0.bn follows 0.conv), nodes in an .onnx file, the file's own in a .npz.\n";

static void say_pair(void *ctx, const struct layer *l, const char *role, const char *from)
{
    (void)ctx;
    printf("layer %d [%s] %s <- %s\n", l->index, l->ops->name, role, from);
}

static enum result import(const struct import_args *a, const char *path, struct error *err)
{
    struct network net = {0};
    struct tensor_list list = {0};
    const struct import_options options = {.norm = (enum import_norm)a->norm,
                                           .layout = (enum import_layout)a->layout,
                                           .eps = a->eps < 0 ? -1 : (double)a->eps,
                                           .is_turned = a->is_turned};
    size_t trainable;
    enum result result = network_read(a->cfg, 0, 0, &net, err);
    if (result == OK) {
        result = network_allocate(&net, err);
    }
    if (result == OK) {
        result = tensors_read(path, &list, err);
    }
    if (result == OK) {
        result = import_tensors(path, &list, &options, &net, say_pair, NULL, err);
    }
    if (result == OK) {
        result = weights_save(a->out, &net, net.layer_count, 0, err);
    }
    if (result == OK) {
        log_info("%s: %d layers, %zu parameters", a->out, net.layer_count,
                 network_param_floats(&net, net.layer_count, &trainable));
    }
    tensors_free(&list);
    network_free(&net);
    return result;
}

static enum result run_import(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct import_args args = {.eps = -1};
    const struct usage usage = {
        .command = "import",
        .arguments = "F.npz|F.safetensors|F.onnx",
        .about = about,
        .example = "yolo import my.safetensors --cfg my.cfg --out my.weights",
        .groups = {{"Options", import_options_table, &args}},
    };
    const char *path;
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &path, 1, &done, err));
    if (done) {
        return OK;
    }
    const char *missing = !path       ? "a file to read"
                          : !args.cfg ? "--cfg FILE"
                          : !args.out ? "--out FILE"
                                      : NULL;
    if (missing) {
        return error_set(err, ERR_ARG, "import: %s is missing", missing);
    }
    TRY(option_need_file(NULL, path, err));
    TRY(option_need_file("cfg", args.cfg, err));
    if (is_same_file(args.out, path) || is_same_file(args.out, args.cfg)) {
        return error_set(err, ERR_ARG, "--out %s would overwrite an input (choose another name)",
                         args.out);
    }
    return import(&args, path, err);
}

const struct command cmd_import = {"import", "", "weights of .npz, .safetensors, .onnx as .weights",
                                   run_import};
