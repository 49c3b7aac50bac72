#include "cli/train_setup.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "net/cfg.h"
#include "net/weights.h"
#include "train/runlog.h"
#include "train/stateio.h"

enum { MAX_CFG_BYTES = 1 << 26, ENDLESS = 1000000000, RESIZE_STEP = 32 };

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
    TRY(option_need_file("data", args->model.data, err));
    TRY(data_file_read(args->model.data, &t->data, err));
    return data_file_need(&t->data, DATA_TRAIN, err);
}

static void warn_skipped(const char *what, const struct dataset *set)
{
    size_t labels = set->faults[FAULT_NOT_NUMBERS] + set->faults[FAULT_CLASS_RANGE] +
                    set->faults[FAULT_OUTSIDE] + set->faults[FAULT_ZERO_SIZE];
    if (labels > 0) {
        log_warn("%s pictures: %zu labels are unusable and left out", what, labels);
    }
    if (set->faults[FAULT_NO_IMAGE] > 0) {
        log_warn("%s pictures: %zu do not exist and are left out", what,
                 set->faults[FAULT_NO_IMAGE]);
    }
}

static size_t count_truths(const struct dataset *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        count += set->samples[i].truth_count;
    }
    return count;
}

static enum result open_sets(struct training *t, struct error *err)
{
    int classes = t->model.head->classes;
    if (t->data.classes && t->data.classes != classes) {
        return error_at(err, ERR_FORMAT, t->data.path, 0,
                        "classes=%d, but the network of %s has %d (set classes= in its heads, and "
                        "filters= of the layers above them)",
                        t->data.classes, t->model.cfg_path, classes);
    }
    struct dataset_source source = {.path = t->data.train, .class_count = (size_t)classes};
    TRY(dataset_open(&source, &t->train, err));
    warn_skipped("training", &t->train);
    if (count_truths(&t->train) == 0) {
        return error_at(
            err, ERR_FORMAT, t->data.train, 0,
            "%zu pictures, but not one usable label (labels/NAME.txt beside images/NAME.jpg)",
            t->train.sample_count);
    }
    if (t->data.valid) {
        TRY(data_file_need(&t->data, DATA_VALID, err));
        source.path = t->data.valid;
        TRY(dataset_open(&source, &t->valid, err));
        warn_skipped("validation", &t->valid);
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
        for (size_t k = 0; k < sample->truth_count; k++) {
            struct truth truth;
            memcpy(&truth, &sample->truths[k], sizeof truth);
            state_hash_add(hash, &truth, sizeof truth);
        }
    }
}

/* ---- the network ---- */

static enum result open_network(const struct train_args *args, struct training *t,
                                struct error *err)
{
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
    TRY(model_open(&model, MODEL_TRAIN, &t->model, err));
    if (!t->model.head) {
        return error_at(
            err, ERR_CFG, t->model.cfg_path, 0,
            "no [yolo], [Gaussian_yolo] or [region] section: there is nothing to train");
    }
    TRY(file_read(t->model.cfg_path, MAX_CFG_BYTES, &t->cfg_text, &t->cfg_size, err));
    size_t layers = (size_t)t->model.net.layer_count;
    t->frozen = mem_alloc(layers, sizeof *t->frozen);
    t->is_loaded = mem_alloc(layers, sizeof *t->is_loaded);
    if (!t->frozen || !t->is_loaded) {
        return mem_error(err, "training");
    }
    if (!args->freeze || strcmp(args->freeze, "none") != 0) {
        TRY(freeze_check_timed(&t->model.net, err));
    }
    TRY(freeze_resolve(args->freeze, &t->model.net, t->frozen, err));
    t->totals = freeze_count(&t->model.net, t->frozen, (enum bn_policy)args->bn);
    return freeze_check_moves(&t->totals, err);
}

static enum result load_start(const struct train_args *args, struct training *t, struct error *err)
{
    struct network *net = &t->model.net;
    const char *path = args->resumes ? args->model.weights : t->model.weights_path;
    int classes = t->model.head->classes, found = classes;
    TRY(network_allocate(net, err));
    if (t->options.resumes) {
        snprintf(t->start, sizeof t->start, "%.300s/last.state", args->resume);
        return OK;
    }
    network_initialise(net, (uint64_t)args->seed);
    if (!path || !path[0]) {
        snprintf(t->start, sizeof t->start, "random numbers, seed %d", args->seed);
        return OK;
    }
    TRY(weights_load_transfer(path, net, t->is_loaded, &found, err));
    if (found != classes) {
        snprintf(
            t->start, sizeof t->start,
            "%.300s, trained for %d classes: all but the layers above the heads, which begin with "
            "random numbers (seed %d)",
            path, found, args->seed);
    } else if (net->loaded_layers < net->layer_count) {
        snprintf(t->start, sizeof t->start,
                 "%.300s: layers 0-%d; the others random numbers, seed %d", path,
                 net->loaded_layers - 1, args->seed);
    } else {
        snprintf(t->start, sizeof t->start, "%.300s", path);
    }
    return OK;
}

/* ---- numbers ---- */

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
    if (parts > batch) {
        return error_set(err, ERR_ARG,
                         "%d subdivisions of a batch of %d: a mini-batch would be empty "
                         "(--batch N --subdivisions N)",
                         parts, batch);
    }
    if (batch % parts != 0) {
        log_warn("a batch of %d in %d parts: mini-batches of %d, so an update takes %d pictures",
                 batch, parts, batch / parts, batch / parts * parts);
    }
    t->options.mini_batch = batch / parts;
    t->options.subdivisions = parts;
    return OK;
}

static uint64_t images_per_update(const struct training *t)
{
    return (uint64_t)t->options.mini_batch * (uint64_t)t->options.subdivisions;
}

static uint64_t updates_per_epoch(const struct training *t)
{
    return (t->train.sample_count + images_per_update(t) - 1) / images_per_update(t);
}

static enum result settle_length(const struct train_args *args, struct training *t,
                                 struct error *err)
{
    uint64_t most = (uint64_t)t->model.net.options.max_batches;
    if (args->epochs) {
        t->stage.iterations = (uint64_t)args->epochs * updates_per_epoch(t);
    } else if (args->iterations) {
        t->stage.iterations = (uint64_t)args->iterations;
    } else if (most) {
        t->stage.iterations = most;
    } else if (args->hours > 0.0f) {
        t->stage.iterations = ENDLESS;
    } else {
        return error_at(err, ERR_ARG, t->model.cfg_path, 0,
                        "no max_batches in it: how long? (--epochs N, --iters N or --time H)");
    }
    if (t->stage.iterations > ENDLESS) {
        return error_set(err, ERR_ARG, "%d epochs are %" PRIu64 " updates: too many", args->epochs,
                         t->stage.iterations);
    }
    return OK;
}

static enum result settle_schedule(const struct train_args *args, struct training *t,
                                   struct error *err)
{
    const struct net_options *net = &t->model.net.options;
    struct schedule *s = &t->stage.schedule;
    *s = schedule_of_net(net, (uint64_t)args->seed);
    s->length = (long)t->stage.iterations;
    if (s->sgdr_cycle == net->max_batches) { /* the cfg's default */
        s->sgdr_cycle = (int)t->stage.iterations;
    }
    s->rate = args->rate >= 0.0f ? args->rate : s->rate;
    s->rate_min = s->rate_min < s->rate ? s->rate_min : s->rate;
    s->warmup = args->warmup >= 0 ? args->warmup : s->warmup;
    s->policy = args->policy >= 0 ? (enum rate_policy)args->policy : s->policy;
    if (s->policy == RATE_STEPS && s->step_count == 0) {
        return error_at(
            err, ERR_ARG, t->model.cfg_path, 0,
            "policy steps needs the cfg's lists steps and scales (or --lr-policy constant)");
    }
    bool needs_end = s->policy == RATE_COSINE || s->policy == RATE_POLY || s->policy == RATE_SGDR;
    if (needs_end && t->stage.iterations == ENDLESS) {
        return error_set(err, ERR_ARG,
                         "policy %s needs a length beside --time: --epochs N or --iters N",
                         schedule_policy_name(s->policy));
    }
    return OK;
}

static void settle_optimizer(const struct train_args *args, struct training *t)
{
    const struct net_options *net = &t->model.net.options;
    enum optimizer_kind kind = net->adam ? OPTIMIZER_ADAM : OPTIMIZER_SGD;
    t->options.optimizer = (struct optimizer_options){
        .kernels = t->model.kernels,
        .kind = args->optimizer >= 0 ? (enum optimizer_kind)args->optimizer : kind,
        .momentum = args->momentum >= 0.0f ? args->momentum : net->momentum,
        .decay = args->decay >= 0.0f ? args->decay : net->decay,
        .beta1 = net->adam_b1,
        .beta2 = net->adam_b2,
        .eps = net->adam_eps,
        .clip_norm = args->clip_norm,
        .ema_decay = args->ema >= 0.0f ? args->ema : net->ema_alpha};
}

static const struct layer *last_head(const struct network *net)
{
    for (int i = net->layer_count - 1; i >= 0; i--) {
        if (net->layers[i].ops->head) {
            return &net->layers[i];
        }
    }
    return NULL;
}

/* jitter, resize, random and max are keys of the heads; the last one's count, as in Darknet. */
static enum result settle_augment(const struct train_args *args, struct training *t,
                                  struct error *err)
{
    const struct net_options *net = &t->model.net.options;
    struct cfg_section *head = last_head(&t->model.net)->section;
    struct augment_options *a = &t->options.augment;
    int most;
    *a = (struct augment_options){.letter_box = net->letter_box,
                                  .flip = net->flip,
                                  .mosaic = (net->mosaic || net->cutmix) && !args->no_mosaic,
                                  .mixup = net->mixup,
                                  .hue = net->hue,
                                  .saturation = net->saturation,
                                  .exposure = net->exposure,
                                  .blur = net->blur,
                                  .gaussian_noise = net->gaussian_noise};
    TRY(cfg_float(head, "jitter", 0.2f, 0.0f, 1.0f, &a->jitter, err));
    TRY(cfg_float(head, "resize", 1.0f, 0.0f, 1e3f, &a->resize, err));
    TRY(cfg_int(head, "max", 200, 1, INT_MAX, &most, err));
    TRY(cfg_float(head, "random", 0.0f, 0.0f, 1e3f, &t->options.random, err));
    a->max_truths = (size_t)most;
    t->options.resize_step = net->resize_step > 0 ? net->resize_step : RESIZE_STEP;
    if (args->no_augment) {
        t->options.random = 0.0f;
    }
    return OK;
}

static void write_title(const struct train_args *args, struct training *t)
{
    static const char *const policies[] = {"auto", "eval", "frozen", "train"};
    char frozen[96];
    freeze_describe(&t->model.net, t->frozen, frozen, sizeof frozen);
    snprintf(t->title, sizeof t->title, "freeze=%s bn=%s lr=%g %s %s", frozen, policies[args->bn],
             (double)t->stage.schedule.rate, schedule_policy_name(t->stage.schedule.policy),
             optimizer_kind_name(t->options.optimizer.kind));
}

static enum result settle_fingerprint(const struct train_args *args, struct training *t,
                                      struct error *err)
{
    struct state_hash hash = {0};
    hash_set(&hash, &t->train);
    if (t->has_valid) {
        hash_set(&hash, &t->valid);
    }
    t->fingerprint = train_args_fingerprint(args);
    if (!t->fingerprint) {
        return mem_error(err, "training");
    }
    t->options.fingerprint =
        (struct train_fingerprint){.cfg = state_hash_of(t->cfg_text, t->cfg_size),
                                   .dataset = state_hash_value(&hash),
                                   .options = t->fingerprint};
    return OK;
}

static enum result settle(const struct train_args *args, struct training *t, struct error *err)
{
    TRY(settle_batch(args, t, err));
    TRY(settle_length(args, t, err));
    TRY(settle_schedule(args, t, err));
    settle_optimizer(args, t);
    TRY(settle_augment(args, t, err));
    write_title(args, t);
    t->stage.title = t->title;
    t->stage.frozen = t->frozen;
    t->stage.bn = (enum bn_policy)args->bn;
    t->stage.patience = args->patience;
    t->stage.augments = !args->no_augment;
    int helpers = parallel_threads() / 2;
    struct train_options *o = &t->options;
    o->net = &t->model.net;
    o->kern = t->model.kernels;
    o->no_winograd = t->model.no_winograd;
    o->set = &t->train;
    o->stages = &t->stage;
    o->stage_count = 1;
    o->bn_momentum = args->bn_momentum;
    o->seed = (uint64_t)args->seed;
    o->loader_threads = args->loader_threads ? args->loader_threads : helpers < 1 ? 1 : helpers;
    o->cache_bytes = (size_t)args->cache_mb * 1000000;
    o->validate_every = !t->has_valid          ? 0
                        : args->validate_every ? (uint64_t)args->validate_every
                                               : updates_per_epoch(t);
    o->checkpoint_every = (uint64_t)args->checkpoint_every;
    o->log_every = (uint64_t)args->log_every;
    o->time_limit_s = (double)args->hours * 3600.0;
    return settle_fingerprint(args, t, err);
}

enum result training_open(struct train_args *args, struct training *t, struct error *err)
{
    char state[MODEL_PATH];
    t->options.resumes = args->resumes &&
                         path_join(state, sizeof state, args->resume, "last.state") &&
                         path_exists(state);
    TRY(open_data_file(args, t, err));
    TRY(open_network(args, t, err));
    TRY(open_sets(t, err));
    TRY(settle(args, t, err));
    return load_start(args, t, err);
}

void training_close(struct training *t)
{
    dataset_free(&t->train);
    dataset_free(&t->valid);
    data_file_free(&t->data);
    model_close(&t->model);
    mem_free(t->frozen);
    mem_free(t->is_loaded);
    mem_free(t->fingerprint);
    mem_free(t->cfg_text);
    if (t->lock) {
        fclose(t->lock);
    }
    *t = (struct training){0};
}

/* ---- for people ---- */

static void say(bool to_stdout, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(bool to_stdout, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (to_stdout) {
        puts(line);
    } else {
        log_info("%s", line);
    }
}

void training_describe(const struct training *t, bool to_stdout)
{
    char valid[96] = "no valid= set, so no validation and no best.weights";
    char frozen[160];
    const struct freeze_totals *f = &t->totals;
    const struct schedule *s = &t->stage.schedule;
    const struct train_options *o = &t->options;
    if (t->has_valid) {
        snprintf(valid, sizeof valid, "validation on %zu every %" PRIu64 " updates",
                 t->valid.sample_count, o->validate_every);
    }
    freeze_describe(&t->model.net, t->frozen, frozen, sizeof frozen);
    say(to_stdout, "network   %s, %dx%d, %zu classes, names %s", t->model.cfg_path,
        t->model.net.size.w, t->model.net.size.h, t->model.name_count,
        t->model.names_path[0] ? t->model.names_path : "none (class_0...)");
    say(to_stdout, "data      %s: %zu pictures, %zu objects; %s", t->data.path,
        t->train.sample_count, count_truths(&t->train), valid);
    say(to_stdout, "start     %s", t->start);
    say(to_stdout, "frozen    layers %s: %d of %d with parameters, %zu values", frozen,
        f->frozen_layers, f->layers, f->frozen);
    say(to_stdout, "trained   %zu values, %zu of %zu statistics follow the batches", f->moving,
        f->moving_statistics, f->statistics);
    say(to_stdout, "length    %" PRIu64 " updates of %" PRIu64 " pictures (%d x %d), %.1f epochs",
        t->stage.iterations, images_per_update(t), o->subdivisions, o->mini_batch,
        (double)t->stage.iterations * (double)images_per_update(t) / (double)t->train.sample_count);
    say(to_stdout, "rate      %g, policy %s, warm-up %ld updates, %g at the end; %s",
        (double)s->rate, schedule_policy_name(s->policy), s->warmup,
        (double)schedule_rate(s, (long)t->stage.iterations),
        optimizer_kind_name(o->optimizer.kind));
}

/* Twice as many mini-batches of half the size take half the memory. */
static void warn_memory(const struct training *t)
{
    struct network *net = t->options.net;
    struct plan_memory memory;
    struct error err;
    enum layer_mode *modes = mem_alloc((size_t)net->layer_count, sizeof *modes);
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    struct plan_options plan = {
        .batch = t->options.mini_batch, .no_winograd = t->options.no_winograd, .modes = modes};
    if (modes) {
        modes_resolve(net, t->frozen, t->stage.bn, modes);
    }
    if (modes && plan_measure(net, t->options.kern, &plan, &memory, &err) == OK) {
        double bytes = (double)memory.prepared_bytes + (double)memory.activation_bytes +
                       (double)memory.scratch_bytes + 2.0 * (double)memory.gradient_bytes;
        if (machine > 0.0 && bytes > 0.8 * machine) {
            log_warn("mini-batches of %d take %.1f GB, the machine has %.1f: more --subdivisions "
                     "take less",
                     t->options.mini_batch, bytes / 1e9, machine / 1e9);
        }
    }
    mem_free(modes);
}

static void warn_unloaded(const struct training *t)
{
    const struct network *net = &t->model.net;
    int first = -1, count = 0;
    for (int i = 0; i < net->layer_count; i++) {
        if (t->frozen[i] && net->layers[i].param_count > 0 && !t->is_loaded[i]) {
            first = first < 0 ? i : first;
            count++;
        }
    }
    if (count == 1) {
        log_warn("layer %d is frozen, but no weights were loaded into it: it stays random", first);
    } else if (count > 1) {
        log_warn("%d frozen layers, the first of them layer %d, have no loaded weights: they stay "
                 "random",
                 count, first);
    }
}

void training_warn(const struct training *t)
{
    const struct schedule *s = &t->stage.schedule;
    warn_memory(t);
    if (t->options.resumes) {
        return;
    }
    warn_unloaded(t);
    if (t->options.mini_batch < 8 && t->totals.moving_statistics > 0 &&
        t->model.net.loaded_layers > 0) {
        log_info("hint: batch norm with mini-batches of %d is noisy; --bn eval keeps the loaded "
                 "statistics",
                 t->options.mini_batch);
    }
    if (s->warmup > 0 && (uint64_t)s->warmup >= t->stage.iterations) {
        log_warn("the warm-up of %ld updates is as long as the run (%" PRIu64
                 "): the rate never gets to %g (--warmup N)",
                 s->warmup, t->stage.iterations, (double)s->rate);
    }
    if (!t->has_valid && t->stage.patience > 0) {
        log_warn("--patience has nothing to wait for: %s has no valid= set", t->data.path);
    }
}

/* ---- the folder ---- */

static enum result write_file(const char *folder, const char *name, const char *text, size_t size,
                              struct error *err)
{
    char path[MODEL_PATH];
    struct atomic_file file;
    if (!path_join(path, sizeof path, folder, name)) {
        return error_at(err, ERR_IO, folder, 0, "path too long");
    }
    TRY(atomic_open(&file, path, err));
    fwrite(text, 1, size, file.stream); /* atomic_commit reports a failure */
    return atomic_commit(&file, err);
}

static enum result write_names(const char *folder, const char *name, const struct model *model,
                               struct error *err)
{
    char path[MODEL_PATH];
    struct atomic_file file;
    if (!path_join(path, sizeof path, folder, name)) {
        return error_at(err, ERR_IO, folder, 0, "path too long");
    }
    TRY(atomic_open(&file, path, err));
    for (size_t i = 0; i < model->name_count; i++) {
        fprintf(file.stream, "%s\n", model->names[i]);
    }
    return atomic_commit(&file, err);
}

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && strcmp(name + n - m, ending) == 0;
}

/* A folder the user named may exist; it may hold no other run, and nothing `--run` would mistake
 * for ours. */
static enum result check_folder(const char *folder, const char *cfg, const char *names,
                                struct error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        return error_errno(err, folder, "cannot open the folder");
    }
    enum result result = OK;
    for (const struct dirent *entry; result == OK && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        bool is_run = strcmp(name, "last.state") == 0;
        bool is_other = (ends_in(name, ".cfg") && strcmp(name, cfg) != 0) ||
                        (ends_in(name, ".names") && strcmp(name, names) != 0);
        if (is_run || is_other) {
            result = error_at(err, ERR_ARG, folder, 0,
                              is_run ? "holds a run already (--resume %s, or another --out)"
                                     : "holds %s: another folder, please (--out DIR)",
                              is_run ? folder : name);
        }
    }
    closedir(dir);
    return result;
}

/* Absolute, so that a resumed run finds them from anywhere. */
static enum result write_args(const char *folder, const struct train_args *args,
                              const struct training *t, struct error *err)
{
    const char *const keys[] = {"data", "cfg", "weights"};
    const char *const paths[] = {t->data.path, t->model.cfg_path, t->model.weights_path};
    cJSON *json = train_args_json(args);
    if (!json) {
        return mem_error(err, "args.json");
    }
    for (size_t i = 0; i < 3; i++) {
        char whole[PATH_MAX];
        cJSON_DeleteItemFromObjectCaseSensitive(json, keys[i]);
        if (paths[i][0] && realpath(paths[i], whole)) {
            cJSON_AddStringToObject(json, keys[i], whole);
        }
    }
    cJSON_DeleteItemFromObjectCaseSensitive(json, "run");
    cJSON_DeleteItemFromObjectCaseSensitive(json, "model");
    cJSON_AddStringToObject(json, "isa", kernels_isa(t->model.kernels));
    enum result result = run_args_save(folder, json, err);
    cJSON_Delete(json);
    return result;
}

enum result training_make_folder(const struct train_args *args, struct training *t, char *folder,
                                 size_t size, struct error *err)
{
    char stem[256], cfg[300], names[300];
    model_stem(&t->model, stem, sizeof stem);
    snprintf(cfg, sizeof cfg, "%s.cfg", stem);
    snprintf(names, sizeof names, "%s.names", stem);
    if (args->out) {
        snprintf(folder, size, "%s", args->out);
        TRY(dir_make(folder, err));
        TRY(check_folder(folder, cfg, names, err));
    } else {
        TRY(run_folder_new("runs/train", folder, size, err));
    }
    TRY(run_folder_lock(folder, &t->lock, err));
    TRY(write_file(folder, cfg, t->cfg_text, t->cfg_size, err));
    TRY(write_names(folder, names, &t->model, err));
    return write_args(folder, args, t, err);
}
