#include "cli/cmd.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "cfg/data_file.h"
#include "base/text.h"
#include "train/freeze.h"
#include "doctor/init_cfg.h"
#include "doctor/init_data.h"
#include "run/model.h"
#include "data/inputs.h"
#include "net/backbone.h"
#include "net/weights.h"

enum { TUNING_PASSES = 100, NAMES_MAX_BYTES = 16 * 1024 * 1024 };

static const float frozen_share = 0.3f; /* of the passes, in the first stage */

struct init_args {
    const char *names, *base, *weights, *out, *freeze, *data;
    struct init_data_args sets;
    struct option_size imgsz;
    int batch, subdivisions, max_batches, epochs, anchors;
};

#define FIELD(name) offsetof(struct init_args, name)

static const struct option init_options[] = {
    {"names", OPTION_STRING, FIELD(names), 0, 0, "FILE", "your classes, one name a line", 0},
    {"base|cfg|model", OPTION_STRING, FIELD(base), 0, 0, "STEM|FILE",
     "the network to begin from: yolov4-tiny is cfg/yolov4-tiny.cfg, or a .cfg", 0},
    {"weights", OPTION_STRING, FIELD(weights), 0, 0, "FILE",
     "weights of the base, whole or cut; default: weights/STEM.weights if it is there; none = begin "
     "with random numbers",
     0},
    {"freeze", OPTION_STRING, FIELD(freeze), 0, 0, "SET",
     "also write stages.json: first this set is frozen, then all layers are tuned. " FREEZE_HELP,
     0},
    {"out", OPTION_STRING, FIELD(out), 0, 0, "DIR",
     "folder to write; default: the names file's name without its ending", 'o'},
    {0},
};

static const struct option init_data_options[] = {
    {"data-dir", OPTION_STRING, FIELD(sets.folder), 0, 0, "DIR",
     "folder of the pictures: with lists train.txt and val.txt, folders train and val or valid, also "
     "below images, or just pictures; Train, train2017, validation, test are understood",
     0},
    {"train", OPTION_STRING, FIELD(sets.train), 0, 0, "FILE",
     "a list of pictures, a folder or a COCO .json to train on", 0},
    {"valid|val", OPTION_STRING, FIELD(sets.valid), 0, 0, "FILE", "the same for validation", 0},
    {"data", OPTION_STRING, FIELD(data), 0, 0, "FILE",
     "take train=, valid= and names= from this .data file", 0},
    {"split", OPTION_FLOAT, FIELD(sets.split), 0, 0.9, "SHARE",
     "of the pictures that validate where no others do; 0 = none", 0},
    {0},
};

static const struct option init_training_options[] = {
    {"imgsz|img-size|img", OPTION_SIZE, FIELD(imgsz), 32, 8192, "N|WxH",
     "network input size; default: the base's", 0},
    {"anchors", OPTION_CHOICE, FIELD(anchors), 0, 0, "keep|auto|new",
     "of the training boxes (yolo anchors): never, if they are worth it, always", 0},
    {"batch", OPTION_INT, FIELD(batch), 1, 65536, "N", "pictures per update; default: the base's",
     0},
    {"subdivisions", OPTION_INT, FIELD(subdivisions), 1, 65536, "N",
     "mini-batches per update; default: the base's", 0},
    {"max-batches|iters", OPTION_INT, FIELD(max_batches), 1, 1e9, "N",
     "length in updates; default: Darknet's rule, 2000 a class, at least 6000 and at least the number "
     "of pictures; where that is over 300 passes over the pictures, 300 passes, but at least 500 updates",
     0},
    {"epochs", OPTION_INT, FIELD(epochs), 1, 1e6, "N", "length in passes over the pictures", 0},
    {0},
};

static const char about[] =
    "What a training of your own classes needs, from a base network: a cfg, a .data file and the\n"
    "names, in a folder of their own; with --freeze also a plan of two stages. In the cfg change\n"
    "classes, filters of the convolutions in front of the heads, max_batches, steps, burn_in where it\n"
    "is more than a tenth of the run, anchors and masks where new anchors are worth it or the base's\n"
    "masks skip one, and what options ask for; all else, comments too, stays as it is.\n"
    "Prints the cfg's changes as a diff and the commands that follow. Never replaces a file.\n";

struct init {
    const struct init_args *args;
    char folder[INIT_PATH], stem[256];
    char base_path[MODEL_PATH], base_stem[256], weights[MODEL_PATH];
    char **names;
    size_t name_count;
    struct data_file given; /* --data */
    struct init_data data;
    struct network base, net;
    struct init_cfg cfg;
    struct freeze_set freeze; /* zeroed without --freeze */
    int first_head; /* layer of the base from which on weights for other classes do not fit */
};

/* ---- inputs ---- */

static bool is_cfg_path(const char *text)
{
    size_t length = strlen(text);
    return strchr(text, '/') || (length > 4 && strcmp(text + length - 4, ".cfg") == 0);
}

static enum result open_base(struct init *init, struct error *err)
{
    const char *base = init->args->base;
    if (is_cfg_path(base)) {
        if (!path_exists(base) || !path_join(init->base_path, MODEL_PATH, "", base)) {
            return error_set(err, ERR_ARG, "--base %.200s: no such file", base);
        }
    } else if (!model_find_bundled("cfg", base, "cfg", init->base_path)) {
        return error_set(
            err, ERR_ARG,
            "--base %.200s: no cfg/%.200s.cfg here nor beside the program (yolov4-tiny, "
            "yolov4, yolov3 and others are; or name a .cfg)",
            base, base);
    }
    path_stem(init->base_path, init->base_stem, sizeof init->base_stem);
    TRY(network_read(init->base_path, 0, 0, &init->base, err));
    return model_check_pictures(&init->base, err);
}

/* The files are called as the folder is; "." has no name, there they are called as the names file.
 */
static enum result settle_folder(struct init *init, const struct init_args *args, struct error *err)
{
    path_stem(args->names, init->stem, sizeof init->stem);
    if (!path_join(init->folder, sizeof init->folder, "", args->out ? args->out : init->stem)) {
        return error_set(err, ERR_ARG, "--out: path too long");
    }
    size_t length = strlen(init->folder);
    while (length > 1 && init->folder[length - 1] == '/') {
        init->folder[--length] = '\0';
    }
    const char *base = path_base(init->folder);
    if (args->out && *base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0) {
        snprintf(init->stem, sizeof init->stem, "%s", base);
    }
    return OK;
}

static enum result read_names(struct init *init, struct init_args *args, struct error *err)
{
    if (args->data) {
        TRY(data_file_read(args->data, &init->given, err));
        const struct data_file *given = &init->given;
        args->names = args->names ? args->names : given->names;
        args->sets.train = args->sets.train ? args->sets.train : given->train;
        args->sets.valid = args->sets.valid ? args->sets.valid : given->valid;
    }
    if (!args->names) {
        return error_set(err, ERR_ARG,
                         "init: --names FILE is missing: your classes, one name a line");
    }
    if (!path_exists(args->names)) {
        return error_set(err, ERR_ARG, "--names %.200s: no such file", args->names);
    }
    TRY(names_read(args->names, &init->names, &init->name_count, err));
    return settle_folder(init, args, err);
}

static enum result settle_freeze(struct init *init, struct error *err)
{
    if (!init->args->freeze) {
        return OK;
    }
    TRY(freeze_set_make(&init->net, init->args->freeze, BN_AUTO, NULL, &init->freeze, err));
    if (init->freeze.totals.frozen == 0) {
        return error_set(err, ERR_ARG, "--freeze %.200s freezes nothing, so there are no stages",
                         init->args->freeze);
    }
    return freeze_set_check(&init->freeze, err);
}

static enum result find_head(struct init *init, struct error *err)
{
    const struct network *net = &init->base;
    enum net_part *parts = mem_alloc((size_t)net->layer_count, sizeof *parts);
    if (!parts) {
        return mem_error(err, "init");
    }
    enum result result = parts_find(net, parts, err);
    while (result == OK && init->first_head < net->layer_count &&
           parts[init->first_head] != PART_HEAD) {
        init->first_head++;
    }
    mem_free(parts);
    return result;
}

/* The weights that the printed command begins with: proved to fit. */
static enum result settle_weights(struct init *init, struct error *err)
{
    int classes;
    if (weights_are_none(init->args->weights)) {
        return OK;
    }
    if (init->args->weights) {
        if (!path_exists(init->args->weights)) {
            return error_set(err, ERR_ARG, "--weights %.200s: no such file", init->args->weights);
        }
        snprintf(init->weights, sizeof init->weights, "%s", init->args->weights);
    } else if (!model_find_bundled("weights", init->base_stem, "weights", init->weights)) {
        return OK;
    }
    bool *is_loaded = mem_alloc((size_t)init->net.layer_count, sizeof *is_loaded);
    enum result result = is_loaded ? OK : mem_error(err, "init");
    result = result == OK ? network_allocate(&init->net, err) : result;
    if (result == OK) {
        result = weights_load_transfer(init->weights, &init->net, is_loaded, &classes, err);
    }
    for (int i = 0; result == OK && init->freeze.frozen && i < init->net.layer_count; i++) {
        if (init->freeze.frozen[i] && init->net.layers[i].param_count > 0 && !is_loaded[i]) {
            log_warn(
                "layer %d is in --freeze %s, but %s ends before it: it would be frozen as random "
                "numbers",
                i, init->args->freeze, init->weights);
            break;
        }
    }
    mem_free(is_loaded);
    return result;
}

static enum result make_cfg(struct init *init, struct error *err)
{
    const struct init_args *args = init->args;
    const struct init_wish wish = {
        .classes = (int)init->name_count,
        .width = args->imgsz.w,
        .height = args->imgsz.h,
        .batch = args->batch,
        .subdivisions = args->subdivisions,
        .max_batches = args->max_batches,
        .passes = args->epochs,
        .images = init->data.train_count,
        .anchors = (enum init_anchors)args->anchors,
        .set = &init->data.set,
    };
    char path[INIT_PATH + 300];
    if (args->epochs && args->max_batches) {
        return error_set(err, ERR_ARG, "--epochs and --max-batches both say how long (give one)");
    }
    if ((args->epochs || args->anchors != ANCHORS_KEEP) && !init->data.train[0]) {
        return error_set(err, ERR_ARG, "%s needs the pictures: --data-dir, --train or --data",
                         args->epochs ? "--epochs" : "--anchors");
    }
    const struct net_options *base = &init->base.options;
    TRY(update_check(args->batch ? args->batch : base->batch,
                     args->subdivisions ? args->subdivisions : base->subdivisions, err));
    snprintf(path, sizeof path, "%s/%s.cfg", init->folder, init->stem);
    TRY(init_cfg_make(&init->base, &wish, path, &init->cfg, err));
    return network_parse(path, init->cfg.text.bytes, init->cfg.text.size, 0, 0, &init->net, err);
}

/* ---- files ---- */

enum { FILE_CFG, FILE_DATA, FILE_NAMES, FILE_STAGES, FILE_TRAIN, FILE_VALID, FILE_COUNT };

static bool is_wanted(const struct init *init, int file)
{
    return file == FILE_STAGES                        ? init->freeze.frozen != NULL
           : file == FILE_TRAIN || file == FILE_VALID ? init->data.is_split
                                                      : true;
}

static void file_path(const struct init *init, int file, char *out, size_t size)
{
    static const char *const names[FILE_COUNT] = {".cfg",        ".data",     ".names",
                                                  "stages.json", "train.txt", "valid.txt"};
    snprintf(out, size, "%s/%s%s", init->folder, file < FILE_STAGES ? init->stem : "", names[file]);
}

static void write_data(const struct init *init, FILE *out)
{
    const struct init_data *data = &init->data;
    bool is_ours = data->is_split || !data->train[0];
    data_file_write(out, init->name_count, is_ours ? "train.txt" : data->train,
                    data->valid[0] ? data->valid
                    : is_ours      ? "valid.txt"
                                   : NULL,
                    init->stem);
}

/* A list is a path a line. */
static void write_path(FILE *out, const char *path)
{
    if (text_fits_list(path)) {
        fprintf(out, "%s\n", path);
    } else {
        log_warn("%s: lists cannot hold control characters (left out: give the file another name)",
                 path);
    }
}

static void write_list(const struct init *init, bool is_valid, FILE *out)
{
    for (size_t i = 0; i < init->data.set.sample_count; i++) {
        if (init->data.is_valid[i] == is_valid) {
            write_path(out, init->data.set.samples[i].image_path);
        }
    }
}

/* First the set stands still at the cfg's rate, then everything is tuned at a tenth of it with the
 * stored statistics. Together 100 passes over the pictures, or fewer if the cfg's length is
 * shorter. */
static void write_stages(const struct init *init, FILE *out)
{
    const struct net_options *o = &init->net.options;
    size_t images = init->data.train_count;
    double updates = init->cfg.length.updates;
    double per_pass =
        images > 0 ? (double)epoch_updates(images, (uint64_t)init->cfg.length.images) : 1;
    double passes = updates / per_pass;
    bool is_told = init->args->max_batches || init->args->epochs;
    if (images > 0 && passes > TUNING_PASSES && !is_told) {
        passes = TUNING_PASSES;
    }
    int first = (int)(passes * (double)frozen_share + 0.5);
    first = first < 1 ? 1 : first;
    int second = (int)(passes + 0.5) - first;
    second = second < 1 ? 1 : second;
    int warmup = o->burn_in;
    if (warmup > first * per_pass / 10) {
        warmup = (int)(first * per_pass / 10);
    }
    const char *unit = images > 0 ? "epochs" : "iters";
    fprintf(
        out,
        "[\n  {\"freeze\": \"%s\", \"%s\": %d, \"lr\": %.6g, \"policy\": \"cosine\", \"warmup\": "
        "%d},\n",
        init->args->freeze, unit, first, (double)o->learning_rate, warmup);
    fprintf(out,
            "  {\"freeze\": \"none\", \"bn\": \"eval\", \"%s\": %d, \"lr\": %.6g, \"policy\": "
            "\"cosine\", \"warmup\": %d}\n]\n",
            unit, second, (double)o->learning_rate / 10, warmup);
}

static enum result write_file(const struct init *init, int file, struct error *err)
{
    char path[INIT_PATH + 300];
    struct atomic_file target;
    char *bytes = NULL;
    size_t size = 0;
    if (file == FILE_NAMES) {
        TRY(file_read(init->args->names, NAMES_MAX_BYTES, &bytes, &size, err));
    }
    file_path(init, file, path, sizeof path);
    enum result result = atomic_open(&target, path, err);
    if (result != OK) {
        mem_free(bytes);
        return result;
    }
    switch (file) {
    case FILE_CFG:
        fwrite(init->cfg.text.bytes, 1, init->cfg.text.size, target.stream);
        break;
    case FILE_DATA:
        write_data(init, target.stream);
        break;
    case FILE_NAMES:
        fwrite(bytes, 1, size, target.stream);
        break;
    case FILE_STAGES:
        write_stages(init, target.stream);
        break;
    default:
        write_list(init, file == FILE_VALID, target.stream);
    }
    mem_free(bytes);
    return atomic_commit(&target, err);
}

/* All or none: what was written before a failure is taken back. */
static enum result write_files(const struct init *init, struct error *err)
{
    char path[INIT_PATH + 300];
    for (int i = 0; i < FILE_COUNT; i++) {
        file_path(init, i, path, sizeof path);
        if (is_wanted(init, i) && path_exists(path)) {
            return error_at(err, ERR_ARG, path, 0,
                            "exists, and init replaces nothing (choose another folder: --out DIR)");
        }
    }
    TRY(dir_make(init->folder, err));
    for (int i = 0; i < FILE_COUNT; i++) {
        enum result result = is_wanted(init, i) ? write_file(init, i, err) : OK;
        if (result == OK) {
            continue;
        }
        while (i-- > 0) {
            file_path(init, i, path, sizeof path);
            if (is_wanted(init, i)) {
                unlink(path);
            }
        }
        return result;
    }
    return OK;
}

/* ---- what is printed ---- */

/* A path as a word for the shell. */
static void print_word(const char *word)
{
    bool is_plain = *word != '\0', has_control = false;
    for (const char *c = word; *c; c++) {
        has_control = has_control || iscntrl((unsigned char)*c);
        is_plain = is_plain && (isalnum((unsigned char)*c) || strchr("/._-+=,:@%", *c));
    }
    if (is_plain) {
        printf(" %s", word);
        return;
    }
    printf(has_control ? " $'" : " '");
    for (const char *c = word; *c; c++) {
        if (iscntrl((unsigned char)*c)) {
            printf("\\%03o", (unsigned char)*c);
        } else if (has_control && strchr("'\\", *c)) {
            printf("\\%c", *c);
        } else {
            printf(*c == '\'' ? "'\\''" : "%c", *c);
        }
    }
    printf("'");
}

static void print_file_option(const struct init *init, const char *option, int file)
{
    char path[INIT_PATH + 300];
    file_path(init, file, path, sizeof path);
    printf(" %s", option);
    print_word(path);
}

static void print_summary(const struct init *init)
{
    const struct init_data *data = &init->data;
    char path[INIT_PATH + 300];
    printf("\n");
    for (int i = 0; i < FILE_COUNT; i++) {
        if (is_wanted(init, i)) {
            file_path(init, i, path, sizeof path);
            printf("wrote      %s\n", text_mask(path));
        }
    }
    printf("length     %d updates of %d pictures: %s\n", init->cfg.length.updates,
           init->cfg.length.images, init->cfg.length.why);
    if (init->cfg.anchors[0]) {
        printf("anchors    %s\n", init->cfg.anchors);
    }
    if (!data->train[0]) {
        printf("pictures   none named: list yours, one path a line, in %s/train.txt and "
               "%s/valid.txt;\n           the boxes of a.jpg stand in a.txt, a line each: class cx "
               "cy w h\n",
               init->folder, init->folder);
        return;
    }
    printf("pictures   %zu to train on, with %zu boxes", data->train_count, data->objects);
    if (data->is_split) {
        printf("; %zu set aside by name to validate on (--split)", data->valid_count);
    } else if (!data->valid[0]) {
        printf("; none to validate on, so there will be no best.weights");
    }
    printf("\n");
}

static void print_next(const struct init *init)
{
    bool is_random = weights_are_none(init->args->weights);
    bool has_weights = init->weights[0];
    bool is_stem = !is_random && !is_cfg_path(init->args->base);
    char weights[MODEL_PATH];
    snprintf(weights, sizeof weights, "weights/%.255s.weights", init->base_stem);
    printf("\nnext:\n");
    if (!has_weights && is_stem) {
        printf(
            "  scripts/get-weights.sh %s    # they are not here yet; --list tells what there is\n",
            init->base_stem);
    }
    if (init->data.train[0]) {
        printf("  yolo check");
        print_file_option(init, "--data", FILE_DATA);
        print_file_option(init, "--cfg", FILE_CFG);
        printf("\n");
    }
    printf("  yolo train");
    print_file_option(init, "--data", FILE_DATA);
    print_file_option(init, "--cfg", FILE_CFG);
    if (has_weights || is_stem) {
        printf(" --weights");
        print_word(has_weights ? init->weights : weights);
    }
    if (init->freeze.frozen) {
        print_file_option(init, "--stages", FILE_STAGES);
    }
    printf("\n\n");
    if (is_random) {
        printf("This begins with random numbers, as told.\n");
        return;
    }
    if (!has_weights && !is_stem) {
        printf("This begins with random numbers; --weights FILE names those of %s to begin with.\n",
               init->base_path);
    }
    printf(
        "Of weights for other classes all layers are taken but the heads; of cut ones those that "
        "are there. To cut:\n  yolo partial --cfg");
    print_word(init->base_path);
    printf(" --weights");
    print_word(has_weights ? init->weights : weights);
    printf(" --layers %d --out %s.conv.%d\n", init->first_head, init->base_stem, init->first_head);
}

/* ---- the command ---- */

static enum result make(struct init *init, struct init_args *args, struct error *err)
{
    char path[INIT_PATH + 300];
    TRY(read_names(init, args, err));
    if (!args->base) {
        return error_set(
            err, ERR_ARG,
            "init: --base is missing: yolov4-tiny, yolov4, tabletop... or a .cfg file");
    }
    TRY(open_base(init, err));
    TRY(init_data_find(&args->sets, init->name_count, &init->data, err));
    TRY(make_cfg(init, err));
    TRY(find_head(init, err));
    TRY(settle_freeze(init, err));
    TRY(settle_weights(init, err));
    TRY(write_files(init, err));
    file_path(init, FILE_CFG, path, sizeof path);
    init_cfg_diff(&init->cfg, &init->base, path, stdout);
    print_summary(init);
    print_next(init);
    return OK;
}

static enum result run_init(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct init_args args = {.sets.split = 0.1f};
    const struct usage usage = {
        .command = "init",
        .arguments = "",
        .about = about,
        .example =
            "yolo init --names my.names --base yolov4-tiny --freeze backbone --data-dir pictures",
        .groups = {{"Options", init_options, &args},
                   {"Pictures", init_data_options, &args},
                   {"Training", init_training_options, &args}},
    };
    bool done;
    TRY(options_parse_few(&usage, argc, argv, NULL, 0, &done, err));
    if (done) {
        return OK;
    }
    struct init *init = mem_alloc(1, sizeof *init);
    if (!init) {
        return mem_error(err, "init");
    }
    init->args = &args;
    enum result result = make(init, &args, err);
    freeze_set_free(&init->freeze);
    mem_free(init->names);
    init_cfg_free(&init->cfg);
    init_data_free(&init->data);
    data_file_free(&init->given);
    network_free(&init->net);
    network_free(&init->base);
    mem_free(init);
    return result;
}

const struct command cmd_init = {
    "init", "", "cfg, .data and stage plan for your classes from a base network", run_init};
