#include "run/model.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/run_args.h"
#include "base/listing.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "data/data_source.h"
#include "data/image.h"
#include "data/inputs.h"
#include "net/weights.h"

#define FIELD(name) offsetof(struct model_args, name)

const struct option model_options[] = {
    {"cfg", OPTION_STRING, FIELD(cfg), 0, 0, "FILE", "network description (Darknet .cfg)", 0},
    {"weights", OPTION_STRING, FIELD(weights), 0, 0, "FILE",
     "parameters (Darknet .weights); none = random numbers, for train and bench", 0},
    {"names", OPTION_STRING, FIELD(names), 0, 0, "FILE", "class names, one a line", 0},
    {"data", OPTION_STRING, FIELD(data), 0, 0, "FILE",
     DATA_HELP ": its names, and its pictures where pictures are wanted", 0},
    {"model", OPTION_STRING, FIELD(model), 0, 0, "STEM",
     "short for cfg/STEM.cfg, weights/STEM.weights and STEM.names", 0},
    {"run", OPTION_STRING, FIELD(run), 0, 0, "DIR", "the model of a training run's folder", 0},
    {"imgsz|img-size|img", OPTION_SIZE, FIELD(imgsz), 8, 8192, "N|WxH",
     "network input size in place of the cfg's, or of a run's", 0},
    {0},
};

const struct option machine_options[] = {
    {"threads", OPTION_INT, FIELD(threads), 0, 1024, "N",
     "threads; 0 = as OMP_NUM_THREADS says, else all cores", 0},
    {"cpu", OPTION_STRING, FIELD(cpu), 0, 0, "scalar|avx2|avx512",
     "kernels to use in place of the best this machine runs", 0},
    {"no-winograd", OPTION_FLAG, FIELD(no_winograd), 0, 0, NULL,
     "direct convolutions only: slower, rounds like plain summation", 0},
    {0},
};

const struct option picture_options[] = {
    {"jpeg", OPTION_CHOICE, FIELD(jpeg), 0, 0, "stb|turbo",
     "who decodes JPEGs: stb, as Darknet without OpenCV, or libjpeg-turbo, in less than 60 % of "
     "the time, as OpenCV and Ultralytics: its bytes differ by up to 3 of 255",
     0},
    {0},
};

const struct option precision_options[] = {
    {"precision", OPTION_CHOICE, FIELD(precision), 0, 0, "fp32|int8",
     "int8: convolutions on bytes, as the file STEM.int8 beside the weights says, which yolo quantize makes",
     0},
    {0},
};

/* Published models, best first for the default: all that scripts/get-weights.sh fetches, and others
 * with COCO's 80 classes. */
static const char *const official_stems[] = {
    "yolov4",           "yolov4-tiny", "yolov4-csp",          "yolov4x-mish",
    "yolov4-csp-swish", "yolov4-p5",   "yolov4-p6",           "yolov4-csp-x-swish",
    "yolov4-tiny-3l",   "yolov7",      "yolov7-tiny",         "yolov3",
    "yolov3-tiny",      "yolov3-spp",  "yolo-fastest-1.1-xl", "yolo-fastest-1.1",
    "yolov2",           "yolov2-tiny", "enet-coco",           "csresnext50-panet-spp",
};
enum { OFFICIAL_COUNT = sizeof official_stems / sizeof official_stems[0], OFFICIAL_CLASSES = 80 };

static const char bundled_stem[] = "tabletop";

/* ---- finding files ---- */

static void dir_of(const char *path, char *dir, size_t size)
{
    size_t n = (size_t)(path_base(path) - path);
    snprintf(dir, size, "%.*s", (int)(n < size ? n : 0), path);
}

static bool program_dir(char *dir, size_t size)
{
    char path[MODEL_PATH];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) {
        return false;
    }
    path[n] = '\0';
    dir_of(path, dir, size);
    return true;
}

static bool is_file(const char *path)
{
    return path_exists(path) && !path_is_dir(path);
}

/* folder/stem.extension here or beside the program. */
static bool find_in(bool is_here, const char *folder, const char *stem, const char *extension,
                    char *out)
{
    char relative[512], dir[MODEL_PATH] = "";
    int n = snprintf(relative, sizeof relative, "%s/%s.%s", folder, stem, extension);
    bool is_found = n > 0 && (size_t)n < sizeof relative &&
                    (is_here || program_dir(dir, sizeof dir)) &&
                    path_join(out, MODEL_PATH, dir, relative) && is_file(out);
    out[0] = is_found ? out[0] : '\0';
    return is_found;
}

bool model_find_bundled(const char *folder, const char *stem, const char *extension, char *out)
{
    return find_in(true, folder, stem, extension, out) ||
           find_in(false, folder, stem, extension, out);
}

bool model_find_own(const char *folder, const char *stem, const char *extension, char *out)
{
    return find_in(false, folder, stem, extension, out) ||
           find_in(true, folder, stem, extension, out);
}

/* stem.extension in the folder of `sibling`. */
static bool find_beside(const char *sibling, const char *stem, const char *extension, char *out)
{
    char dir[MODEL_PATH], name[512];
    dir_of(sibling, dir, sizeof dir);
    int n = snprintf(name, sizeof name, "%s.%s", stem, extension);
    if (n > 0 && (size_t)n < sizeof name && path_join(out, MODEL_PATH, dir, name) && is_file(out)) {
        return true;
    }
    out[0] = '\0';
    return false;
}

static enum result set_path(char *out, const char *path, struct error *err)
{
    if (!path_join(out, MODEL_PATH, "", path)) {
        return error_set(err, ERR_ARG, "path too long: %.80s...", path);
    }
    return OK;
}

/* ---- which cfg and weights ---- */

static bool is_official(const char *stem)
{
    for (size_t i = 0; i < OFFICIAL_COUNT; i++) {
        if (strcmp(stem, official_stems[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Darknet's training names its results STEM_best, STEM_last, STEM_1000. */
static void strip_training_suffix(char *stem)
{
    char *mark = strrchr(stem, '_');
    if (mark && mark != stem) {
        *mark = '\0';
    }
}

static enum result choose_explicit(const struct model_args *args, enum model_need need,
                                   struct model *model, struct error *err)
{
    char stem[256];
    TRY(option_need_file("cfg", args->cfg, err));
    TRY(option_need_file("weights", args->weights, err));
    if (args->cfg) {
        TRY(set_path(model->cfg_path, args->cfg, err));
    }
    if (args->weights) {
        TRY(set_path(model->weights_path, args->weights, err));
    }
    if (!args->cfg) {
        path_stem(args->weights, stem, sizeof stem);
        for (int attempt = 0; attempt < 2; attempt++) {
            if (find_beside(args->weights, stem, "cfg", model->cfg_path) ||
                model_find_bundled("cfg", stem, "cfg", model->cfg_path)) {
                return OK;
            }
            strip_training_suffix(stem);
        }
        path_stem(args->weights, stem, sizeof stem);
        return error_set(err, ERR_ARG,
                         "%s: no cfg to these weights: neither %s.cfg beside them nor cfg/%s.cfg "
                         "(name it with --cfg FILE)",
                         args->weights, stem, stem);
    }
    path_stem(args->cfg, stem, sizeof stem);
    if (args->weights || need <= MODEL_TRAIN ||
        find_beside(args->cfg, stem, "weights", model->weights_path) ||
        model_find_bundled("weights", stem, "weights", model->weights_path) || need == MODEL_ANY) {
        return OK;
    }
    return error_set(err, ERR_ARG,
                     "%s: no weights to this cfg: neither %s.weights beside it nor "
                     "weights/%s.weights (name them with --weights FILE)",
                     args->cfg, stem, stem);
}

static enum result choose_stem(const char *stem, enum model_need need, struct model *model,
                               struct error *err)
{
    if (!model_find_bundled("cfg", stem, "cfg", model->cfg_path)) {
        return error_set(err, ERR_ARG,
                         "--model %s: no cfg/%s.cfg here nor beside the program (or name files "
                         "with --cfg and --weights)",
                         stem, stem);
    }
    if (!model_find_bundled("weights", stem, "weights", model->weights_path) &&
        need >= MODEL_PARTIAL) {
        return error_set(err, ERR_ARG,
                         "--model %s: no weights/%s.weights here nor beside the program (get the "
                         "official ones with scripts/get-weights.sh %s)",
                         stem, stem, stem);
    }
    return OK;
}

/* The one file in dir with that extension. */
static enum result find_only(const char *dir, const char *extension, char *out, struct error *err)
{
    struct listing listing;
    size_t found = 0;
    enum result result = listing_read(dir, &listing, err);
    for (size_t i = 0; i < listing.count; i++) {
        const char *name = listing.entries[i].name;
        found += path_ends_in(name, extension) && path_join(out, MODEL_PATH, dir, name);
    }
    listing_free(&listing);
    TRY(result);
    if (found != 1) {
        out[0] = '\0';
        return error_set(err, ERR_ARG, "%s: %zu %s files where a training run has one", dir, found,
                         extension);
    }
    return OK;
}

enum result model_run_names(const char *run, char ***names, size_t *count, struct error *err)
{
    char path[MODEL_PATH];
    TRY(find_only(run, ".names", path, err));
    return names_read(path, names, count, err);
}

static enum result choose_run(const char *dir, enum model_need need, struct model *model,
                              struct error *err)
{
    TRY(find_only(dir, ".cfg", model->cfg_path, err));
    struct error no_names;
    if (find_only(dir, ".names", model->names_path, &no_names) != OK) {
        log_debug("%s", no_names.text);
    }
    static const char *const candidates[] = {"best.weights", "last.weights"};
    for (size_t i = 0; i < 2; i++) {
        if (path_join(model->weights_path, MODEL_PATH, dir, candidates[i]) &&
            is_file(model->weights_path)) {
            return OK;
        }
    }
    model->weights_path[0] = '\0';
    if (need >= MODEL_PARTIAL) {
        return error_set(err, ERR_ARG, "%s: neither best.weights nor last.weights", dir);
    }
    return OK;
}

static enum result choose_default(enum model_need need, struct model *model, struct error *err)
{
    if (need == MODEL_TRAIN) {
        if (model_find_bundled("cfg", bundled_stem, "cfg", model->cfg_path)) {
            (void)model_find_bundled("weights", bundled_stem, "weights", model->weights_path);
            return OK;
        }
        return error_set(err, ERR_ARG,
                         "which network? There is no cfg/%s.cfg (name one with --cfg FILE)",
                         bundled_stem);
    }
    for (size_t i = 0; i <= OFFICIAL_COUNT; i++) {
        const char *stem = i < OFFICIAL_COUNT ? official_stems[i] : bundled_stem;
        if (model_find_bundled("weights", stem, "weights", model->weights_path) &&
            model_find_bundled("cfg", stem, "cfg", model->cfg_path)) {
            return OK;
        }
    }
    model->weights_path[0] = '\0';
    for (size_t i = 0; need <= MODEL_ANY && i < OFFICIAL_COUNT; i++) {
        if (model_find_bundled("cfg", official_stems[i], "cfg", model->cfg_path)) {
            return OK;
        }
    }
    model->cfg_path[0] = '\0';
    return error_set(err, ERR_ARG,
                     "no model: weights/ holds none, and none was named (get one with "
                     "scripts/get-weights.sh, or use --cfg FILE --weights FILE --names FILE)");
}

static enum result choose_files(const struct model_args *args, enum model_need need,
                                struct model *model, struct error *err)
{
    int ways = (args->cfg || args->weights) + (args->model != NULL) + (args->run != NULL);
    if (ways > 1) {
        return error_set(
            err, ERR_ARG,
            "the model is named in more than one way: use --cfg/--weights, or --model, "
            "or --run");
    }
    if (args->run) {
        TRY(option_need_folder("run", args->run, err));
        return choose_run(args->run, need, model, err);
    }
    if (args->model &&
        (path_ends_in(args->model, ".cfg") || path_ends_in(args->model, ".weights"))) {
        struct model_args files = *args;
        *(path_ends_in(args->model, ".cfg") ? &files.cfg : &files.weights) = args->model;
        return choose_explicit(&files, need, model, err);
    }
    if (args->model) {
        return choose_stem(args->model, need, model, err);
    }
    if (ways) {
        return choose_explicit(args, need, model, err);
    }
    return choose_default(need, model, err);
}

/* ---- names ---- */

static enum result names_of_data(const char *data, char *out, struct error *err)
{
    struct data_file file;
    enum result result = data_source_read(data, &file, err);
    result = result == OK ? data_file_need(&file, DATA_NAMES, err) : result;
    result = result == OK ? set_path(out, file.names, err) : result;
    data_file_free(&file);
    return result;
}

/* How many names a file holds; 0 if it cannot be read. */
static size_t count_names(const char *path)
{
    struct error unread;
    char **names = NULL;
    size_t count = 0;
    if (names_read(path, &names, &count, &unread) != OK) {
        log_debug("%s", unread.text);
        return 0;
    }
    mem_free(names);
    return count;
}

/* A list under another name in the cfg's folder, if exactly one there has as many names as the network
 * has classes. Lists that carry the name of another cfg are that one's. */
static enum result find_fitting_names(const struct model *model, char *out, struct error *err)
{
    char dir[MODEL_PATH], path[MODEL_PATH], stem[256], owner[MODEL_PATH];
    dir_of(model->cfg_path, dir, sizeof dir);
    struct listing listing;
    size_t found = 0;
    enum result result = listing_read(dir[0] ? dir : ".", &listing, err);
    for (size_t i = 0; i < listing.count && result == OK; i++) {
        const char *name = listing.entries[i].name;
        path_stem(name, stem, sizeof stem);
        if (path_ends_in(name, ".names") && path_join(path, sizeof path, dir, name) &&
            !find_beside(path, stem, "cfg", owner) && count_names(path) == model->name_count) {
            found++;
            memcpy(out, path, sizeof path);
        }
    }
    listing_free(&listing);
    if (result != OK) {
        return error_hint(err, "the class names are looked for there; name them: --names FILE");
    }
    if (found == 1) {
        log_info("names: %s, as it is the one list of %zu names beside the cfg", out,
                 model->name_count);
    } else {
        out[0] = '\0';
    }
    return OK;
}

static bool find_where_models_live(const char *stem, char *out)
{
    static const char *const folders[] = {"weights", "cfg", "data"};
    bool is_found = false;
    for (size_t i = 0; i < 3 && !is_found; i++) {
        is_found = model_find_bundled(folders[i], stem, "names", out);
    }
    return is_found;
}

/* STEM.names beside the weights or the cfg, or in the folders where models live; else the one list beside
 * the cfg that fits; else COCO's for the published models. */
static enum result find_names(struct model *model, struct error *err)
{
    char stem[256], weights_stem[256];
    path_stem(model->cfg_path, stem, sizeof stem);
    path_stem(model->weights_path, weights_stem, sizeof weights_stem);
    char *out = model->names_path;
    if ((weights_stem[0] && find_beside(model->weights_path, weights_stem, "names", out)) ||
        find_beside(model->cfg_path, stem, "names", out)) {
        return OK;
    }
    if (find_where_models_live(stem, out)) {
        return OK;
    }
    TRY(find_fitting_names(model, out, err));
    if (!out[0] && is_official(stem) && model->name_count == OFFICIAL_CLASSES) {
        (void)find_where_models_live("coco", out);
    }
    return OK;
}

/* A folder with a run's args.json: its weights are best.weights, last.weights and so on. */
static bool find_run_names(const char *weights, char *out)
{
    char dir[MODEL_PATH], args[MODEL_PATH];
    struct error no_names;
    if (!find_beside(weights, "args", "json", args)) {
        return false;
    }
    dir_of(weights, dir, sizeof dir);
    return find_only(dir[0] ? dir : ".", ".names", out, &no_names) == OK;
}

bool model_find_weights_cfg(const char *weights, char *out)
{
    char dir[MODEL_PATH], args[MODEL_PATH];
    struct error none;
    out[0] = '\0';
    if (!find_beside(weights, "args", "json", args)) {
        return false;
    }
    dir_of(weights, dir, sizeof dir);
    return find_only(dir[0] ? dir : ".", ".cfg", out, &none) == OK;
}

bool model_find_weights_names(const char *weights, int classes, char *out)
{
    char stem[256];
    if (find_run_names(weights, out)) {
        return true;
    }
    path_stem(weights, stem, sizeof stem);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (find_beside(weights, stem, "names", out) || find_where_models_live(stem, out)) {
            return true;
        }
        if (is_official(stem) && classes == OFFICIAL_CLASSES &&
            (find_beside(weights, "coco", "names", out) || find_where_models_live("coco", out))) {
            return true;
        }
        strip_training_suffix(stem);
    }
    out[0] = '\0';
    return false;
}

/* The same layout as names_read: pointers and text in one block. */
static enum result copy_names(char *const *from, size_t count, struct model *model,
                              struct error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(from[i]) + 1;
    }
    char **names = mem_alloc(1, count * sizeof *names + bytes);
    if (!names) {
        return mem_error(err, "class names");
    }
    char *text = (char *)(names + count);
    for (size_t i = 0; i < count; i++) {
        names[i] = strcpy(text, from[i]);
        text += strlen(from[i]) + 1;
    }
    model->names = names;
    model->name_count = count;
    return OK;
}

static enum result number_names(struct model *model, struct error *err)
{
    enum { NAME_BYTES = 24 };
    size_t count = model->name_count;
    char **names = mem_alloc(count, sizeof *names + NAME_BYTES);
    if (!names) {
        return mem_error(err, "class names");
    }
    char *text = (char *)(names + count);
    for (size_t i = 0; i < count; i++) {
        names[i] = text + i * NAME_BYTES;
        snprintf(names[i], NAME_BYTES, "class_%d", (int)i);
    }
    model->names = names;
    return OK;
}

/* Names of the data are for a model that has none of its own. */
static enum result find_any_names(const struct model_args *args, enum model_need need,
                                  struct model *model, struct error *err)
{
    TRY(option_need_file("names", args->names, err));
    if (args->names) {
        return set_path(model->names_path, args->names, err);
    }
    if (args->data) {
        return names_of_data(args->data, model->names_path, err);
    }
    bool looks = !model->names_path[0] && !args->class_names && need != MODEL_CFG_ONLY;
    return looks && model->name_count > 0 ? find_names(model, err) : OK;
}

/* 0: none, and names mean nothing. Values that are not classes may be called so. */
static size_t class_count(const struct model *model)
{
    const struct shape *out = &model->net.layers[model->net.layer_count - 1].out;
    bool has_values =
        model->task == TASK_CLASSIFY || (model->task == TASK_REGRESS && out->h == 1 && out->w == 1);
    return model->head ? (size_t)model->head->classes : has_values ? task_values(&model->net) : 0;
}

static enum result open_names(const struct model_args *args, enum model_need need,
                              struct model *model, struct error *err)
{
    size_t classes = class_count(model);
    model->name_count = model->task == TASK_REGRESS ? 0 : classes;
    if (classes == 0) {
        return OK;
    }
    TRY(find_any_names(args, need, model, err));
    const char *path = model->names_path;
    bool fits = model->task != TASK_REGRESS || args->class_name_count == classes;
    bool has_folders = args->class_names && !model->head && fits;
    if (!path[0] && !has_folders) {
        return model->name_count > 0 ? number_names(model, err) : OK;
    }
    if (path[0]) {
        TRY(names_read(path, &model->names, &model->name_count, err));
    } else {
        TRY(copy_names(args->class_names, args->class_name_count, model, err));
        path = args->class_folder;
    }
    if (model->name_count != classes) {
        return error_at(err, ERR_FORMAT, path, 0, "%zu %s%s, but the network of %s has %zu classes",
                        model->name_count, model->names_path[0] ? "name" : "class folder",
                        model->name_count == 1 ? "" : "s", model->cfg_path, classes);
    }
    model->task = model->task == TASK_REGRESS ? TASK_CLASSIFY : model->task;
    return OK;
}

/* ---- parameters ---- */

/* He's initialisation (He et al. 2015, arXiv:1502.01852), uniform, from a fixed seed: activations
 * stay around one through any depth, so timings are those of a real model. */
static void randomise(struct network *net)
{
    unsigned state = 1;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            const struct param *param = &l->params[k];
            if (strcmp(param->role, "weights") != 0) {
                continue;
            }
            double fan_in = (double)param->count / (l->out.c > 0 ? l->out.c : 1);
            float limit = (float)sqrt(6 / (fan_in >= 1 ? fan_in : 1));
            for (size_t j = 0; j < param->count; j++) {
                state = state * 1664525u + 1013904223u;
                param->data[j] = limit * ((float)(state >> 8) / 8388608.0f - 1.0f);
            }
        }
    }
}

static enum result open_parameters(enum model_need need, struct model *model, struct error *err)
{
    struct network *net = &model->net;
    if (!model->weights_path[0]) {
        TRY(network_allocate(net, err));
        randomise(net);
        return OK;
    }
    TRY(weights_open(model->weights_path, net, &model->weights, err));
    if (net->loaded_layers >= net->layer_count) {
        return OK;
    }
    if (need == MODEL_WHOLE) {
        return error_at(err, ERR_FORMAT, model->weights_path, 0,
                        "ends after layer %d of %d: a start for training, not a model",
                        net->loaded_layers - 1, net->layer_count);
    }
    log_warn("%s: ends after layer %d; the other layers keep their initial values",
             model->weights_path, net->loaded_layers - 1);
    return OK;
}

enum result model_load(struct model *model, struct error *err)
{
    if (!model->weights) {
        return OK;
    }
    TRY(network_allocate(&model->net, err));
    for (int i = 0; i < model->net.layer_count; i++) {
        TRY(weights_read_next(model->weights, &model->net, err));
    }
    weights_close(model->weights);
    model->weights = NULL;
    return OK;
}

/* ---- quantisation ---- */

static const char quant_extension[] = ".int8";

enum result model_quant_path(const char *weights, char *out, struct error *err)
{
    int stem = (int)path_stem_length(weights);
    int n = snprintf(out, MODEL_PATH, "%.*s%s", stem, weights, quant_extension);
    return n > 0 && n < MODEL_PATH ? OK : error_set(err, ERR_ARG, "%s: path too long", weights);
}

/* Random numbers have no file; whoever measures with them finds scales himself. */
static enum result open_quant(const struct model_args *args, struct model *model, struct error *err)
{
    char path[MODEL_PATH];
    if (args->precision != PRECISION_INT8 || !model->weights_path[0]) {
        return OK;
    }
    TRY(model_quant_path(model->weights_path, path, err));
    if (!is_file(path)) {
        return error_set(err, ERR_ARG,
                         "--precision int8: there is no %s (make it with: yolo quantize --cfg %s "
                         "--weights %s --data DATA)",
                         path, model->cfg_path, model->weights_path);
    }
    TRY(quant_read(path, &model->quant, err));
    TRY(model_load(model, err)); /* it has a hash of them */
    TRY(quant_check(&model->quant, &model->net, path, err));
    log_info("int8: %s, calibrated on %d pictures at %dx%d", path, model->quant.pictures,
             model->quant.width, model->quant.height);
    return OK;
}

static void report(enum model_need need, const struct model *model)
{
    const char *weights = model->weights_path;
    if (need == MODEL_CFG_ONLY) {
        log_info("model: %s", model->cfg_path);
        return;
    }
    if (!weights[0]) {
        weights = "none (random numbers stand in)";
    }
    if (model->name_count == 0) {
        log_info("model: %s, weights %s, no classes (%s)", model->cfg_path, weights,
                 task_name(model->task));
    } else {
        log_info("model: %s, weights %s, %zu classes, names %s", model->cfg_path, weights,
                 model->name_count, model->names_path[0] ? model->names_path : "none (class_0...)");
    }
}

/* ---- the size at which a run was trained ---- */

/* The cfg in a run's folder is that of the command line, whose --imgsz is in args.json alone. Keeps args where it had none. */
static enum result read_run_size(const char *run, struct model_args *args, struct error *err)
{
    char path[MODEL_PATH], word[48];
    uint64_t given = 0;
    cJSON *root;
    if (!path_join(path, sizeof path, run, "args.json") || !is_file(path)) {
        return OK;
    }
    TRY(run_args_load(run, &root, err));
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "imgsz"));
    enum result result = OK;
    if (text && strcmp(text, "0x0") != 0) {
        snprintf(word, sizeof word, "imgsz=%s", text);
        result = options_assign(model_options, args, &given, word, err);
    }
    cJSON_Delete(root);
    return result == OK ? OK : error_prefix(err, "%s", path);
}

/* A detector is used, and its thresholds hold, at the size at which it was trained and validated. A training that begins
 * with a run's weights says its own size, which its own args.json keeps. */
static void take_run_size(enum model_need need, struct model_args *args)
{
    struct error why;
    if (!args->run || args->imgsz.w || need == MODEL_TRAIN) {
        return;
    }
    if (read_run_size(args->run, args, &why) != OK) {
        log_warn("%s (the input's size is the cfg's)", why.text);
    } else if (args->imgsz.w) {
        log_info("input: %dx%d, as the run was trained (--imgsz)", args->imgsz.w, args->imgsz.h);
    }
}

/* ---- the whole ---- */

bool weights_are_none(const char *weights)
{
    return weights && strcmp(weights, "none") == 0;
}

enum result model_open(const struct model_args *args, enum model_need need, struct model *model,
                       struct error *err)
{
    struct model_args named = *args;
    bool is_random = weights_are_none(args->weights);
    if (is_random && need >= MODEL_PARTIAL) {
        return error_set(err, ERR_ARG,
                         "--weights none: random numbers are for train and bench; "
                         "this takes a model (a file of that name is ./none)");
    }
    named.weights = is_random ? NULL : args->weights;
    parallel_set_threads(args->threads);
    image_choose_jpeg((enum image_jpeg)args->jpeg);
    TRY(kernels_select(args->cpu, &model->kernels, err));
    if (args->no_winograd) {
        model->kernels = kernels_direct(model->kernels);
    }
    TRY(choose_files(&named, need, model, err));
    if (is_random) {
        model->weights_path[0] = '\0';
    }
    take_run_size(need, &named);
    TRY(network_read(model->cfg_path, named.imgsz.w, named.imgsz.h, &model->net, err));
    model->head = network_head(&model->net);
    model->task = task_of(&model->net);
    TRY(open_names(args, need, model, err));
    if (need > MODEL_TRAIN) {
        TRY(open_parameters(need, model, err));
        TRY(open_quant(args, model, err));
    }
    if (need != MODEL_TRAIN) { /* the command has more to say */
        report(need, model);
    }
    return OK;
}

void model_close(struct model *model)
{
    weights_close(model->weights);
    network_free(&model->net);
    quant_free(&model->quant);
    mem_free(model->names);
    *model = (struct model){0};
}

bool model_is_bundled(const struct model *model)
{
    char path[MODEL_PATH];
    struct stat bundled, own;
    return model_find_bundled("weights", bundled_stem, "weights", path) &&
           stat(path, &bundled) == 0 && stat(model->weights_path, &own) == 0 &&
           bundled.st_dev == own.st_dev && bundled.st_ino == own.st_ino;
}

void model_stem(const struct model *model, char *stem, size_t size)
{
    path_stem(model->cfg_path, stem, size);
}

enum result model_check_pictures(const struct network *net, struct error *err)
{
    if (image_check_channels(net->size.c, err) == OK) {
        return OK;
    }
    struct cfg_section *section = &net->cfg.sections[0];
    return error_prefix(err, "%.300s:%d: [%.60s] channels", section->path,
                        cfg_find(section, "channels")->line, section->name);
}

enum result model_plan(struct model *model, int batch, bool keep_outputs, struct plan **plan,
                       struct error *err)
{
    struct plan_options options = {.batch = batch,
                                   .keep_outputs = keep_outputs,
                                   .release_weights = true,
                                   .weights = model->weights,
                                   .quant = model->quant.layers ? &model->quant : NULL};
    return plan_build(&model->net, model->kernels, &options, plan, err);
}

enum result model_plan_beside(struct model *model, const struct plan *packed, struct plan **plan,
                              struct error *err)
{
    struct plan_options options = {
        .batch = 1, .packed = packed, .quant = model->quant.layers ? &model->quant : NULL};
    return plan_build(&model->net, model->kernels, &options, plan, err);
}
