/* yolo eval: COCO metrics of a network on a data set, or of saved results. Options and sources; the
 * run is in eval_run.c, what is printed in eval_report.c. */
#include "cli/cmd.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "base/memory.h"
#include "cfg/data_file.h"
#include "report/eval_files.h"
#include "report/eval_report.h"
#include "run/eval_run.h"
#include "base/interrupt.h"
#include "run/model.h"
#include "base/options.h"
#include "train/validate.h"
#include "data/inputs.h"
#include "eval/evaluation.h"
#include "results/results_file.h"

enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
enum { POINTS_NONE, POINTS_0, POINTS_11, POINTS_101 };
enum { ABSENT_BY_RULES, ABSENT_ZERO, ABSENT_SKIP };

static const int DEFAULT_BATCH = 4, DEFAULT_WORST = 20;

struct eval_args {
    const char *images, *results;
    int split;
    float confidence, overlap; /* negative: not given */
    int fit, batch, max_detections;
    float threshold; /* negative: of best F1 */
    int points, rules, absent;
    float map_iou;
    int format;
    const char *out;
    int worst; /* negative: not given */
    struct model_args model;
};

#define FIELD(name) offsetof(struct eval_args, name)

static const struct option data_options[] = {
    {"split", OPTION_CHOICE, FIELD(split), 0, 0, "valid|train", "which list of a .data file", 0},
    {"images", OPTION_STRING, FIELD(images), 0, 0, "DIR",
     "COCO: the folder of the pictures, if not the .json's own", 0},
    {"results", OPTION_STRING, FIELD(results), 0, 0, "FILE",
     "saved detections in place of a model's", 0},
    {0},
};

static const struct option detection_options[] = {
    {"conf", OPTION_FLOAT, FIELD(confidence), 0, 1, "X",
     "count boxes whose confidence exceeds X, default 0.005 as in training", 0},
    {"iou|nms", OPTION_FLOAT, FIELD(overlap), 0, 1, "X",
     "of two boxes of a class that overlap more, drop the weaker; default 0.45", 0},
    {"max-det", OPTION_INT, FIELD(max_detections), 0, 1000000, "N",
     "at most N boxes a picture, best first; default 0 = all (COCO counts 100 a class)", 0},
    {"letterbox|letter-box", OPTION_SET, FIELD(fit), FIT_LETTERBOX, 0, NULL,
     "keep each picture's shape, grey borders (default: what the cfg says)", 0},
    {"stretch", OPTION_SET, FIELD(fit), FIT_STRETCH, 0, NULL,
     "fit each picture into the input whatever its shape", 0},
    {"batch", OPTION_INT, FIELD(batch), 1, INFER_MAX_BATCH, "N",
     "pictures computed together, default 4", 0},
    {0},
};

static const struct option metric_options[] = {
    {"thresh|threshold", OPTION_FLOAT, FIELD(threshold), 0, 1, "X",
     "confidence at which precision, recall and F1 are told; default: where F1 is best", 0},
    {"points", OPTION_CHOICE, FIELD(points), 0, 0, "none|0|11|101",
     "also mAP by other rules: 0 = area under the curve, 11 or 101 points of recall", 0},
    {"rules", OPTION_CHOICE, FIELD(rules), 0, 0, "darknet|voc", "whose rules, with --points", 0},
    {"absent", OPTION_CHOICE, FIELD(absent), 0, 0, "rules|zero|skip",
     "with --points: classes without objects count 0 (Darknet's rule) or not (VOC's)", 0},
    {"iou-thresh|map-iou", OPTION_FLOAT, FIELD(map_iou), 0.01, 0.99, "X",
     "with --points: overlap from which a detection is right", 0},
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, "text|json|csv",
     "what goes to stdout (names in csv stand as they are, see yolo help detect)", 0},
    {"out", OPTION_STRING, FIELD(out), 0, 0, "DIR",
     "write tables and charts (curves, confusion, calibration) and the worst pictures there", 'o'},
    {"worst", OPTION_INT, FIELD(worst), 0, 100000, "N",
     "with --out: draw the N pictures with most misses and false alarms, default 20", 0},
    {"dont-show|ext-output", OPTION_NOTHING, 0, 0, 0, NULL,
     "Darknet's; no window is ever shown, detect prints coordinates", 0},
    {"gpus|i", OPTION_NOTHING, 0, 0, 0, "LIST", "Darknet's; everything runs on the CPU", 0},
    {0},
};

static const char about[] =
    "How good a network is on labelled pictures: COCO's twelve numbers as pycocotools counts "
    "them,\n"
    "and per class AP, precision, recall, F1 and the confidence threshold of the best F1 (IoU "
    ".50).\n"
    "\n"
    "DATA (or --data) is a .data file (its valid= list; --split train), a list of pictures or a\n"
    "folder with label files, or a COCO annotation .json; a list may be given beside the .data "
    "file\n"
    "of its classes. Without any: the data of --run, else data/tabletop.\n"
    "Classes of COCO's are matched to the network's by name. With --results no network runs; "
    "known\n"
    "are COCO's results, yolo detect --format json and jsonl, and Darknet's -out file.\n"
    "\n"
    "--points adds mAP as Darknet's `detector map` counts it (101 points: MS COCO in its words), "
    "or\n"
    "with --rules voc as PASCAL VOC does. Darknet averages over all classes, also those without "
    "an\n"
    "object in the set; --absent skip leaves these out. A value of -1 (text: -) means that there "
    "is\n"
    "nothing to measure. A picture that cannot be read counts as one in which nothing was found.\n";

static const char exit_codes[] =
    "0 done, 1 failed, 2 wrong usage or a wrong cfg, weights, truth or results file,\n"
    "3 done but some pictures or label lines could not be used, 130 interrupted.\n";

/* ---- where truths come from ---- */

/* What an evaluation borrows; freed by release. */
struct job {
    struct eval_args *args;
    char bundled[PATH_MAX], of_run[PATH_MAX];
    struct data_file file; /* if there is a .data file */
    const char *list;      /* list, folder or .json */
    struct model model;
    struct infer infer;
    char **names; /* of --names or the .data file, if there is no model */
    size_t name_count;
    struct eval_set set;
    int *class_of;
    struct evaluation evaluation;
    size_t failures;
};

static void release(struct job *job)
{
    evaluation_free(&job->evaluation);
    eval_set_free(&job->set);
    infer_close(&job->infer);
    model_close(&job->model);
    data_file_free(&job->file);
    mem_free(job->names);
    mem_free(job->class_of);
}

static bool is_data_file(const char *path)
{
    return path_ends_in(path, ".data");
}

/* "data" of a training run's args.json. */
static enum result data_of_run(const char *folder, char *out, size_t size, struct error *err)
{
    char path[PATH_MAX];
    struct json_reader r;
    TRY(path_in(path, sizeof path, folder, "args.json", err));
    if (json_open(&r, path, err) == OK && json_begin_object(&r)) {
        while (json_next_key(&r)) {
            if (json_key_is(&r, "data")) {
                json_string(&r, out, size);
            } else {
                json_skip(&r);
            }
        }
    }
    enum result result = json_result(&r);
    json_close(&r);
    if (result == OK && !out[0]) {
        result =
            error_at(err, ERR_FORMAT, path, 0, "no \"data\" in it (name the data with --data)");
    }
    return result;
}

/* The .data file, the list, or both. */
static enum result find_source(struct job *job, const char *positional, struct error *err)
{
    struct eval_args *args = job->args;
    const char *data = args->model.data;
    const char *list = NULL;
    if (positional && data && (is_data_file(positional) || !is_data_file(data))) {
        return error_set(err, ERR_ARG, "two data sets: %s and --data %s", positional, data);
    }
    if (positional && is_data_file(positional)) {
        data = positional;
    } else if (positional) {
        list = positional;
    } else if (data && !is_data_file(data)) {
        list = data;
        data = NULL;
    }
    if (!data && !list && args->model.run) {
        TRY(data_of_run(args->model.run, job->of_run, sizeof job->of_run, err));
        data = job->of_run;
    }
    if (!data && !list && !model_find_bundled("data/tabletop", "tabletop", "data", job->bundled)) {
        return error_set(err, ERR_ARG,
                         "which pictures? There is no data/tabletop/tabletop.data (name a .data "
                         "file, a list or a COCO .json)");
    }
    if (!data && !list) {
        data = job->bundled;
    }
    if (data) {
        TRY(data_file_read(data, &job->file, err));
    }
    if (list && args->split) {
        return error_set(err, ERR_ARG, "--split acts only on a .data file");
    }
    enum data_key key = args->split ? DATA_TRAIN : DATA_VALID;
    if (!list) {
        TRY(data_file_need(&job->file, key, err));
        list = key == DATA_TRAIN ? job->file.train : job->file.valid;
    }
    job->list = list;
    if (args->results && args->model.names && dataset_is_coco(list)) {
        return error_set(err, ERR_ARG, "--names has no effect: the classes are those of %s", list);
    }
    if (args->images && !dataset_is_coco(list)) {
        return error_set(err, ERR_ARG, "--images acts only with a COCO .json as DATA");
    }
    return OK;
}

static enum result check_args(const struct eval_args *args, struct error *err)
{
    const struct model_args *m = &args->model;
    if (args->points == POINTS_NONE &&
        (args->rules || args->absent || args->map_iou < 0.5f || args->map_iou > 0.5f)) {
        return error_set(err, ERR_ARG, "--rules, --absent and --iou-thresh act only with --points");
    }
    if (args->worst >= 0 && !args->out) {
        return error_set(err, ERR_ARG, "--worst acts only with --out");
    }
    if (!args->results) {
        return OK;
    }
    if (!path_exists(args->results)) {
        return error_set(err, ERR_ARG, "--results %s: no such file", args->results);
    }
    const char *idle = m->cfg                       ? "--cfg"
                       : m->weights                 ? "--weights"
                       : m->model                   ? "--model"
                       : m->run                     ? "--run"
                       : m->imgsz.w                 ? "--imgsz"
                       : args->confidence >= 0      ? "--conf"
                       : args->overlap >= 0         ? "--iou"
                       : args->max_detections >= 0  ? "--max-det"
                       : args->fit == FIT_LETTERBOX ? "--letterbox"
                       : args->fit == FIT_STRETCH   ? "--stretch"
                       : args->batch > 0            ? "--batch"
                       : m->threads != 0            ? "--threads"
                       : m->cpu                     ? "--cpu"
                       : m->no_winograd             ? "--no-winograd"
                                                    : NULL;
    if (idle) {
        return error_set(err, ERR_ARG, "%s has no effect with --results: no network runs", idle);
    }
    return OK;
}

/* ---- the network and its classes ---- */

static enum result open_model(struct job *job, struct error *err)
{
    const struct eval_args *args = job->args;
    struct model_args model = args->model;
    model.data = NULL;
    if (!model.names && !model.run && job->file.names) {
        TRY(data_file_need(&job->file, DATA_NAMES, err));
        model.names = job->file.names;
    }
    TRY(model_open(&model, MODEL_WHOLE, &job->model, err));
    const struct infer_args infer = {
        .confidence = args->confidence >= 0 ? args->confidence : VALIDATE_CONFIDENCE,
        .iou = args->overlap >= 0 ? args->overlap : VALIDATE_OVERLAP,
        .fit = args->fit,
        .batch = args->batch > 0 ? args->batch : DEFAULT_BATCH,
        .max_detections = args->max_detections > 0 ? args->max_detections : 0,
    };
    TRY(infer_open(&job->model, &infer, &job->infer, err));
    if (job->file.classes && (size_t)job->file.classes != job->model.name_count) {
        return error_at(err, ERR_FORMAT, job->file.path, 0,
                        "classes = %d, but the network %s has %zu", job->file.classes,
                        job->model.cfg_path, job->model.name_count);
    }
    return OK;
}

static enum result read_names(struct job *job, struct error *err)
{
    const char *path = job->args->model.names;
    if (!path && job->file.names) {
        TRY(data_file_need(&job->file, DATA_NAMES, err));
        path = job->file.names;
    }
    return path ? names_read(path, &job->names, &job->name_count, err) : OK;
}

static enum result open_set(struct job *job, struct error *err)
{
    bool has_model = !job->args->results;
    struct eval_source source = {
        .path = job->list,
        .images = job->args->images,
        .names = has_model ? job->model.names : job->names,
        .class_count = has_model ? job->model.name_count : job->name_count,
        .needs_files = has_model,
    };
    if (!has_model && job->file.classes) {
        source.class_count = (size_t)job->file.classes;
        source.names = job->name_count >= source.class_count ? source.names : NULL;
    }
    return eval_set_open(&source, &job->set, err);
}

/* COCO's classes are its categories: by name, or in the order of their ids where there are no
 * names. */
static enum result match_categories(struct job *job, struct error *err)
{
    const struct model *model = &job->model;
    const struct eval_set *set = &job->set;
    size_t matched = 0;
    bool by_name = set->has_names && model->names_path[0];
    if (!by_name && set->class_count != model->name_count) {
        return error_at(
            err, ERR_FORMAT, job->list, 0,
            "%zu categories, but the network has %zu classes, and there are no names to "
            "match them by (--names FILE)",
            set->class_count, model->name_count);
    }
    for (size_t k = 0; k < model->name_count; k++) {
        size_t found = by_name ? coco_find_name(&set->coco, model->names[k]) : k;
        job->class_of[k] = found == SIZE_MAX ? -1 : (int)found;
        matched += found != SIZE_MAX;
    }
    if (matched == 0) {
        return error_at(err, ERR_FORMAT, job->list, 0,
                        "none of its %zu categories is named like a class of the network (%s)",
                        set->class_count, model->names_path);
    }
    if (matched < model->name_count) {
        log_info("%zu of the network's %zu classes are no category of %s: left out",
                 model->name_count - matched, model->name_count, job->list);
    }
    if (matched < set->class_count) {
        log_warn("%zu of the %zu categories of %s are no class of the network: their objects are "
                 "missed",
                 set->class_count - matched, set->class_count, job->list);
    }
    return OK;
}

static enum result match_classes(struct job *job, struct error *err)
{
    size_t count = job->model.name_count;
    job->class_of = mem_alloc(count, sizeof *job->class_of);
    if (!job->class_of) {
        return mem_error(err, "classes");
    }
    for (size_t k = 0; k < count; k++) {
        job->class_of[k] = (int)k;
    }
    return job->set.is_coco ? match_categories(job, err) : OK;
}

/* ---- all together ---- */

static enum result detect(struct job *job, struct error *err)
{
    struct eval_job run = {.infer = &job->infer, .set = &job->set, .class_of = job->class_of};
    struct eval_totals t;
    TRY(eval_detect(&run, &t, err));
    double images = (double)(job->set.count - t.failures);
    if (images < 1) {
        return error_at(err, ERR_IO, job->list, 0, "none of the %zu pictures could be read",
                        job->set.count);
    }
    log_info("ms an image: load %.1f, infer %.1f, post %.1f; %.1f images/s", t.load_ms / images,
             t.infer_ms / images, t.post_ms / images, images * 1e3 / t.wall_ms);
    job->failures += t.failures;
    return OK;
}

static enum result read_results(struct job *job, struct error *err)
{
    struct results_counts counts;
    TRY(results_file_read(job->args->results, &job->set, &counts, err));
    job->failures += counts.failures;
    if (counts.records > 0 && counts.records < job->set.count) {
        log_warn("%s: no record of %zu of the %zu pictures: nothing was found in them",
                 job->args->results, job->set.count - counts.records, job->set.count);
    }
    return OK;
}

static enum result fill_set(struct job *job, struct error *err)
{
    if (job->args->results) {
        TRY(read_names(job, err));
        TRY(open_set(job, err));
        return read_results(job, err);
    }
    interrupt_catch(); /* from here on the run ends in order, however early the signal */
    TRY(open_model(job, err));
    TRY(open_set(job, err));
    TRY(match_classes(job, err));
    return detect(job, err);
}

static enum result measure(struct job *job, struct error *err)
{
    static const enum map_points points[] = {MAP_AREA, MAP_AREA, MAP_11, MAP_101};
    const struct eval_args *args = job->args;
    const struct evaluation_options options = {
        .threshold = (double)args->threshold,
        .has_map = args->points != POINTS_NONE,
        .rules = args->rules ? MAP_VOC : MAP_DARKNET,
        .points = points[args->points],
        .map_iou = (double)args->map_iou,
        .absent_is_zero = args->absent == ABSENT_BY_RULES ? args->rules == MAP_DARKNET
                                                          : args->absent == ABSENT_ZERO,
    };
    return evaluation_measure(&job->set, &options, &job->evaluation, err);
}

static enum result print(const struct job *job, struct error *err)
{
    const struct evaluation *e = &job->evaluation;
    log_info("%s: %zu image%s, %zu object%s, %zu detection%s", job->list, e->images,
             e->images == 1 ? "" : "s", e->all.truths, e->all.truths == 1 ? "" : "s",
             e->all.detections, e->all.detections == 1 ? "" : "s");
    switch (job->args->format) {
    case FORMAT_JSON:
        return eval_print_json(e, stdout, err);
    case FORMAT_CSV:
        eval_print_csv(e, stdout);
        return OK;
    default:
        eval_print_text(e, stdout);
        return OK;
    }
}

static enum result evaluate(struct eval_args *args, const char *positional, int *status,
                            struct error *err)
{
    struct job job = {.args = args};
    enum result result = check_args(args, err);
    result = result == OK ? find_source(&job, positional, err) : result;
    result = result == OK && args->out ? dir_make(args->out, err) : result;
    result = result == OK ? fill_set(&job, err) : result;
    result = result == OK ? measure(&job, err) : result;
    result = result == OK ? print(&job, err) : result;
    if (result == OK && args->out) {
        size_t worst = (size_t)(args->worst >= 0 ? args->worst : DEFAULT_WORST);
        result = eval_write_files(&job.evaluation, args->out, worst, err);
    }
    size_t faults = job.failures + job.set.fault_count;
    if (result == OK && faults > 0) {
        log_warn("pictures that could not be read: %zu; label lines, annotations and listed "
                 "pictures left "
                 "out: %zu",
                 job.failures, job.set.fault_count);
        *status = STATUS_SOME_INPUTS_FAILED;
    }
    release(&job);
    return result;
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct eval_args args = {.confidence = -1,
                             .overlap = -1,
                             .max_detections = -1,
                             .worst = -1,
                             .threshold = -1,
                             .map_iou = 0.5f};
    const struct usage usage = {
        .command = "eval",
        .arguments = "[DATA]",
        .about = about,
        .example = "yolo eval obj.data --run runs/train/exp --points 101",
        .exit_codes = exit_codes,
        .groups = {{"Data", data_options, &args},
                   {"Detection", detection_options, &args},
                   {"Metrics", metric_options, &args},
                   {"Model", model_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    struct string_list rest = {0};
    bool done = false;
    enum result result = options_parse(&usage, argc, argv, &rest, &done, err);
    if (result == OK && !done && rest.count > 1) {
        result = error_set(err, ERR_ARG, "eval: unexpected %s", rest.items[1]);
    }
    if (result == OK && !done) {
        result = evaluate(&args, rest.count ? rest.items[0] : NULL, status, err);
    }
    string_list_free(&rest);
    return result;
}

const struct command cmd_eval = {
    .name = "eval",
    .aliases = "val|map",
    .summary = "COCO metrics of a network on labelled pictures, or of saved results",
    .run = run,
};
