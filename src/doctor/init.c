#include "doctor/init.h"

#include <string.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/path.h"
#include "base/text.h"
#include "data/data_source.h"
#include "data/inputs.h"
#include "doctor/init_cost.h"
#include "net/backbone.h"
#include "net/weights.h"
#include "train/base_cfg.h"
#include "train/recipe.h"

enum { TUNING_PASSES = 100, UNKNOWN_PASSES = 30 };

static const float frozen_share = 0.3f; /* of the passes, in the first stage */

/* ---- inputs ---- */

static bool is_cfg_path(const char *text)
{
    size_t length = strlen(text);
    return strchr(text, '/') || (length > 4 && strcmp(text + length - 4, ".cfg") == 0);
}

static enum result open_base(struct init *init, struct error *err)
{
    const char *base = init->o.base;
    init->is_bundled = !is_cfg_path(base);
    if (!init->is_bundled) {
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

static enum result choose_base(struct init *init, struct error *err)
{
    struct init_options *o = &init->o;
    if (strcmp(o->base, "auto") != 0) {
        return OK;
    }
    init->basis = (struct init_base_basis){.set = &init->data.set,
                                           .images = init->data.train_count,
                                           .imgsz = o->imgsz,
                                           .weights = o->weights,
                                           .cores = cores_usable(),
                                           .memory = memory_limit("")};
    TRY(init_base_choose(&init->basis, &init->bases, err));
    o->base = init->bases.of[init->bases.chosen].stem;
    return OK;
}

/* The files get the folder's name; "." has none, there they get that of the names file. */
static enum result settle_folder(struct init *init, struct error *err)
{
    const struct init_options *o = &init->o;
    path_stem(o->names, init->stem, sizeof init->stem);
    if (!path_join(init->folder, sizeof init->folder, "", o->out ? o->out : init->stem)) {
        return error_set(err, ERR_ARG, "--out: path too long");
    }
    size_t length = strlen(init->folder);
    while (length > 1 && init->folder[length - 1] == '/') {
        init->folder[--length] = '\0';
    }
    const char *base = path_base(init->folder);
    if (o->out && *base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0) {
        snprintf(init->stem, sizeof init->stem, "%s", base);
    }
    return OK;
}

static enum result read_names(struct init *init, struct error *err)
{
    struct init_options *o = &init->o;
    if (o->data) {
        TRY(data_source_read(o->data, &init->given, err));
        const struct data_file *given = &init->given;
        o->names = o->names ? o->names : given->names;
        o->sets.train = o->sets.train ? o->sets.train : given->train;
        o->sets.valid = o->sets.valid ? o->sets.valid : given->valid;
    }
    if (!o->names) {
        return error_set(err, ERR_ARG,
                         "init: --names FILE is missing: your classes, one name a line");
    }
    if (!path_exists(o->names)) {
        return error_set(err, ERR_ARG, "--names %.200s: no such file", o->names);
    }
    TRY(names_read(o->names, &init->names, &init->name_count, err));
    return settle_folder(init, err);
}

bool init_advises(const struct init *init)
{
    return init->o.freeze && strcmp(init->o.freeze, "auto") == 0;
}

static enum result settle_freeze(struct init *init, struct error *err)
{
    if (!init->o.freeze || init_advises(init)) {
        return OK;
    }
    TRY(freeze_set_make(&init->net, init->o.freeze, BN_AUTO, NULL, &init->freeze, err));
    if (init->freeze.totals.frozen == 0) {
        return error_set(err, ERR_ARG, "--freeze %.200s freezes nothing, so there are no stages",
                         init->o.freeze);
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
    if (weights_are_none(init->o.weights)) {
        return OK;
    }
    if (init->o.weights) {
        if (!path_exists(init->o.weights)) {
            return error_set(err, ERR_ARG, "--weights %.200s: no such file", init->o.weights);
        }
        snprintf(init->weights, sizeof init->weights, "%s", init->o.weights);
    } else if (!model_find_bundled("weights", init->base_stem, "weights", init->weights)) {
        return OK;
    }
    size_t *loaded = mem_alloc((size_t)init->net.layer_count, sizeof *loaded);
    enum result result = loaded ? OK : mem_error(err, "init");
    result = result == OK ? network_allocate(&init->net, err) : result;
    if (result == OK) {
        result = weights_load_transfer(init->weights, &init->net, NULL, loaded, &classes, err);
    }
    for (int i = 0; result == OK && init->freeze.frozen && i < init->net.layer_count; i++) {
        if (init->freeze.frozen[i] && init->net.layers[i].param_count > 0 && loaded[i] == 0) {
            log_warn(
                "layer %d is in --freeze %s, but %s ends before it: it would be frozen as random "
                "numbers",
                i, init->o.freeze, init->weights);
            break;
        }
    }
    mem_free(loaded);
    return result;
}

static bool begins_loaded(const struct init *init)
{
    char path[MODEL_PATH];
    return !weights_are_none(init->o.weights) &&
           (init->o.weights || init->is_bundled ||
            model_find_bundled("weights", init->base_stem, "weights", path));
}

/* Batch and parts as `yolo train` chooses them, at the new size. */
static enum result settle_recipe(struct init *init, struct init_wish *wish, struct error *err)
{
    struct base_cfg known;
    struct network sized = {0};
    enum result result = base_cfg_find(&init->base.cfg, &known, err);
    init->is_known = known.stem != NULL;
    base_cfg_free(&known);
    TRY(result);
    TRY(kernels_select(NULL, &init->kernels, err));
    wish->batch = wish->batch ? wish->batch : RECIPE_BATCH;
    result = network_read(init->base_path, wish->width, wish->height, &sized, err);
    if (result == OK) {
        int parts = recipe_subdivisions(&sized, init->kernels, NULL, wish->batch, &init->bytes);
        wish->subdivisions = wish->subdivisions ? wish->subdivisions : parts;
    }
    network_free(&sized);
    return result;
}

static enum result make_cfg(struct init *init, struct error *err)
{
    const struct init_options *o = &init->o;
    bool is_recipe = o->recipe == RECIPE_AUTO;
    /* The rows of a loaded head belong to its anchors (docs/recipe.md). */
    bool may_change = is_recipe && init->data.objects > 0;
    int anchors = o->anchors >= 0                      ? o->anchors
                  : may_change && !init->begins_loaded ? ANCHORS_AUTO
                                                       : ANCHORS_KEEP;
    struct init_wish wish = {
        .classes = (int)init->name_count,
        .width = o->imgsz.w,
        .height = o->imgsz.h,
        .batch = o->batch,
        .subdivisions = o->subdivisions,
        .max_batches = o->max_batches,
        .passes = o->epochs,
        .images = init->data.train_count,
        .follows_recipe = is_recipe,
        .begins_loaded = init->begins_loaded,
        .anchors = (enum init_anchors)anchors,
        .anchors_may_fail = o->anchors < 0,
        .set = &init->data.set,
    };
    char path[INIT_FILE_PATH];
    if (o->epochs && o->max_batches) {
        return error_set(err, ERR_ARG, "--epochs and --max-batches both say how long (give one)");
    }
    if ((o->epochs || anchors != ANCHORS_KEEP) && !init->data.train[0]) {
        return error_set(err, ERR_ARG, "%s needs the pictures: --data-dir, --train or --data",
                         o->epochs ? "--epochs" : "--anchors");
    }
    if (wish.follows_recipe) {
        TRY(settle_recipe(init, &wish, err));
    }
    const struct net_options *base = &init->base.options;
    TRY(update_check(wish.batch ? wish.batch : base->batch,
                     wish.subdivisions ? wish.subdivisions : base->subdivisions, err));
    snprintf(path, sizeof path, "%s/%s.cfg", init->folder, init->stem);
    TRY(init_cfg_make(&init->base, &wish, path, &init->cfg, err));
    if (may_change && o->anchors < 0 && init->begins_loaded) {
        snprintf(init->cfg.anchors, sizeof init->cfg.anchors,
                 "the base's: its weights know them (--anchors new makes others)");
    }
    return network_parse(path, init->cfg.text.bytes, init->cfg.text.size, 0, 0, &init->net, err);
}

/* ---- files ---- */

bool init_writes(const struct init *init, enum init_file file)
{
    return file == INIT_FILE_STAGES                             ? init->freeze.frozen != NULL
           : file == INIT_FILE_TRAIN || file == INIT_FILE_VALID ? init->data.is_split
                                                                : true;
}

void init_file_path(const struct init *init, enum init_file file, char path[INIT_FILE_PATH])
{
    static const char *const names[INIT_FILE_COUNT] = {".cfg",        ".data",     ".names",
                                                       "stages.json", "train.txt", "valid.txt"};
    snprintf(path, INIT_FILE_PATH, "%s/%s%s", init->folder,
             file < INIT_FILE_STAGES ? init->stem : "", names[file]);
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

/* The passes of both stages: the cfg's, but by Darknet's rule at most 100. */
static double plan_passes(const struct init *init, double per_pass)
{
    double passes = init->cfg.length.updates / per_pass;
    bool is_told = init->o.max_batches || init->o.epochs;
    if (init->cfg.length.is_left) {
        return UNKNOWN_PASSES;
    }
    if (init->o.recipe == RECIPE_DARKNET && init->data.train_count > 0 && !is_told &&
        passes > TUNING_PASSES) {
        return TUNING_PASSES;
    }
    return passes;
}

/* First the set is frozen and the rest trained, then everything is tuned: both as the recipe trains,
 * or at the cfg's rate and then at a tenth of it with the stored statistics. */
static void write_stages(const struct init *init, FILE *out)
{
    const struct net_options *o = &init->net.options;
    size_t images = init->data.train_count;
    double per_pass =
        images > 0 ? (double)epoch_updates(images, (uint64_t)init->cfg.length.images) : 1;
    double passes = plan_passes(init, per_pass);
    int first = (int)(passes * (double)frozen_share + 0.5);
    first = first < 1 ? 1 : first;
    int second = (int)(passes + 0.5) - first;
    second = second < 1 ? 1 : second;
    int warmup = o->burn_in;
    if (warmup > first * per_pass / 10) {
        warmup = (int)(first * per_pass / 10);
    }
    const char *unit = images > 0 || init->cfg.length.is_left ? "epochs" : "iters";
    if (init->o.recipe == RECIPE_AUTO) {
        fprintf(out,
                "[\n  {\"freeze\": \"%s\", \"%s\": %d},\n  {\"freeze\": \"none\", \"%s\": %d}\n]\n",
                init->o.freeze, unit, first, unit, second);
        return;
    }
    fprintf(
        out,
        "[\n  {\"freeze\": \"%s\", \"%s\": %d, \"lr\": %.6g, \"policy\": \"cosine\", \"warmup\": "
        "%d},\n",
        init->o.freeze, unit, first, (double)o->learning_rate, warmup);
    fprintf(out,
            "  {\"freeze\": \"none\", \"bn\": \"eval\", \"%s\": %d, \"lr\": %.6g, \"policy\": "
            "\"cosine\", \"warmup\": %d}\n]\n",
            unit, second, (double)o->learning_rate / 10, warmup);
}

static enum result write_file(const struct init *init, enum init_file file, struct error *err)
{
    char path[INIT_FILE_PATH];
    struct atomic_file target;
    init_file_path(init, file, path);
    TRY(atomic_open(&target, path, err));
    switch (file) {
    case INIT_FILE_CFG:
        fwrite(init->cfg.text.bytes, 1, init->cfg.text.size, target.stream);
        break;
    case INIT_FILE_DATA:
        write_data(init, target.stream);
        break;
    case INIT_FILE_NAMES:
        for (size_t i = 0; i < init->name_count; i++) {
            fprintf(target.stream, "%s\n", init->names[i]);
        }
        break;
    case INIT_FILE_STAGES:
        write_stages(init, target.stream);
        break;
    default:
        write_list(init, file == INIT_FILE_VALID, target.stream);
    }
    return atomic_commit(&target, err);
}

/* All or none: what was written before a failure is taken back. */
enum result init_write(const struct init *init, struct error *err)
{
    char path[INIT_FILE_PATH];
    for (int i = 0; i < INIT_FILE_COUNT; i++) {
        init_file_path(init, i, path);
        if (init_writes(init, i) && path_exists(path)) {
            return error_at(err, ERR_ARG, path, 0,
                            "exists, and init replaces nothing (choose another folder: --out DIR)");
        }
    }
    TRY(dir_make(init->folder, err));
    for (int i = 0; i < INIT_FILE_COUNT; i++) {
        enum result result = init_writes(init, i) ? write_file(init, i, err) : OK;
        if (result == OK) {
            continue;
        }
        while (i-- > 0) {
            init_file_path(init, i, path);
            if (init_writes(init, i)) {
                unlink(path);
            }
        }
        return result;
    }
    return OK;
}

/* ---- all together ---- */

enum result init_decide(const struct init_options *options, struct init *init, struct error *err)
{
    init->o = *options;
    TRY(read_names(init, err));
    TRY(init_data_find(&init->o.sets, init->name_count, &init->data, err));
    TRY(choose_base(init, err));
    TRY(open_base(init, err));
    init->begins_loaded = begins_loaded(init);
    TRY(make_cfg(init, err));
    TRY(find_head(init, err));
    TRY(settle_freeze(init, err));
    return settle_weights(init, err);
}

enum result init_measure(const struct init *init, double *seconds, struct error *err)
{
    char path[INIT_FILE_PATH];
    init_file_path(init, INIT_FILE_CFG, path);
    return init_cost_measure(path, &init->cfg.text, init->kernels, init->cfg.length.images, seconds,
                             err);
}

void init_free(struct init *init)
{
    freeze_set_free(&init->freeze);
    mem_free(init->names);
    init_cfg_free(&init->cfg);
    init_data_free(&init->data);
    data_file_free(&init->given);
    network_free(&init->net);
    network_free(&init->base);
}
