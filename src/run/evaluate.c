#include "run/evaluate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/progress.h"
#include "data/data_folder.h"
#include "data/data_source.h"
#include "data/inputs.h"
#include "data/stream.h"
#include "net/class_rows.h"
#include "net/quant.h"
#include "data/table_set.h"
#include "results/results_file.h"
#include "run/run_args.h"
#include "run/value_set.h"

enum { VALUE_BATCH = 4 };

/* ---- where truths come from ---- */

/* Folders and tables say all of themselves. */
static bool is_list(const char *path)
{
    return !data_is_description(path) && (path_is_dir(path) || table_is_named(path));
}

/* "data" of a training run's args.json. */
static enum result data_of_run(const char *folder, char *out, size_t size, struct error *err)
{
    cJSON *args;
    TRY(run_args_load(folder, &args, err));
    const char *data = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(args, "data"));
    enum result result =
        data && *data
            ? path_in(out, size, "", data, err)
            : error_set(err, ERR_FORMAT,
                        "%s/args.json: no \"data\" in it (name the data with --data)", folder);
    cJSON_Delete(args);
    return result;
}

/* The .data file, the list, or both. */
static enum result find_source(struct evaluated *e, struct error *err)
{
    const struct evaluate_options *o = e->o;
    const char *positional = o->data, *data = o->model->data, *list = NULL;
    TRY(option_need_folder("run", o->model->run, err));
    if (positional && data && (data_is_description(positional) || !data_is_description(data))) {
        return error_set(err, ERR_ARG, "two data sets: %s and --data %s", positional, data);
    }
    if (positional && data_is_description(positional)) {
        data = positional;
    } else if (positional) {
        list = positional;
    } else if (data && !data_is_description(data)) {
        list = data;
        data = NULL;
    }
    if (!data && !list && o->model->run) {
        TRY(data_of_run(o->model->run, e->of_run, sizeof e->of_run, err));
        data = is_list(e->of_run) ? NULL : e->of_run;
        list = data ? NULL : e->of_run;
    }
    if (!data && !list && !model_find_bundled("data/tabletop", "tabletop", "data", e->bundled)) {
        return error_set(err, ERR_ARG,
                         "which pictures? There is no data/tabletop/tabletop.data (name a .data "
                         "file, a list or a COCO .json)");
    }
    if (!data && !list) {
        data = e->bundled;
    }
    if (data) {
        TRY(data_source_read(data, &e->file, err));
    }
    if (list && o->uses_train && !path_is_dir(list)) {
        return error_set(err, ERR_ARG, "--split acts only on a .data file");
    }
    bool is_whole =
        !e->file.valid && e->file.train && e->file.lines[DATA_TRAIN] == 0; /* no parts */
    enum data_key key = o->uses_train || is_whole ? DATA_TRAIN : DATA_VALID;
    if (!list) {
        TRY(data_file_need(&e->file, key, err));
        list = key == DATA_TRAIN ? e->file.train : e->file.valid;
    }
    e->list = list;
    if (o->result_count > 0 && o->model->names && dataset_is_coco(list)) {
        return error_set(err, ERR_ARG, "--names has no effect: the classes are those of %s", list);
    }
    return images_act(o->images, list, NULL, err);
}

/* ---- the network and its classes ---- */

/* A .data file whose names are other ones than the network's, or others in number or order, has classes of its own, which
 * are matched by name. As many, of which some have other names, are taken in order: one was renamed. */
static enum result find_own_classes(struct evaluated *e, struct error *err)
{
    struct class_match match = {0};
    if (dataset_is_coco(e->list) || !e->file.names || !e->model.names_path[0] ||
        strcmp(e->file.names, e->model.names_path) == 0) {
        return OK;
    }
    TRY(data_file_need(&e->file, DATA_NAMES, err));
    TRY(names_read(e->file.names, &e->names, &e->name_count, err));
    if (e->file.classes && (size_t)e->file.classes != e->name_count) {
        return error_at(err, ERR_FORMAT, e->file.path, 0, "classes = %d, but %s has %zu names",
                        e->file.classes, e->file.names, e->name_count);
    }
    enum result result =
        class_match_make(e->model.names, e->model.name_count, e->names, e->name_count, &match, err);
    bool has_same_number = match.count == match.old_count;
    bool is_ordered = has_same_number && match.matched == match.count && !match.is_same;
    e->has_own_classes = !has_same_number || is_ordered;
    if (result == OK && has_same_number && match.matched < match.count) {
        log_warn("%s: %zu of %zu names are not those of %s: the classes are taken in order",
                 e->file.names, match.count - match.matched, match.count, e->model.names_path);
    }
    class_match_free(&match);
    return result;
}

/* Those of class folders, where nothing else names classes. */
static enum result find_folder_names(const struct evaluated *e, struct model_args *model,
                                     char ***names, struct error *err)
{
    struct data_file folder = {0};
    enum result result = OK;
    if (path_is_dir(e->list) && !e->file.path) {
        result = data_folder_read(e->list, &folder, err);
    }
    const char *train = folder.train ? folder.train : e->file.train;
    *names = NULL;
    if (result == OK && train) {
        result = value_set_names(train, model, names, err);
    }
    data_file_free(&folder);
    return result;
}

static enum result open_model(struct evaluated *e, struct error *err)
{
    const struct evaluate_options *o = e->o;
    struct model_args model = *o->model;
    model.data = NULL;
    if (!model.names && !model.run && e->file.names) {
        TRY(data_file_need(&e->file, DATA_NAMES, err));
        model.names = e->file.names;
    }
    char **names;
    TRY(find_folder_names(e, &model, &names, err));
    enum result result = model_open(&model, MODEL_WHOLE, &e->model, err);
    mem_free(names);
    TRY(result);
    e->is_of_values = !e->model.head;
    if (e->is_of_values && o->shard.count > 0) {
        return error_set(err, ERR_ARG,
                         "--shard acts here only on detectors, %s is none (yolo classify --shard "
                         "takes a share of pictures)",
                         e->model.cfg_path);
    }
    if (e->is_of_values) {
        return !o->box_option ? OK
                              : error_set(err, ERR_ARG, "%s acts only on boxes, %s is no detector",
                                          o->box_option, e->model.cfg_path);
    }
    if (o->shard.count > 0) { /* before the weights are packed */
        TRY(model_load(&e->model, err));
        e->network_hash = quant_network_hash(&e->model.net);
        e->weights_hash = quant_weights_hash(&e->model.net);
    }
    TRY(infer_open(&e->model, o->model->run, &o->infer, &e->infer, err));
    TRY(find_own_classes(e, err));
    if (!e->has_own_classes && e->file.classes && (size_t)e->file.classes != e->model.name_count) {
        return error_at(err, ERR_FORMAT, e->file.path, 0,
                        "classes = %d, but the network %s has %zu", e->file.classes,
                        e->model.cfg_path, e->model.name_count);
    }
    return OK;
}

static enum result read_names(struct evaluated *e, struct error *err)
{
    const char *path = e->o->model->names;
    if (e->head.shard.count > 0) { /* their classes are told by the shares */
        return !path ? OK
                     : error_set(err, ERR_ARG, "--names has no effect: the classes are those of %s",
                                 e->o->results[0]);
    }
    if (!path && e->file.names) {
        TRY(data_file_need(&e->file, DATA_NAMES, err));
        path = e->file.names;
    }
    return path ? names_read(path, &e->names, &e->name_count, err) : OK;
}

static enum data_part part_of(const struct evaluated *e)
{
    return e->o->uses_train ? DATA_PART_TRAIN : DATA_PART_VALID;
}

static enum result open_set(struct evaluated *e, struct error *err)
{
    bool has_model = e->o->result_count == 0, by_model = has_model && !e->has_own_classes;
    bool by_share = e->head.shard.count > 0;
    struct eval_source source = {
        .path = e->list,
        .part = part_of(e),
        .images = e->o->images,
        .names = by_model ? e->model.names : e->names,
        .class_count = by_model ? e->model.name_count : e->name_count,
        .needs_files = has_model || by_share,
    };
    if (by_share) {
        source.names = e->head.classes;
        source.class_count = e->head.class_count;
    } else if (!has_model && e->file.classes) {
        source.class_count = (size_t)e->file.classes;
        source.names = e->name_count >= source.class_count ? source.names : NULL;
    }
    return eval_set_open(&source, &e->set, err);
}

/* The set's class of that name; SIZE_MAX: none. */
static size_t find_class(const struct evaluated *e, const char *name)
{
    for (size_t i = 0; !e->set.is_coco && i < e->name_count; i++) {
        if (strcmp(e->names[i], name) == 0) {
            return i;
        }
    }
    return e->set.is_coco ? coco_find_name(&e->set.coco, name) : SIZE_MAX;
}

/* The classes of COCO are its categories: by name, or in the order of their ids where there are no names. Those of a .data
 * file with classes of its own: by name. */
static enum result match_by_name(struct evaluated *e, struct error *err)
{
    const struct model *model = &e->model;
    const struct eval_set *set = &e->set;
    size_t matched = 0;
    const char *what = set->is_coco ? "categories" : "classes";
    bool by_name = e->has_own_classes || (set->has_names && model->names_path[0]);
    if (!by_name && set->class_count != model->name_count) {
        return error_at(
            err, ERR_FORMAT, e->list, 0,
            "%zu categories, but the network has %zu classes, and there are no names to "
            "match them by (--names FILE)",
            set->class_count, model->name_count);
    }
    for (size_t k = 0; k < model->name_count; k++) {
        size_t found = by_name ? find_class(e, model->names[k]) : k;
        e->class_of[k] = found == SIZE_MAX ? -1 : (int)found;
        matched += found != SIZE_MAX;
    }
    if (matched == 0) {
        return error_at(err, ERR_FORMAT, e->list, 0,
                        "none of its %zu %s is named like a class of the network (%s)",
                        set->class_count, what, model->names_path);
    }
    if (matched < model->name_count) {
        log_info("%zu of the network's %zu classes are none of the %s of %s: left out",
                 model->name_count - matched, model->name_count, what, e->list);
    }
    if (matched < set->class_count) {
        log_warn("%zu of the %zu %s of %s are no class of the network: their objects are missed",
                 set->class_count - matched, set->class_count, what, e->list);
    }
    return OK;
}

static enum result match_classes(struct evaluated *e, struct error *err)
{
    size_t count = e->model.name_count;
    e->class_of = mem_alloc(count, sizeof *e->class_of);
    if (!e->class_of) {
        return mem_error(err, "classes");
    }
    for (size_t k = 0; k < count; k++) {
        e->class_of[k] = (int)k;
    }
    return e->set.is_coco || e->has_own_classes ? match_by_name(e, err) : OK;
}

/* Those of the network's classes, as the set numbers classes. */
static enum result match_thresholds(struct evaluated *e, struct error *err)
{
    const struct thresholds *t = &e->infer.thresholds;
    if (!t->of_class) {
        return OK;
    }
    e->thresholds = mem_alloc(e->set.class_count, sizeof *e->thresholds);
    if (!e->thresholds) {
        return mem_error(err, "thresholds");
    }
    for (size_t k = 0; k < e->set.class_count; k++) {
        e->thresholds[k] = t->rest;
    }
    for (size_t k = 0; k < e->model.name_count; k++) {
        if (e->class_of[k] >= 0) {
            e->thresholds[e->class_of[k]] = t->of_class[k];
        }
    }
    return OK;
}

/* ---- the network over the pictures ---- */

struct item {
    struct infer_slot infer; /* first: compute and destroy see nothing else */
    size_t picture;
};

struct run {
    struct evaluated *e;
    struct progress progress;
    size_t next, delivered, failures;
    struct infer_times times;
    bool has_failed;
    struct error err; /* why */
};

static int next_item(void *ctx, void *slot, struct error *err)
{
    (void)err;
    struct run *run = ctx;
    struct item *item = slot;
    if (run->next == run->e->set.count || interrupt_pending()) {
        return 0;
    }
    item->picture = run->next++;
    infer_start(&item->infer, run->e->set.pictures[item->picture].path);
    return 1;
}

static enum result load_item(void *ctx, void *slot, int part, int loader, struct error *err)
{
    (void)part, (void)err; /* a picture that cannot be read is an item that has failed */
    const struct run *run = ctx;
    struct item *item = slot;
    infer_load(&run->e->infer, &item->infer, loader);
    return OK;
}

static void compute_items(void *ctx, void *const *slots, int count)
{
    const struct run *run = ctx;
    infer_compute(&run->e->infer, slots, count);
}

/* The objects of a picture that could not be read are missed. */
static enum result take_failure(struct run *run, struct item *item, struct error *err)
{
    struct eval_picture *p = &run->e->set.pictures[item->picture];
    log_error("%s", item->infer.err.text);
    item->infer.record.error = item->infer.err.text;
    p->has_failed = true;
    run->failures++;
    return eval_set_size(&run->e->set, item->picture, p->w ? p->w : 1, p->h ? p->h : 1, err);
}

static enum result take_objects(struct run *run, const struct item *item, struct error *err)
{
    const struct result_record *record = &item->infer.record;
    struct eval_set *set = &run->e->set;
    TRY(eval_set_size(set, item->picture, record->width, record->height, err));
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        int class_id = run->e->class_of[o->class_id];
        if (class_id >= 0) {
            struct eval_detection d = eval_detection_of(&o->box, class_id, o->confidence);
            TRY(eval_set_add(set, item->picture, &d, err));
        }
    }
    infer_add_times(&run->e->infer, record, &run->times);
    return OK;
}

static void deliver_item(void *ctx, void *slot)
{
    struct run *run = ctx;
    struct item *item = slot;
    if (run->has_failed) {
        return;
    }
    enum result result = item->infer.has_failed ? take_failure(run, item, &run->err)
                                                : take_objects(run, item, &run->err);
    run->has_failed = result != OK;
    progress_step(&run->progress, ++run->delivered);
}

static bool is_stopped(void *ctx)
{
    const struct run *run = ctx;
    return run->has_failed || interrupt_pending();
}

static enum result run_network(struct evaluated *e, struct error *err)
{
    struct run run = {.e = e};
    infer_expect(&e->infer, e->set.count);
    const struct stream_hooks hooks = {
        .ctx = &run,
        .next = next_item,
        .load = load_item,
        .destroy = infer_destroy,
        .is_stopped = is_stopped,
    };
    const struct stream_options options = {
        .slot_bytes = sizeof(struct item),
        .batch = e->infer.batch,
        .loaders = e->infer.helpers,
    };
    const struct stream_work work = {compute_items, deliver_item};
    double start = clock_ms();
    progress_begin(&run.progress, "evaluation", e->set.count);
    enum result result = stream_run(&hooks, &options, &work, err);
    progress_end();
    if (run.has_failed) {
        *err = run.err;
        return run.err.code;
    }
    if (result == ERR_INTERRUPTED) {
        return error_set(err, ERR_INTERRUPTED, "interrupted after %zu of %zu pictures",
                         run.delivered, e->set.count);
    }
    TRY(result);
    e->failures += run.failures;
    if (run.times.images == 0 && e->o->shard.count > 0) {
        return OK; /* other shares may have some */
    }
    if (run.times.images == 0) {
        return error_at(err, ERR_IO, e->list, 0, "none of the %zu pictures could be read",
                        e->set.count);
    }
    infer_say_times(&run.times, clock_ms() - start);
    e->infer_ms = run.times.infer_ms / (double)run.times.images;
    return OK;
}

/* ---- shares ---- */

static void keep_share(struct evaluated *e)
{
    size_t first, end;
    e->all_pictures = e->set.count;
    shard_range(&e->o->shard, e->set.count, &first, &end);
    shard_say(&e->o->shard, e->set.count, "pictures", e->share, sizeof e->share);
    eval_set_keep(&e->set, first, end);
    log_info("%s", e->share);
}

/* What must agree among shares. */
static enum result write_share(struct evaluated *e, struct error *err)
{
    const struct evaluate_options *o = e->o;
    const struct network *net = &e->model.net;
    char network[40], weights[40], input[40], iou[40], boxes[40];
    snprintf(network, sizeof network, "%016" PRIx64, e->network_hash);
    snprintf(weights, sizeof weights, "%016" PRIx64, e->weights_hash);
    snprintf(input, sizeof input, "%dx%d", net->size.w, net->size.h);
    snprintf(iou, sizeof iou, "%.9g", (double)o->infer.iou);
    snprintf(boxes, sizeof boxes, "%d", o->infer.max_detections);
    const struct share_head head = {
        .shard = o->shard,
        .pictures = e->all_pictures,
        .settings = {{"network", network},
                     {"weights", weights},
                     {"imgsz", input},
                     {"fit", e->infer.way == IMAGE_LETTERBOX ? "letterbox" : "stretch"},
                     {"precision", o->model->precision == PRECISION_INT8 ? "int8" : "fp32"},
                     {"jpeg", o->model->jpeg == IMAGE_JPEG_TURBO ? "turbo" : "stb"},
                     {"conf", o->metrics.confidence},
                     {"iou", iou},
                     {"max-det", boxes}},
        .setting_count = 9,
        .thresholds = e->thresholds,
        .classes = e->set.names,
        .class_count = e->set.class_count,
    };
    TRY(share_file_write(e->share_path, &head, &e->set, err));
    log_info("%s", e->share_path);
    return OK;
}

/* A file of an earlier run must not be taken for that of one which fails. */
static enum result begin_share(struct evaluated *e, struct error *err)
{
    TRY(share_path(e->o->out, &e->o->shard, e->share_path, sizeof e->share_path, err));
    if (remove(e->share_path) != 0 && errno != ENOENT) {
        return error_errno(err, e->share_path, "cannot remove the old one");
    }
    return OK;
}

/* ---- all together ---- */

static enum result read_results(struct evaluated *e, struct error *err)
{
    const struct results_source source = {e->o->results, e->o->result_count, &e->head};
    struct results_counts counts;
    TRY(results_files_read(&source, &e->set, &counts, err));
    e->failures += counts.failures;
    if (counts.records > 0 && counts.records < e->set.count) {
        log_warn("%s: no record of %zu of the %zu pictures: nothing was found in them",
                 e->o->results[0], e->set.count - counts.records, e->set.count);
    }
    if (e->head.shard.count > 0 && e->failures == e->set.count) {
        return error_at(err, ERR_IO, e->list, 0, "none of the %zu pictures could be read",
                        e->set.count);
    }
    if (e->head.thresholds) {
        e->thresholds = e->head.thresholds;
        e->head.thresholds = NULL;
    }
    return OK;
}

/* ---- networks without boxes ---- */

/* A folder with parts: the one to validate on, else itself. */
static enum result find_part(struct evaluated *e, const char **path, struct error *err)
{
    *path = e->list;
    if (!path_is_dir(e->list) || e->file.path) { /* a part already: list points into file */
        return OK;
    }
    TRY(data_folder_read(e->list, &e->file, err));
    *path = e->o->uses_train || !e->file.valid ? e->file.train : e->file.valid;
    return OK;
}

/* As the run did with what it was trained on. */
static enum result standardize(struct evaluated *e, struct error *err)
{
    char path[PATH_MAX];
    struct feature_scale scale;
    if (!e->o->model->run || !e->samples.features) {
        return OK;
    }
    TRY(path_in(path, sizeof path, e->o->model->run, feature_scale_name, err));
    if (!path_exists(path)) {
        return OK;
    }
    enum result result = feature_scale_read(path, &scale, err);
    result = result == OK ? feature_scale_apply(&scale, &e->samples, err) : result;
    feature_scale_free(&scale);
    return result;
}

static enum result measure_values(struct evaluated *e, struct error *err)
{
    struct dataset_source source;
    const char *path;
    TRY(model_load(&e->model, err));
    TRY(find_part(e, &path, err));
    e->list = path;
    TRY(value_set_source(&e->model, path, &source, err));
    source.part = part_of(e);
    TRY(dataset_open(&source, &e->samples, err));
    TRY(standardize(e, err));
    e->failures += e->samples.faults[FAULT_NO_IMAGE];
    const struct validate_options options = {
        .set = &e->samples,
        .task = e->model.task,
        .names = e->model.names,
        .kernels = e->model.kernels,
        .quant = e->model.quant.layers ? &e->model.quant : NULL,
        .batch = e->o->infer.batch > 0 ? e->o->infer.batch : VALUE_BATCH,
        .loader_threads = 2,
        .is_stopped = interrupt_pending,
        .see = e->o->see,
        .ctx = e->o->ctx};
    TRY(train_validate(&options, &e->model.net, &e->values, err));
    e->failures += e->values.failures;
    return OK;
}

static bool is_split_folder(const struct evaluated *e)
{
    return e->o->uses_train && path_is_dir(e->list) && !e->file.path;
}

static enum result no_split(struct error *err)
{
    return error_set(err, ERR_ARG, "--split acts only on a .data file");
}

static enum result fill_set(struct evaluated *e, struct error *err)
{
    if (e->o->result_count > 0) {
        if (is_split_folder(e)) {
            return no_split(err);
        }
        TRY(share_head_read(e->o->results[0], &e->head, err));
        TRY(read_names(e, err));
        TRY(open_set(e, err));
        return read_results(e, err);
    }
    interrupt_catch(); /* from here on the run ends in order, however early the signal */
    TRY(open_model(e, err));
    if (e->is_of_values) {
        return measure_values(e, err);
    }
    if (is_split_folder(e)) {
        return no_split(err);
    }
    TRY(open_set(e, err));
    TRY(match_classes(e, err));
    TRY(match_thresholds(e, err));
    if (e->o->shard.count == 0) {
        return run_network(e, err);
    }
    keep_share(e);
    TRY(e->set.count > 0 ? run_network(e, err) : OK);
    return write_share(e, err);
}

/* "conf" of the shares. */
static const char *confidence_of(const struct evaluated *e)
{
    for (size_t i = 0; i < e->head.setting_count; i++) {
        if (strcmp(e->head.settings[i].name, "conf") == 0) {
            return e->head.settings[i].value;
        }
    }
    return e->o->metrics.confidence;
}

enum result evaluate(const struct evaluate_options *options, struct evaluated *e, struct error *err)
{
    e->o = options;
    TRY(find_source(e, err));
    if (options->out) {
        TRY(dir_make(options->out, err));
    }
    if (options->shard.count > 0) {
        TRY(begin_share(e, err));
    }
    TRY(fill_set(e, err));
    if (e->is_of_values) {
        return OK;
    }
    struct evaluation_options metrics = options->metrics;
    metrics.thresholds = e->thresholds;
    metrics.confidence = confidence_of(e);
    metrics.share = e->share[0] ? e->share : NULL;
    return evaluation_measure(&e->set, &metrics, &e->evaluation, err);
}

void evaluated_drop_network(struct evaluated *e)
{
    infer_close(&e->infer);
    model_close(&e->model);
}

void evaluated_free(struct evaluated *e)
{
    evaluated_drop_network(e);
    evaluation_free(&e->evaluation);
    eval_set_free(&e->set);
    validated_free(&e->values);
    dataset_free(&e->samples);
    data_file_free(&e->file);
    mem_free(e->names);
    mem_free(e->class_of);
    mem_free(e->thresholds);
    share_head_free(&e->head);
}
