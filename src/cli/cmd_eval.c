/* yolo eval: COCO metrics of a network on a data set, or of saved results (run/evaluate.c). */
#include "cli/cmd.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/fileio.h"
#include "base/json.h"
#include "report/class_report.h"
#include "report/compare_report.h"
#include "report/eval_files.h"
#include "report/eval_report.h"
#include "report/reconstructions.h"
#include "report/value_report.h"
#include "run/evaluate.h"
#include "train/validate.h"

enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
enum { POINTS_NONE, POINTS_0, POINTS_11, POINTS_101 };
enum { ABSENT_BY_RULES, ABSENT_ZERO, ABSENT_SKIP };

static const int DEFAULT_WORST = 20;

struct eval_args {
    const char *images;
    struct string_list results;
    const char *shard;
    int split;
    const char *confidence;
    float overlap; /* negative: not given */
    int fit, batch, max_detections;
    float threshold; /* negative: of best F1 */
    int points, rules, absent;
    float map_iou;
    int format;
    const char *out;
    int worst; /* negative: not given */
    bool compares;
    struct model_args model;
};

#define FIELD(name) offsetof(struct eval_args, name)

static const struct option data_options[] = {
    {"split", OPTION_CHOICE, FIELD(split), 0, 0, "valid|train", "which list of a .data file", 0},
    {"images", OPTION_STRING, FIELD(images), 0, 0, "DIR", IMAGES_HELP, 0},
    {"results", OPTION_LIST, FIELD(results), 0, 0, "FILE",
     "saved detections in place of a model's; once for each file of several, of all shares of a run, "
     "or a pattern in quotes",
     0},
    {"shard", OPTION_STRING, FIELD(shard), 0, 0, "I/N",
     "only share I of the N contiguous ones of the pictures, I from 1 to N: one process of a job "
     "array; what it found goes to the folder --out (default runs/eval), for --results",
     0},
    {"compare", OPTION_FLAG, FIELD(compares), 0, 0, NULL,
     "the words are folders of trainings: each is measured, and compared with the first", 0},
    {0},
};

static const struct option detection_options[] = {
    {"conf", OPTION_STRING, FIELD(confidence), 0, 0, "X|LIST|best",
     "count boxes whose confidence exceeds X, default 0.005 as in training; dog=.4,cat=.3,.25: by "
     "class; best: what a training (--run) found best for each class. By class also precision, "
     "recall and F1 are told there",
     0},
    {"iou|nms", OPTION_FLOAT, FIELD(overlap), 0, 1, "X",
     "of two boxes of a class that overlap more, drop the weaker; default 0.45", 0},
    {"max-det", OPTION_INT, FIELD(max_detections), 0, 1000000, "N",
     "at most N boxes a picture, best first; default 0 = all (COCO counts 100 a class)", 0},
    {"batch", OPTION_INT, FIELD(batch), 1, INFER_MAX_BATCH, "N",
     INFER_BATCH_HELP " (networks without boxes: 4)", 0},
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
    "DATA (or --data) is a .data file, a data.yaml or an .ndjson (its part to validate on; --split\n"
    "train), a folder, a COCO .json or a list of pictures; a list may be given beside the .data file\n"
    "of its classes. Without any: the data of --run, else data/tabletop.\n"
    "Classes of COCO's are matched to the network's by name. With --results no network runs; "
    "known\n"
    "are COCO's results, yolo detect --format json and jsonl, Darknet's -out file and what --shard\n"
    "wrote.\n"
    "\n"
    "With --shard I/N the numbers are those of the share, which they say, and DIR/share-I-of-N.jsonl\n"
    "gets what was found, exactly: yolo eval DATA --results 'DIR/share-*-of-N.jsonl' gives the very\n"
    "numbers of a run without --shard, and its --out the tables and charts. All of several files must\n"
    "be there and be of one network and one --conf, --iou, ...; a picture may be in one only. Of\n"
    "shares of yolo detect that can be told in part (docs/shards.md).\n"
    "\n"
    "Of a classifier (its network ends with [softmax]) it tells top-1, top-5, precision and\n"
    "recall by class, the loss, and with --out what was taken for what; DATA is a folder of class\n"
    "folders (or one with train/ and val/, valid/ or test/), a list whose paths name the classes,\n"
    "or such a .data file. Of networks that end with [cost] it tells the loss; DATA is then a\n"
    "table (.csv, .npy), or for an autoencoder pictures, which --out shows beside what the\n"
    "network makes of them. Options for boxes are refused.\n"
    "\n"
    "--points adds mAP as Darknet's `detector map` counts it (101 points: MS COCO in its words), "
    "or\n"
    "with --rules voc as PASCAL VOC does. Darknet averages over all classes, also those without "
    "an\n"
    "object in the set; --absent skip leaves these out. A value of -1 (text: -) means that there "
    "is\n"
    "nothing to measure. A picture that cannot be read counts as one in which nothing was found.\n"
    "--precision int8 measures a detector in fp32, too, and tells what int8 costs by class (yolo help\n"
    "quantize).\n"
    "\n"
    "--compare RUN RUN... prints one table of runs of yolo train: mAP@.5, mAP@.5:.95, updates and\n"
    "minutes of training, ms a picture, AP by class, what differs in their args.json; and of each\n"
    "difference to the first run the interval that holds 95 % of 1,000 draws of the pictures (paired\n"
    "bootstrap, docs/watching.md). All are measured on the same pictures: those of --data, else those\n"
    "of the first run. Their classes must be the same.\n";

static const char exit_codes[] =
    "0 done, 1 failed, 2 wrong usage or a wrong cfg, weights, truth or results file,\n"
    "3 done but some pictures or label lines could not be used, 130 interrupted.\n";

static enum result check_args(const struct eval_args *args, struct error *err)
{
    const struct model_args *m = &args->model;
    if (args->points == POINTS_NONE &&
        (args->rules || args->absent || args->map_iou < 0.5f || args->map_iou > 0.5f)) {
        return error_set(err, ERR_ARG, "--rules, --absent and --iou-thresh act only with --points");
    }
    TRY(thresholds_check(args->confidence, m->run, err));
    if (args->worst >= 0 && !args->out) {
        return error_set(err, ERR_ARG, "--worst acts only with --out");
    }
    if (args->shard && args->worst >= 0) {
        return error_set(err, ERR_ARG,
                         "--worst has no effect with --shard: charts and pictures are made of all "
                         "shares (--results)");
    }
    if (args->results.count == 0) {
        return OK;
    }
    for (size_t i = 0; i < args->results.count; i++) {
        if (!path_exists(args->results.items[i])) {
            return error_set(err, ERR_ARG, "--results %s: no such file", args->results.items[i]);
        }
    }
    const char *idle = m->cfg                       ? "--cfg"
                       : m->weights                 ? "--weights"
                       : m->model                   ? "--model"
                       : m->run                     ? "--run"
                       : m->imgsz.w                 ? "--imgsz"
                       : args->confidence           ? "--conf"
                       : args->overlap >= 0         ? "--iou"
                       : args->max_detections >= 0  ? "--max-det"
                       : args->fit == FIT_LETTERBOX ? "--letterbox"
                       : args->fit == FIT_STRETCH   ? "--stretch"
                       : args->batch > 0            ? "--batch"
                       : m->threads != 0            ? "--threads"
                       : m->cpu                     ? "--cpu"
                       : m->no_winograd             ? "--no-winograd"
                       : m->precision               ? "--precision"
                       : m->jpeg                    ? "--jpeg"
                       : args->shard                ? "--shard"
                                                    : NULL;
    if (idle) {
        return error_set(err, ERR_ARG, "%s has no effect with --results: no network runs", idle);
    }
    return OK;
}

/* What was given that another network than a detector has no use for. */
static const char *box_option(const struct eval_args *args)
{
    return args->confidence              ? "--conf"
           : args->overlap >= 0          ? "--iou"
           : args->max_detections >= 0   ? "--max-det"
           : args->threshold >= 0        ? "--thresh"
           : args->points != POINTS_NONE ? "--points"
           : args->worst >= 0            ? "--worst"
           : args->fit == FIT_LETTERBOX  ? "--letterbox"
           : args->fit == FIT_STRETCH    ? "--stretch"
                                         : NULL;
}

static struct evaluate_options options_of(const struct eval_args *args, const char *data)
{
    static const enum map_points points[] = {MAP_AREA, MAP_AREA, MAP_11, MAP_101};
    return (struct evaluate_options){
        .model = &args->model,
        .data = data,
        .uses_train = args->split,
        .images = args->images,
        .results = args->results.items,
        .result_count = args->results.count,
        .out = args->out || !args->shard ? args->out : "runs/eval",
        .box_option = box_option(args),
        .infer = {.confidence = args->confidence,
                  .rest_confidence = VALIDATE_CONFIDENCE,
                  .iou = args->overlap >= 0 ? args->overlap : VALIDATE_OVERLAP,
                  .fit = args->fit,
                  .batch = args->batch,
                  .max_detections = args->max_detections > 0 ? args->max_detections : 0},
        .metrics = {.threshold = (double)args->threshold,
                    .confidence = args->results.count > 0 ? NULL
                                  : args->confidence      ? args->confidence
                                                          : VALIDATE_CONFIDENCE_WORD,
                    .has_map = args->points != POINTS_NONE,
                    .rules = args->rules ? MAP_VOC : MAP_DARKNET,
                    .points = points[args->points],
                    .map_iou = (double)args->map_iou,
                    .absent_is_zero = args->absent == ABSENT_BY_RULES
                                          ? args->rules == MAP_DARKNET
                                          : args->absent == ABSENT_ZERO},
    };
}

/* ---- networks without boxes ---- */

static struct class_report class_report_of(const struct evaluated *found)
{
    return (struct class_report){.tally = &found->values.tally,
                                 .names = found->model.names,
                                 .loss = found->values.figures.loss,
                                 .failures = found->failures};
}

static struct value_report value_report_of(const struct evaluated *found)
{
    return (struct value_report){.tally = &found->values.errors,
                                 .loss = found->values.figures.loss,
                                 .samples = found->samples.sample_count,
                                 .failures = found->failures,
                                 .is_table = found->samples.features != NULL,
                                 .is_one_kind = found->model.task == TASK_RECONSTRUCT &&
                                                !found->samples.features};
}

static enum result print_errors(const struct evaluated *found, int format, struct error *err)
{
    const struct value_report report = value_report_of(found);
    switch (format) {
    case FORMAT_JSON:
        return value_report_json(&report, stdout, err);
    case FORMAT_CSV:
        value_report_csv(&report, stdout);
        return OK;
    default:
        value_report_text(&report, stdout);
        return OK;
    }
}

static enum result print_values(const struct evaluated *found, int format, struct error *err)
{
    const struct class_report report = class_report_of(found);
    log_info("%s: %zu %s", found->list, found->samples.sample_count,
             found->samples.features ? "rows" : "pictures");
    if (found->model.task != TASK_CLASSIFY) {
        return print_errors(found, format, err);
    }
    switch (format) {
    case FORMAT_JSON:
        return class_report_json(&report, stdout, err);
    case FORMAT_CSV:
        class_report_csv(&report, stdout);
        return OK;
    default:
        class_report_text(&report, stdout);
        return OK;
    }
}

static enum result write_values(const struct evaluated *found, struct reconstructions *pairs,
                                const char *folder, struct error *err)
{
    const struct class_report report = class_report_of(found);
    if (found->model.task == TASK_CLASSIFY) {
        return class_report_files(&report, folder, err);
    }
    const struct value_report errors = value_report_of(found);
    TRY(value_report_files(&errors, folder, err));
    return errors.is_one_kind ? reconstructions_write(pairs, folder, err) : OK;
}

static enum result print(const struct evaluated *found, int format, struct error *err)
{
    const struct evaluation *e = &found->evaluation;
    log_info("%s: %zu image%s, %zu object%s, %zu detection%s", found->list, e->images,
             e->images == 1 ? "" : "s", e->all.truths, e->all.truths == 1 ? "" : "s",
             e->all.detections, e->all.detections == 1 ? "" : "s");
    switch (format) {
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

/* The same pictures in fp32, for what int8 costs. */
struct in_fp32 {
    struct model_args model;
    struct evaluate_options options;
    struct evaluated found;
};

static enum result measure_fp32(const struct evaluate_options *options, struct in_fp32 *beside,
                                struct evaluated *found, struct error *err)
{
    if (options->model->precision != PRECISION_INT8 || found->is_of_values ||
        options->shard.count > 0) {
        return OK;
    }
    beside->model = *options->model;
    beside->model.precision = PRECISION_FP32;
    beside->options = *options;
    beside->options.model = &beside->model;
    beside->options.out = NULL;
    log_info("the same in fp32:");
    TRY(evaluate(&beside->options, &beside->found, err));
    found->evaluation.fp32 = &beside->found.evaluation;
    return OK;
}

static enum result run_eval(const struct eval_args *args, const char *data, int *status,
                            struct error *err)
{
    struct evaluate_options options = options_of(args, data);
    struct evaluated found = {0};
    struct in_fp32 beside = {0};
    struct reconstructions pairs = {0};
    options.see = args->out ? reconstructions_see : NULL;
    options.ctx = &pairs;
    enum result result = check_args(args, err);
    result = result == OK ? shard_parse(args->shard, &options.shard, err) : result;
    result = result == OK ? evaluate(&options, &found, err) : result;
    result = result == OK ? measure_fp32(&options, &beside, &found, err) : result;
    if (result == OK && found.is_of_values) {
        result = print_values(&found, args->format, err);
        result = result == OK && args->out ? write_values(&found, &pairs, args->out, err) : result;
    } else if (result == OK) {
        result = print(&found, args->format, err);
    }
    reconstructions_free(&pairs);
    if (result == OK && args->out && !found.is_of_values && !args->shard) {
        size_t worst = (size_t)(args->worst >= 0 ? args->worst : DEFAULT_WORST);
        result = eval_write_files(&found.evaluation, args->out, worst, err);
    }
    if (result == OK && found.failures + found.set.fault_count > 0) {
        log_warn("pictures that could not be read: %zu; label lines, annotations and listed "
                 "pictures left "
                 "out: %zu",
                 found.failures, found.set.fault_count);
        *status = STATUS_SOME_INPUTS_FAILED;
    }
    evaluated_free(&found);
    evaluated_free(&beside.found);
    return result;
}

/* What a comparison has no use for. */
static enum result check_compare(const struct eval_args *args, const struct string_list *folders,
                                 struct error *err)
{
    const struct model_args *m = &args->model;
    const char *idle = m->cfg                        ? "--cfg"
                       : m->weights                  ? "--weights"
                       : m->model                    ? "--model"
                       : m->run                      ? "--run"
                       : m->names                    ? "--names"
                       : args->results.count > 0     ? "--results"
                       : args->shard                 ? "--shard"
                       : args->threshold >= 0        ? "--thresh"
                       : args->points != POINTS_NONE ? "--points"
                       : args->out                   ? "--out"
                       : args->worst >= 0            ? "--worst"
                                                     : NULL;
    if (idle) {
        return error_set(err, ERR_ARG, "%s has no effect with --compare", idle);
    }
    for (size_t i = 0; i < folders->count; i++) {
        if (!path_is_dir(folders->items[i])) {
            return error_set(err, ERR_ARG, "%s: no such folder of a training", folders->items[i]);
        }
        TRY(thresholds_check(args->confidence, folders->items[i], err));
    }
    return OK;
}

static enum result print_comparison(const struct comparison *c, int format, struct error *err)
{
    const struct evaluated *first = &c->runs[0].found;
    log_info("%s: %zu images, %zu objects, %zu runs", first->list, first->set.count,
             first->evaluation.all.truths, c->count);
    switch (format) {
    case FORMAT_JSON:
        return compare_print_json(c, stdout, err);
    case FORMAT_CSV:
        compare_print_csv(c, stdout);
        return OK;
    default:
        compare_print_text(c, stdout);
        return OK;
    }
}

static enum result run_compare(const struct eval_args *args, const struct string_list *folders,
                               int *status, struct error *err)
{
    const struct evaluate_options options = options_of(args, NULL);
    struct comparison comparison = {0};
    enum result result = check_compare(args, folders, err);
    if (result == OK) {
        result = compare_runs(&options, folders->items, folders->count, &comparison, err);
    }
    result = result == OK ? print_comparison(&comparison, args->format, err) : result;
    if (result == OK && comparison.failures > 0) {
        log_warn("pictures, label lines and annotations that could not be used: %zu",
                 comparison.failures);
        *status = STATUS_SOME_INPUTS_FAILED;
    }
    comparison_free(&comparison);
    return result;
}

static enum result run_words(const struct eval_args *args, const struct string_list *words,
                             int *status, struct error *err)
{
    if (args->compares) {
        return run_compare(args, words, status, err);
    }
    if (words->count > 1) {
        error_set(err, ERR_ARG, "eval: unexpected %s", words->items[1]);
        return args->results.count > 0
                   ? error_hint(err, "--results once for each file, or a pattern in quotes")
                   : ERR_ARG;
    }
    return run_eval(args, words->count > 0 ? words->items[0] : NULL, status, err);
}

/* "runs/eval/share-*-of-4.jsonl": all of them, in the order of their names, which live in *found. */
static enum result expand_patterns(struct string_list *files, glob_t *found, struct error *err)
{
    struct string_list all = {0};
    enum result result = OK;
    for (size_t i = 0; i < files->count && result == OK; i++) {
        const char *file = files->items[i];
        size_t at = found->gl_pathc;
        bool is_pattern = !path_exists(file) && strpbrk(file, "*?[");
        if (is_pattern &&
            glob(file, found->gl_pathv ? GLOB_APPEND : 0, NULL, found) == GLOB_NOSPACE) {
            result = mem_error(err, file);
        }
        if (result == OK && at == found->gl_pathc) {
            result = string_list_add(&all, file, err);
        }
        for (; at < found->gl_pathc && result == OK; at++) {
            result = string_list_add(&all, found->gl_pathv[at], err);
        }
    }
    string_list_free(files);
    *files = all;
    return result;
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct eval_args args = {
        .overlap = -1, .max_detections = -1, .worst = -1, .threshold = -1, .map_iou = 0.5f};
    const struct usage usage = {
        .command = "eval",
        .arguments = "[DATA | --compare RUN...]",
        .about = about,
        .example = "yolo eval obj.data --run runs/train/exp --points 101",
        .exit_codes = exit_codes,
        .groups = {{"Data", data_options, &args},
                   {"Detection", detection_options, &args},
                   {"Fit into the network's input", fit_options, &args.fit},
                   {"Metrics", metric_options, &args},
                   {"JPEG files", picture_options, &args.model},
                   {"Model", model_options, &args.model},
                   {"Arithmetic", precision_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    struct string_list words = {0};
    bool done = false;
    enum result result = options_parse(&usage, argc, argv, &words, &done, err);
    glob_t found = {0};
    if (result == OK && !done) {
        result = expand_patterns(&args.results, &found, err);
        result = result == OK ? run_words(&args, &words, status, err) : result;
    }
    globfree(&found);
    string_list_free(&args.results);
    string_list_free(&words);
    return result;
}

const struct command cmd_eval = {
    .name = "eval",
    .aliases = "val|map",
    .summary = "COCO metrics of a network on labelled pictures, or of saved results",
    .run = run,
};
