#include "train/setup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/ranks.h"
#include "cfg/cfg.h"
#include "data/class_weights.h"
#include "data/data_source.h"
#include "run/value_set.h"
#include "layers/yolo_head.h"
#include "train/freeze_advice.h"
#include "train/memory_need.h"
#include "train/quantize_aware.h"
#include "train/runlog.h"
#include "train/stateio.h"
#include "train/time_fit.h"

enum { MAX_CFG_BYTES = 1 << 26 };

/* ---- the data sets ---- */

static enum result open_data_file(struct train_args *args, struct training *t, struct error *err)
{
    if (!args->model.data) {
        if (!model_find_bundled("data/tabletop", "tabletop", "data", t->bundled_data)) {
            return error_set(err, ERR_ARG,
                             "which pictures? There is no data/tabletop/tabletop.data "
                             "(name a .data file with --data FILE)");
        }
        args->model.data = t->bundled_data;
    }
    if (!path_is_dir(args->model.data)) {
        TRY(option_need_file("data", args->model.data, err));
    }
    TRY(data_source_read(args->model.data, &t->data, err));
    return data_file_need(&t->data, DATA_TRAIN, err);
}

static void warn_skipped(const char *what, const struct dataset *set)
{
    size_t labels = set->faults[FAULT_NOT_NUMBERS] + set->faults[FAULT_CLASS_RANGE] +
                    set->faults[FAULT_OUTSIDE] + set->faults[FAULT_ZERO_SIZE] +
                    set->faults[FAULT_ANNOTATION];
    if (labels > 0) {
        log_warn("%s pictures: %zu labels are unusable and left out", what, labels);
    }
    if (set->faults[FAULT_NO_IMAGE] > 0) {
        log_warn("%s pictures: %zu do not exist and are left out", what,
                 set->faults[FAULT_NO_IMAGE]);
    }
}

/* ---- sets without boxes ---- */

static enum result standardize(const struct train_args *args, struct training *t, struct error *err)
{
    if (!args->standardizes) {
        return OK;
    }
    if (!t->train.features) {
        return error_set(err, ERR_ARG, "--standardize acts only on tables, %s is none",
                         t->data.train);
    }
    TRY(feature_scale_of(&t->train, &t->scale, err));
    TRY(feature_scale_apply(&t->scale, &t->train, err));
    return t->has_valid ? feature_scale_apply(&t->scale, &t->valid, err) : OK;
}

static enum result open_value_sets(const struct train_args *args, struct training *t,
                                   struct error *err)
{
    struct dataset_source source = {.path = t->data.train};
    if (t->data.classes && t->model.name_count && (size_t)t->data.classes != t->model.name_count) {
        return error_at(err, ERR_FORMAT, t->data.path, 0,
                        "classes=%d, but the network of %s has %zu", t->data.classes,
                        t->model.cfg_path, t->model.name_count);
    }
    TRY(value_set_source(&t->model, source.path, &source, err));
    source.refuses_empty = true;
    source.label_smooth = t->model.net.options.label_smooth_eps;
    TRY(dataset_open(&source, &t->train, err));
    warn_skipped("training", &t->train);
    if (args->class_weights) {
        TRY(class_weights_set(args->class_weights, t->model.names, &t->train, err));
    }
    if (t->data.valid) {
        TRY(data_file_need(&t->data, DATA_VALID, err));
        TRY(value_set_source(&t->model, t->data.valid, &source, err));
        source.part = DATA_PART_VALID;
        TRY(dataset_open(&source, &t->valid, err));
        warn_skipped("validation", &t->valid);
        t->has_valid = true;
    }
    return standardize(args, t, err);
}

/* ---- sets with boxes ---- */

static enum result open_sets(const struct train_args *args, struct training *t, struct error *err)
{
    if (!t->model.head) {
        TRY(images_act(args->images, NULL, NULL, err));
        return open_value_sets(args, t, err);
    }
    if (args->standardizes) {
        return error_set(err, ERR_ARG, "--standardize acts only on tables, %s is a detector",
                         t->model.cfg_path);
    }
    if (args->class_weights) {
        return error_set(err, ERR_ARG,
                         "--class-weights acts only on classifiers, %s is a detector "
                         "(counters_per_class= in its heads weighs classes)",
                         t->model.cfg_path);
    }
    bool is_mapped = t->added.old_count > 0;
    int classes = is_mapped ? (int)t->added.data_count : t->model.head->classes;
    if (t->data.classes && t->data.classes != classes) {
        return error_at(err, ERR_FORMAT, t->data.path, 0,
                        "classes=%d, but the network of %s has %d (set classes= in its heads, and "
                        "filters= of the layers above them)",
                        t->data.classes, t->model.cfg_path, classes);
    }
    TRY(images_act(args->images, t->data.train, t->data.valid, err));
    struct dataset_source source = {.path = t->data.train,
                                    .images = args->images,
                                    .class_count = (size_t)classes,
                                    .names = is_mapped ? t->added.data_names : t->model.names,
                                    .name_count = (size_t)classes,
                                    .leaves_out = true};
    TRY(dataset_open(&source, &t->train, err));
    warn_skipped("training", &t->train);
    if (is_mapped) {
        added_map(&t->added, "training", &t->train);
    }
    if (dataset_count_boxes(&t->train) == 0) {
        char hint[DATASET_HINT];
        dataset_voc_hint(&t->train, hint);
        return error_at(err, ERR_FORMAT, t->data.train, 0,
                        "%zu pictures, but not one usable label%s",
                        t->train.sample_count + t->train.left_out_count,
                        hint[0] ? hint : " (labels/NAME.txt beside images/NAME.jpg)");
    }
    if (t->data.valid) {
        TRY(data_file_need(&t->data, DATA_VALID, err));
        source.path = t->data.valid;
        source.part = DATA_PART_VALID;
        TRY(dataset_open(&source, &t->valid, err));
        warn_skipped("validation", &t->valid);
        if (is_mapped) {
            added_map(&t->added, "validation", &t->valid);
        }
        if (dataset_count_boxes(&t->valid) == 0) {
            log_warn("%s: %zu pictures, but not one usable label: no mAP, so no best.weights",
                     t->data.valid, t->valid.sample_count + t->valid.left_out_count);
        }
        t->has_valid = true;
    }
    return OK;
}

/* Names without folders, so that a data set may be moved; and all labels. */
static void hash_set(struct state_hash *hash, const struct dataset *set)
{
    for (size_t i = 0; i < set->sample_count; i++) {
        const struct sample *sample = &set->samples[i];
        const char *name = path_base(sample->image_path);
        state_hash_add(hash, name, strlen(name) + 1);
        if (sample->class_id >= 0) {
            state_hash_add(hash, &sample->class_id, sizeof sample->class_id);
        }
        for (size_t k = 0; k < sample->truth_count; k++) {
            struct truth truth;
            memcpy(&truth, &sample->truths[k], sizeof truth);
            state_hash_add(hash, &truth, sizeof truth);
        }
    }
    if (set->features) {
        state_hash_add(hash, set->features,
                       set->sample_count * set->feature_count * sizeof *set->features);
    }
    if (set->values) {
        size_t rows = set->samples[0].class_id >= 0 ? set->class_count : set->sample_count;
        state_hash_add(hash, set->values, rows * set->value_count * sizeof *set->values);
    }
}

/* ---- the network ---- */

static enum result open_old_network(const struct train_args *args, struct training *t,
                                    struct error *err)
{
    struct cfg_text text = {0};
    if (args->weights_cfg) {
        return error_set(err, ERR_ARG,
                         "--weights-cfg beside --add-classes, which takes all layers of the old "
                         "network (--cfg)");
    }
    enum result result =
        added_open(&args->model, args->weights_names, &t->data, &t->added, &t->model, &text, err);
    t->cfg_text = text.bytes;
    t->cfg_size = text.size;
    TRY(result);
    return model_check_pictures(&t->model.net, err);
}

static enum result open_network(const struct train_args *args, struct training *t,
                                struct error *err)
{
    if (args->add_classes && !args->resumes) {
        return open_old_network(args, t, err);
    }
    struct model_args model = args->model;
    if (args->resumes) {
        model.cfg = model.weights = model.names = model.model = NULL;
        model.run = args->resume;
    }
    model.data = NULL;
    if (!args->resumes && !model.names && t->data.names) {
        TRY(data_file_need(&t->data, DATA_NAMES, err));
        model.names = t->data.names;
    }
    char **names;
    TRY(value_set_names(t->data.train, &model, &names, err));
    enum result result = model_open(&model, MODEL_TRAIN, &t->model, err);
    mem_free(names);
    TRY(result);
    if (t->model.head) {
        TRY(model_check_pictures(&t->model.net, err));
    }
    if (args->add_classes) {
        TRY(added_reopen(&args->model, &t->data, &t->model, &t->added, err));
    }
    return file_read(t->model.cfg_path, MAX_CFG_BYTES, &t->cfg_text, &t->cfg_size, err);
}

static void unload(struct training *t)
{
    struct network *net = &t->model.net;
    for (int i = 0; i < net->layer_count; i++) {
        network_release(net, i);
    }
    training_start_free(&t->begin);
}

static enum result load_start(const struct train_args *args, struct training *t, struct error *err)
{
    TRY(network_allocate(&t->model.net, err));
    bool is_given = ranks_own() > 0 && t->added.old_count == 0; /* by process 0 */
    if (t->options.resumes || is_given) {
        size_t layers = (size_t)t->model.net.layer_count;
        t->begin.loaded = mem_alloc(layers, sizeof *t->begin.loaded);
        snprintf(t->begin.text, sizeof t->begin.text, "%.300s/last.state", args->resume);
        return t->begin.loaded ? OK : mem_error(err, "training");
    }
    if (t->added.old_count > 0) {
        return added_load(&t->added, (uint64_t)args->seed, &t->model, &t->begin, err);
    }
    if (args->resumes && args->model.weights) {
        snprintf(t->model.weights_path, sizeof t->model.weights_path, "%s", args->model.weights);
    }
    return training_start_load(&t->model, args->weights_cfg, args->weights_names,
                               (uint64_t)args->seed, &t->begin, err);
}

/* ---- numbers ---- */

static enum result settle_recipe(struct train_args *args, struct training *t, struct error *err)
{
    const struct recipe_basis basis = {.net = &t->model.net,
                                       .kernels = t->model.kernels,
                                       .images = t->train.sample_count,
                                       .begins_loaded = t->model.weights_path[0] != '\0',
                                       .valid = t->valid.sample_count,
                                       .is_table = t->train.features != NULL,
                                       .length_reason = args->fits_time       ? t->time_fit.text
                                                        : t->advice.length[0] ? t->advice.length
                                                                              : NULL};
    return recipe_settle(args, &basis, &t->recipe, err);
}

/* --assign-iou in place of the cfg's iou_thresh. */
static enum result settle_heads(const struct train_args *args, struct training *t,
                                struct error *err)
{
    const struct network *net = &t->model.net;
    bool acts = args->assign_iou < 0.0f;
    for (int n = 0; args->assign_iou >= 0.0f && n < network_head_count(net); n++) {
        struct layer *head = &t->model.net.layers[network_head_layer(net, n)->index];
        acts = yolo_head_assign(head, args->assign_iou) || acts;
    }
    return acts
               ? OK
               : error_set(err, ERR_ARG,
                           "--assign-iou: %s has no [yolo] head, and others train one anchor a box",
                           t->model.cfg_path);
}

/* Images per update and mini-batch: where only --batch is given, mini-batches stay about as large
 * as the cfg's, because batch norm and memory depend on them. */
static enum result settle_batch(const struct train_args *args, struct training *t,
                                struct error *err)
{
    const struct net_options *net = &t->model.net.options;
    int batch = args->batch ? args->batch : net->batch;
    int parts = args->subdivisions;
    if (!parts && args->batch) {
        int mini = net->batch / (net->subdivisions > 0 ? net->subdivisions : 1);
        mini = mini < 1 ? 1 : mini > batch ? batch : mini;
        while (batch % mini != 0) {
            mini++;
        }
        parts = batch / mini;
    }
    parts = parts ? parts : net->subdivisions;
    TRY(update_check(batch, parts, err));
    if (batch % parts != 0) {
        log_warn("a batch of %d in %d parts: mini-batches of %d, so an update takes %" PRIu64
                 " pictures",
                 batch, parts, batch / parts, update_images(batch, parts));
    }
    t->options.mini_batch = batch / parts;
    t->options.subdivisions = parts;
    return OK;
}

static uint64_t updates_per_epoch(const struct training *t)
{
    return epoch_updates(t->train.sample_count, training_images_per_update(t));
}

static enum result settle_optimizer(const struct train_args *args, struct training *t,
                                    struct error *err)
{
    const struct net_options *net = &t->model.net.options;
    enum optimizer_kind kind = net->adam ? OPTIMIZER_ADAM : OPTIMIZER_SGD;
    t->options.optimizer = (struct optimizer_options){
        .kernels = t->model.kernels,
        .kind = args->optimizer >= 0 ? (enum optimizer_kind)args->optimizer : kind,
        .momentum = args->momentum >= 0.0f ? args->momentum : net->momentum,
        .decay = args->decay >= 0.0f ? args->decay : net->decay,
        .beta1 = args->momentum >= 0.0f ? args->momentum : net->adam_b1,
        .beta2 = net->adam_b2,
        .eps = net->adam_eps,
        .clip_norm = args->clip_norm,
        .ema_decay = args->ema >= 0.0f ? args->ema : net->ema_alpha};
    const struct optimizer_options *o = &t->options.optimizer;
    if (o->kind != OPTIMIZER_SGD && o->beta1 >= 1.0f) {
        return error_set(err, ERR_ARG, "%s with a beta1 of 1 never moves (--momentum below 1)",
                         optimizer_kind_name(o->kind));
    }
    if (o->ema_decay >= 1.0f) {
        return error_set(err, ERR_ARG,
                         "an average of the weights with a decay of 1 never moves (--ema, or the "
                         "cfg's ema_alpha, below 1)");
    }
    return OK;
}

/* jitter, resize, random and max are keys of the heads; the last one's count, as in Darknet. */
static enum result settle_augment(struct training *t, struct error *err)
{
    const struct network *whole = &t->model.net;
    const struct net_options *net = &whole->options;
    const struct layer *last = network_head_layer(whole, network_head_count(whole) - 1);
    struct augment_options *a = &t->options.augment;
    int most;
    *a = (struct augment_options){.letter_box = net->letter_box,
                                  .flip = net->flip,
                                  .mosaic = net->mosaic,
                                  .mixup = net->mixup,
                                  .hue = net->hue,
                                  .saturation = net->saturation,
                                  .exposure = net->exposure,
                                  .blur = net->blur,
                                  .gaussian_noise = net->gaussian_noise};
    t->options.resize_step = net->resize_step;
    if (!last) {
        a->crops = true;
        a->crop = (struct crop_options){.angle = net->angle,
                                        .aspect = net->aspect,
                                        .min_crop = net->min_crop,
                                        .max_crop = net->max_crop};
        return OK;
    }
    struct cfg_section *head = last->section;
    TRY(cfg_float(head, "jitter", 0.2f, 0.0f, 1.0f, &a->jitter, err));
    TRY(cfg_float(head, "resize", 1.0f, 0.0f, 1e3f, &a->resize, err));
    TRY(cfg_int(head, "max", 200, 1, INT_MAX, &most, err));
    TRY(cfg_float(head, "random", 0.0f, 0.0f, 1e3f, &t->options.random, err));
    a->max_truths = (size_t)most;
    return OK;
}

static enum result settle_fingerprint(const struct train_args *args, struct training *t,
                                      struct error *err)
{
    struct state_hash hash = {0};
    hash_set(&hash, &t->train);
    if (t->has_valid) {
        hash_set(&hash, &t->valid);
    }
    char more[128], quant[64];
    snprintf(more, sizeof more, "%s%s", quantize_aware_line(t, quant, sizeof quant),
             t->options.subdivisions > 1 ? CHECKPOINT_SUM_LINE : "");
    t->fingerprint = train_args_fingerprint(args, more);
    if (!t->fingerprint) {
        return mem_error(err, "training");
    }
    t->options.fingerprint =
        (struct train_fingerprint){.cfg = state_hash_of(t->cfg_text, t->cfg_size),
                                   .dataset = state_hash_value(&hash),
                                   .options = t->fingerprint,
                                   .stages = t->plan.lines};
    return OK;
}

static enum result settle_measure(const struct train_args *args, struct training *t,
                                  struct error *err)
{
    enum net_task task = t->model.task;
    if (task == TASK_DETECT) {
        t->options.measure = args->best == MEASURE_MAP ? MEASURE_MAP : MEASURE_MAP50;
        return OK;
    }
    t->options.measure = task == TASK_CLASSIFY ? MEASURE_TOP1 : MEASURE_LOSS;
    return args->best < 0
               ? OK
               : error_set(err, ERR_ARG, "--best: %s has no detection heads, and so no mAP",
                           t->model.cfg_path);
}

static enum result settle(const struct train_args *args, struct training *t, struct error *err)
{
    TRY(settle_optimizer(args, t, err));
    TRY(settle_augment(t, err));
    TRY(settle_heads(args, t, err));
    struct stage_basis basis = {.words = &args->stages,
                                .net = &t->model.net,
                                .seed = (uint64_t)args->seed,
                                .fits_time = args->fits_time,
                                .limits_features = args->limits_features,
                                .updates_per_epoch = updates_per_epoch(t),
                                .optimizer = t->options.optimizer.kind};
    TRY(stage_plan_make(&basis, &t->plan, err));
    TRY(added_check(&t->added, &t->model.net, &t->plan, err));
    TRY(quantize_aware_draft(args, t, err));
    int helpers = parallel_threads() / 2;
    struct train_options *o = &t->options;
    o->net = &t->model.net;
    o->task = t->model.task;
    TRY(settle_measure(args, t, err));
    o->kern = t->model.kernels;
    o->set = &t->train;
    o->stages = t->plan.stages;
    o->stage_count = t->plan.count;
    o->bn_momentum = args->bn_momentum;
    o->bn_mean_first = args->bn_start > 0;
    o->close_mosaic =
        args->close_mosaic > 0 ? (uint64_t)args->close_mosaic * updates_per_epoch(t) : 0;
    o->seed = (uint64_t)args->seed;
    o->loader_threads = args->loader_threads ? args->loader_threads : helpers < 1 ? 1 : helpers;
    o->cache_bytes = (size_t)args->cache_mb * 1000000;
    o->validate_every = args->validate_every || !t->has_valid ? (uint64_t)args->validate_every
                                                              : updates_per_epoch(t);
    o->checkpoint_every = (uint64_t)args->checkpoint_every;
    o->log_every = (uint64_t)args->log_every;
    o->fits_time = args->fits_time && !args->has_new_time;
    o->time_limit_s = (double)args->hours * 3600.0 * (o->fits_time ? TIME_FIT_SLACK : 1.0);
    return OK;
}

/* With last.state the run goes on; one that was killed before its first checkpoint begins anew. */
static enum result find_resumed(const struct train_args *args, struct training *t,
                                struct error *err)
{
    const char *found = args->resumes ? run_folder_trace(args->resume) : NULL;
    t->options.resumes = found && strcmp(found, "last.state") == 0;
    if (!found || t->options.resumes) {
        return OK;
    }
    error_at(err, ERR_ARG, args->resume, 0,
             "last.state is missing, so the run cannot go on; %s would be overwritten", found);
    return error_hint(err, "put it back, or begin another run with these weights: yolo train "
                           "--weights FILE --out DIR");
}

/* What the trainer would refuse only when there is a folder already. */
static enum result check_trains(const struct training *t, struct error *err)
{
    for (size_t i = 0; i < t->plan.count; i++) {
        double bytes;
        TRY(training_measure(t, &t->plan.stages[i], t->options.mini_batch, &bytes, err));
    }
    return OK;
}

/* Where the resumed run stands. */
static enum result read_progress(const struct train_args *args, struct training *t,
                                 struct error *err)
{
    struct checkpoint c;
    double limit = t->options.time_limit_s;
    if (!t->options.resumes) {
        return OK;
    }
    enum result result = checkpoint_open(args->resume, &c, err);
    t->progress = c.progress;
    checkpoint_close(&c);
    TRY(result);
    if (limit > 0.0 && t->progress.seconds >= limit && t->progress.stage < t->plan.count) {
        error_at(err, ERR_ARG, args->resume, 0,
                 "the time is over: it has trained for %.4g hours, and --time is %g",
                 t->progress.seconds / 3600.0, (double)args->hours);
        return error_hint(err, "give more: yolo train --resume %.200s --time H", args->resume);
    }
    return OK;
}

/* Settle a run to measure or to try something with it; what args said is in them then as it would be for good. */
static enum result rehearse(struct train_args *args, struct training *t, struct error *err)
{
    log_hush(true); /* all of it comes again */
    enum result result = settle_recipe(args, t, err);
    result = result == OK ? settle_batch(args, t, err) : result;
    result = result == OK ? settle(args, t, err) : result;
    result = result == OK ? check_trains(t, err) : result;
    result = result == OK ? load_start(args, t, err) : result;
    log_hush(false);
    return result;
}

static void end_rehearsal(struct training *t)
{
    stage_plan_free(&t->plan);
    t->recipe = (struct recipe){0};
    unload(t);
}

static enum result load_again(const struct train_args *args, struct training *t, struct error *err)
{
    log_hush(true);
    unload(t);
    enum result result = load_start(args, t, err);
    log_hush(false);
    return result;
}

/* --freeze auto becomes a plan, found with nothing frozen. */
static enum result advise(struct train_args *args, struct training *t, struct error *err)
{
    if (!freeze_is_auto(args)) {
        return OK;
    }
    if (args->quantize_aware) {
        return error_set(
            err, ERR_ARG,
            "--freeze auto beside --quantize-aware, which it does not try (--freeze SET "
            "says what keeps still)");
    }
    if (args->add_classes) {
        return error_set(
            err, ERR_ARG,
            "--freeze auto beside --add-classes, which keeps all old layers as they are");
    }
    struct train_args trial = *args; /* its strings and lists are only read */
    trial.stages.run.freeze = "none";
    trial.stages.run.cache_features = 0;
    TRY(rehearse(&trial, t, err));
    TRY(freeze_advise(args, &trial, t, load_again, err));
    end_rehearsal(t);
    return OK;
}

/* --time where nothing else says how long. */
static enum result fit_time(struct train_args *args, struct training *t, struct error *err)
{
    if (args->resumes || !(args->hours > 0.0f) || args->stages.epochs || args->stages.iterations) {
        return OK;
    }
    struct train_args trial = *args;
    if (trial.stages.stages.count == 0) { /* any length */
        trial.stages.iterations = STAGE_TOO_LONG - 1;
    }
    TRY(rehearse(&trial, t, err));
    TRY(memory_need_check(t, err));
    TRY(time_fit_stages(args, t, err));
    end_rehearsal(t);
    return OK;
}

/* ---- other processes ---- */

/* What must be the same everywhere, or the processes would train different things. */
struct likeness {
    uint64_t dataset, cfg, options, stages;
    char kernels[32];
    char data[MODEL_PATH];
};

static struct likeness likeness_of(const struct training *t)
{
    const struct train_fingerprint *f = &t->options.fingerprint;
    struct likeness l;
    memset(&l, 0, sizeof l);
    l.dataset = f->dataset;
    l.cfg = f->cfg;
    l.options = state_hash_of(f->options, strlen(f->options));
    l.stages = state_hash_of(f->stages, strlen(f->stages));
    snprintf(l.kernels, sizeof l.kernels, "%s%s", kernels_isa(t->model.kernels),
             kernels_are_direct(t->model.kernels) ? " direct" : "");
    snprintf(l.data, sizeof l.data, "%s", t->data.train);
    return l;
}

/* The first difference from process 0. */
static enum result compare(const struct training *t, struct error *err)
{
    struct likeness own = likeness_of(t), first = own;
    ranks_broadcast(&first, sizeof first);
    if (own.cfg != first.cfg) {
        return error_at(err, ERR_ARG, t->model.cfg_path, 0,
                        "is another cfg than that of process 0 (a shared folder, or the same files "
                        "on each host)");
    }
    if (own.dataset != first.dataset) {
        return error_at(err, ERR_ARG, own.data, 0,
                        "%zu pictures, not the same pictures and labels as process 0 has (a shared "
                        "folder, or the same files on each host)",
                        t->train.sample_count);
    }
    if (strcmp(own.kernels, first.kernels) != 0) {
        return error_set(err, ERR_ARG,
                         "uses %s kernels and process 0 %s, whose last digits differ (--cpu takes "
                         "what all have)",
                         own.kernels, first.kernels);
    }
    return own.options == first.options && own.stages == first.stages
               ? OK
               : error_set(err, ERR_ARG, "has other options than process 0");
}

static void warn_of_idle(const struct training *t)
{
    if (t->options.subdivisions < ranks_count()) {
        log_warn("%d processes, and an update has %d mini-batches: the others wait (--subdivisions "
                 "%d, or a multiple)",
                 ranks_count(), t->options.subdivisions, ranks_count());
    } else if (t->options.subdivisions % ranks_count() != 0) {
        log_warn("%d processes share the %d mini-batches of an update: some wait for others",
                 ranks_count(), t->options.subdivisions);
    }
}

/* ---- all of it ---- */

static enum result open_data(struct train_args *args, struct training *t, struct error *err)
{
    TRY(find_resumed(args, t, err));
    TRY(open_data_file(args, t, err));
    TRY(open_network(args, t, err));
    TRY(open_sets(args, t, err));
    bool is_new = args->add_classes || args->quantize_aware; /* no cfg says how */
    if (is_new && args->recipe == RECIPE_UNSAID) {
        args->recipe = RECIPE_AUTO;
    }
    return OK;
}

/* What depends on the machine: its speed, its memory. */
static enum result settle_words(struct train_args *args, struct training *t, struct error *err)
{
    TRY(advise(args, t, err));
    TRY(fit_time(args, t, err));
    return settle_recipe(args, t, err);
}

static enum result settle_all(struct train_args *args, struct training *t, struct error *err)
{
    TRY(settle_batch(args, t, err));
    recipe_move_steps(args, &t->model.net.options, updates_per_epoch(t));
    TRY(settle(args, t, err));
    TRY(check_trains(t, err));
    TRY(read_progress(args, t, err));
    TRY(memory_need_check(t, err));
    TRY(load_start(args, t, err));
    TRY(quantize_aware_open(args, t, err));
    return settle_fingerprint(args, t, err);
}

enum result training_open(struct train_args *args, struct training *t, struct error *err)
{
    bool settles = ranks_own() == 0 || args->resumes;
    TRY(ranks_agree(open_data(args, t, err), err));
    TRY(ranks_agree(settles ? settle_words(args, t, err) : OK, err));
    if (!args->resumes) {
        TRY(train_args_share(args, err));
    }
    TRY(ranks_agree(settle_all(args, t, err), err));
    TRY(ranks_agree(compare(t, err), err));
    warn_of_idle(t);
    return OK;
}

void training_close(struct training *t)
{
    added_free(&t->added);
    dataset_free(&t->train);
    dataset_free(&t->valid);
    feature_scale_free(&t->scale);
    data_file_free(&t->data);
    model_close(&t->model);
    stage_plan_free(&t->plan);
    training_start_free(&t->begin);
    quant_free(&t->quant);
    mem_free(t->fingerprint);
    mem_free(t->cfg_text);
    if (t->lock) {
        fclose(t->lock);
    }
    *t = (struct training){0};
}
