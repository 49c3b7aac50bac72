#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "run/infer.h"
#include "run/model.h"
#include "data/npy.h"
#include "base/options.h"
#include "data/image.h"

struct dump_args {
    struct model_args model;
    const char *out;
    int fit;
};

static const struct option dump_options[] = {
    {"out", OPTION_STRING, offsetof(struct dump_args, out), 0, 0, "DIR",
     "folder for the .npy files; made if need be", 'o'},
    {0},
};

static const char about[] =
    "Every layer's output for one picture as NumPy files, for comparing with any other framework:\n"
    "DIR/input.npy, DIR/000.npy, DIR/001.npy ... (Darknet's layer numbers), float32, [n, c, h, "
    "w].\n"
    "In place of a picture a .npy file is taken as the network's input as it is: float32 in [0, "
    "1],\n"
    "[n, c, h, w] or [c, h, w].\n";

static bool is_npy(const char *path)
{
    return path_ends_in(path, ".npy");
}

static enum result npy_fits(const char *path, const struct npy *array, const struct network *net,
                            struct error *err)
{
    if (array->c != net->size.c || array->h != net->size.h || array->w != net->size.w) {
        error_at(err, ERR_ARG, path, 0,
                 "[%d, %d, %d, %d] (n, c, h, w) does not fit the network's input of %d channels, "
                 "height %d, width %d",
                 array->n, array->c, array->h, array->w, net->size.c, net->size.h, net->size.w);
        bool is_channels_only = array->h == net->size.h && array->w == net->size.w;
        return is_channels_only ? err->code
                                : error_hint(err, "try --imgsz %dx%d", array->w, array->h);
    }
    return OK;
}

static enum result write_outputs(const char *dir, const struct plan *plan, int layers,
                                 struct error *err)
{
    char path[MODEL_PATH], name[32];
    for (int i = -1; i < layers; i++) {
        snprintf(name, sizeof name, i < 0 ? "input.npy" : "%03d.npy", i);
        if (!path_join(path, sizeof path, dir, name)) {
            return error_set(err, ERR_ARG, "--out: path too long");
        }
        TRY(npy_write(path, i < 0 ? plan_input(plan) : plan_output(plan, i), err));
    }
    log_info("%s: input.npy and %d layers", dir, layers);
    return OK;
}

/* Fill the plan's input from the array, or from the image if there is no array. */
static enum result fill_input(const struct dump_args *args, const struct network *net,
                              const struct npy *array, const struct image *image,
                              const struct plan *plan, struct error *err)
{
    struct tensor input = *plan_input(plan);
    if (array->data) {
        size_t planar = (size_t)array->c * (size_t)array->h * (size_t)array->w;
        for (int i = 0; i < array->n; i++) {
            tensor_from_planar(&input, i, array->data + (size_t)i * planar);
        }
        return OK;
    }
    struct image_fit fit;
    return image_to_input(image, infer_way(args->fit, net), &input, 0, &fit, err);
}

static enum result dump_model(const struct dump_args *args, const char *path,
                              const struct npy *array, const struct image *image, struct error *err)
{
    struct model model = {0};
    struct plan *plan = NULL;
    int batch = array->data ? array->n : 1;
    enum result result = model_open(&args->model, MODEL_PARTIAL, &model, err);
    if (result == OK) {
        result = array->data ? npy_fits(path, array, &model.net, err)
                             : model_check_pictures(&model.net, err);
    }
    if (result == OK) {
        result = model_plan(&model, batch, true, &plan, err);
    }
    if (result == OK) {
        result = fill_input(args, &model.net, array, image, plan, err);
    }
    if (result == OK) {
        result = dir_make(args->out, err);
    }
    if (result == OK) {
        plan_forward(plan, batch);
        result = write_outputs(args->out, plan, model.net.layer_count, err);
    }
    plan_free(plan);
    model_close(&model);
    return result;
}

static enum result dump(const struct dump_args *args, const char *path, struct error *err)
{
    struct npy array = {0};
    struct image image = {0};
    enum result result = is_npy(path) ? npy_read(path, &array, err) : image_read(path, &image, err);
    if (image.is_dim) {
        log_warn("%s: %s", path, image_dim_text);
    }
    if (result == OK && array.data && args->fit != FIT_AS_CFG) {
        result = error_set(err, ERR_ARG,
                           "%s is taken as it is: --letterbox and --stretch are for "
                           "pictures",
                           path);
    }
    if (result == OK) {
        result = dump_model(args, path, &array, &image, err);
    }
    npy_free(&array);
    image_free(&image);
    return result;
}

static enum result run_dump(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct dump_args args = {0};
    const struct usage usage = {
        .command = "dump",
        .arguments = "IMAGE|INPUT.npy --out DIR",
        .about = about,
        .example = "yolo dump dog.jpg --out layers --cfg cfg/yolov4-tiny.cfg \\\n"
                   "      --weights weights/yolov4-tiny.weights",
        .groups = {{"Options", dump_options, &args},
                   {"Fit into the network's input", fit_options, &args.fit},
                   {"JPEG files", picture_options, &args.model},
                   {"Model", model_options, &args.model},
                   {"Arithmetic", precision_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    const char *picture;
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &picture, 1, &done, err));
    if (done) {
        return OK;
    }
    if (!picture) {
        return error_set(err, ERR_ARG, "dump: a picture is needed");
    }
    if (!args.out) {
        return error_set(err, ERR_ARG, "dump: --out DIR is missing");
    }
    TRY(option_need_file(NULL, picture, err));
    return dump(&args, picture, err);
}

const struct command cmd_dump = {"dump", "", "every layer's output for one picture as .npy",
                                 run_dump};
