#include "cli/cmd.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/data_source.h"
#include "base/json.h"
#include "base/options.h"
#include "doctor/advice.h"

enum { FORMAT_TEXT, FORMAT_JSON };
enum { DEFAULT_ANCHORS = 9, DEFAULT_SIZE = 416 };

struct anchors_args {
    const char *data, *images, *cfg, *write;
    struct option_size imgsz;
    int num, seed, generations, format;
    bool force;
};

#define FIELD(name) offsetof(struct anchors_args, name)

static const struct option anchors_options[] = {
    {"data", OPTION_STRING, FIELD(data), 0, 0, "FILE",
     DATA_HELP ", or a list of pictures: the training boxes", 0},
    {"images", OPTION_STRING, FIELD(images), 0, 0, "DIR", IMAGES_HELP, 0},
    {"cfg", OPTION_STRING, FIELD(cfg), 0, 0, "FILE", "the network whose anchors are compared", 0},
    {"imgsz|img-size|img", OPTION_SIZE, FIELD(imgsz), 8, 8192, "N|WxH",
     "network input size in place of the cfg's (without a cfg 416)", 0},
    {"num|num-of-clusters", OPTION_INT, FIELD(num), 1, ANCHORS_MAX, "N",
     "anchors wanted; default: as many as the cfg uses, without a cfg 9", 'n'},
    {"seed", OPTION_INT, FIELD(seed), 0, INT_MAX, "N", "of the search; same seed, same anchors", 0},
    {"generations", OPTION_INT, FIELD(generations), 0, 1000000, "N",
     "of genetic refinement behind k-means; 0 = k-means only", 0},
    {"write", OPTION_STRING, FIELD(write), 0, 0, "CFG",
     "write a copy of the cfg with the new anchors and masks", 0},
    {"force", OPTION_FLAG, FIELD(force), 0, 0, NULL, "let --write replace a file", 0},
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, "text|json", "output format", 0},
    {"json", OPTION_SET, FIELD(format), FORMAT_JSON, 0, NULL, "the same as --format json", 0},
    {0},
};

static const char about[] =
    "Anchors for the boxes of a data set: k-means with 1 - IoU as the "
    "distance, refined by mutations,\n"
    "against those of the cfg. IoU is that of two rectangles with one "
    "centre, at the network's size.\n"
    "Printed are the mean IoU of the boxes with their best anchors, the "
    "share of boxes above IoU 0.5,\n"
    "and the best possible recall: the share with an anchor within a "
    "factor of 4 in width and height.\n"
    "The old ones are to be kept unless the new ones gain 3 points of that "
    "share: a trained network would\n"
    "have to learn box sizes anew, and from random numbers anchors that are "
    "spread learn faster than\n"
    "such as fit closely (docs/recipe.md).\n";

struct anchors_job {
    const struct anchors_args *args;
    struct network net;
    struct anchor_heads heads; /* count == 0 without a cfg */
    struct dataset set;
    struct size_list sizes;
    int count; /* anchors wanted */
    struct anchor_advice *advice;
};

/* ---- reading ---- */

static enum result open_cfg(struct anchors_job *job, struct error *err)
{
    const struct anchors_args *args = job->args;
    job->heads.net_w = args->imgsz.w ? args->imgsz.w : DEFAULT_SIZE;
    job->heads.net_h = args->imgsz.h ? args->imgsz.h : DEFAULT_SIZE;
    job->count = args->num ? args->num : DEFAULT_ANCHORS;
    if (!args->cfg) {
        return OK;
    }
    TRY(option_need_file("cfg", args->cfg, err));
    TRY(network_read(args->cfg, args->imgsz.w, args->imgsz.h, &job->net, err));
    TRY(heads_read(&job->net, &job->heads, err));
    struct anchor used[ANCHORS_MAX];
    job->count = args->num ? args->num : heads_anchors(&job->heads, used, NULL);
    int slots[ANCHORS_MAX];
    return heads_share(&job->heads, job->count, slots, err);
}

static enum result open_set(struct anchors_job *job, struct error *err)
{
    struct dataset_source source = {.images = job->args->images, .leaves_out = true};
    struct data_file file;
    enum result result = data_source_train(job->args->data, &file, &source.path, err);
    source.class_count = (size_t)file.classes;
    result = result == OK ? images_act(source.images, source.path, NULL, err) : result;
    result = result == OK ? dataset_open(&source, &job->set, err) : result;
    data_file_free(&file);
    return result;
}

static enum result search(struct anchors_job *job, struct error *err)
{
    const struct anchor_search options = {
        .count = job->count,
        .seed = (uint64_t)job->args->seed,
        .restarts = ANCHOR_RESTARTS,
        .generations = job->args->generations,
    };
    job->advice = mem_alloc(1, sizeof *job->advice);
    if (!job->advice) {
        return mem_error(err, "anchors");
    }
    TRY(advice_sizes(&job->heads, &job->set, job->args->data, &job->sizes, err));
    return advice_find(&job->heads, &job->sizes, &options, job->advice, err);
}

/* ---- results ---- */

static void print_line(const char *title, const struct anchor *anchors, int count,
                       const struct anchor_fit *fit)
{
    printf(
        "%s  mean IoU %.1f %%, above 0.5: %.1f %%, best possible recall %.1f %%\n     anchors = ",
        title, 100 * fit->mean_iou, 100 * fit->recall50, 100 * fit->recall_factor4);
    for (int i = 0; i < count; i++) {
        printf("%g,%g%s", (double)anchors[i].w, (double)anchors[i].h, i + 1 < count ? ", " : "\n");
    }
}

static void print_text(const struct anchors_job *job)
{
    printf("%zu boxes of %zu pictures at %dx%d%s\n", job->sizes.count, job->set.sample_count,
           job->heads.net_w, job->heads.net_h, job->heads.letterbox ? ", letterbox" : "");
    const struct anchor_advice *a = job->advice;
    if (a->old_count > 0) {
        print_line("old", a->old, a->old_count, &a->old_fit);
    }
    print_line("new", a->found, a->count, &a->fit);
    printf("%s\n", a->text);
}

static cJSON *anchors_json(const struct anchor *anchors, int count, const struct anchor_fit *fit)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(object, "anchors");
    for (int i = 0; i < count; i++) {
        double pair[] = {(double)anchors[i].w, (double)anchors[i].h};
        cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(pair, 2));
    }
    json_add_rounded(object, "mean_iou", fit->mean_iou, 5);
    json_add_rounded(object, "recall50", fit->recall50, 5);
    json_add_rounded(object, "best_possible_recall", fit->recall_factor4, 5);
    return object;
}

static cJSON *job_json(const struct anchors_job *job)
{
    const struct anchor_advice *a = job->advice;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "images", (double)job->set.sample_count);
    cJSON_AddNumberToObject(root, "boxes", (double)job->sizes.count);
    cJSON_AddNumberToObject(root, "width", job->heads.net_w);
    cJSON_AddNumberToObject(root, "height", job->heads.net_h);
    cJSON_AddNumberToObject(root, "seed", job->args->seed);
    if (a->old_count > 0) {
        cJSON_AddItemToObject(root, "old", anchors_json(a->old, a->old_count, &a->old_fit));
        cJSON_AddStringToObject(root, "recommendation", a->keep ? "keep" : "change");
    }
    cJSON_AddItemToObject(root, "new", anchors_json(a->found, a->count, &a->fit));
    cJSON_AddStringToObject(root, "advice", a->text);
    return root;
}

/* ---- the command ---- */

static enum result check_args(const struct anchors_args *args, struct error *err)
{
    if (!args->data) {
        return error_set(
            err, ERR_ARG,
            "anchors: a data set is missing (a .data file, or a list of pictures, a folder, "
            "a COCO .json)");
    }
    if (!args->write) {
        return OK;
    }
    if (!args->cfg) {
        return error_set(err, ERR_ARG, "anchors: --write needs --cfg FILE to copy");
    }
    if (path_exists(args->write) && !args->force) {
        return error_at(err, ERR_ARG, args->write, 0, "exists (--force replaces it)");
    }
    return OK;
}

static enum result run_job(struct anchors_job *job, struct error *err)
{
    const struct anchors_args *args = job->args;
    TRY(check_args(args, err));
    TRY(open_cfg(job, err));
    if (args->write && (job->heads.net_w != job->net.options.width ||
                        job->heads.net_h != job->net.options.height)) {
        return error_set(err, ERR_ARG,
                         "--write: anchors are pixels of the cfg's own %dx%d, not of --imgsz %dx%d "
                         "(change width= and height= first)",
                         job->net.options.width, job->net.options.height, job->heads.net_w,
                         job->heads.net_h);
    }
    TRY(open_set(job, err));
    TRY(search(job, err));
    if (args->write) {
        TRY(heads_write(&job->heads, &job->net, job->advice->found, job->count, args->write, err));
        log_info("%s: written with the new anchors", args->write);
    }
    if (args->format == FORMAT_JSON) {
        return json_print(job_json(job), true, err);
    }
    print_text(job);
    return OK;
}

static enum result run_anchors(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct anchors_args args = {.generations = ANCHOR_GENERATIONS};
    const struct usage usage = {
        .command = "anchors",
        .arguments = "[DATA]",
        .about = about,
        .example = "yolo anchors --data data/my.data --cfg cfg/yolov4.cfg --write my.cfg",
        .groups = {{"Options", anchors_options, &args}},
    };
    const char *data;
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &data, 1, &done, err));
    if (data && args.data) {
        return error_set(err, ERR_ARG, "anchors: unexpected %s", data);
    }
    args.data = data ? data : args.data;
    if (done) {
        return OK;
    }
    struct anchors_job job = {.args = &args};
    enum result result = run_job(&job, err);
    size_list_free(&job.sizes);
    dataset_free(&job.set);
    mem_free(job.advice);
    heads_free(&job.heads);
    network_free(&job.net);
    return result;
}

const struct command cmd_anchors = {"anchors", "calc-anchors",
                                    "anchors of a data set against those of a cfg", run_anchors};
