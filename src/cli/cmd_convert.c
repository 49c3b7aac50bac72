#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/data_source.h"
#include "data/convert.h"
#include "base/options.h"
#include "data/inputs.h"

struct convert_args {
    const char *out, *names, *annotations;
    struct string_list images;
    bool keep_crowds, copy;
};

#define FIELD(name) offsetof(struct convert_args, name)

static const struct option convert_options[] = {
    {"out", OPTION_STRING, FIELD(out), 0, 0, "PATH",
     "to YOLO: a new folder; to COCO: a new .json, or a folder for train.json and valid.json of a "
     ".data "
     "file",
     'o'},
    {0},
};

static const struct option from_options[] = {
    {"images", OPTION_LIST, FIELD(images), 0, 0, "DIR", IMAGES_HELP "; one for all, or one a file",
     0},
    {"keep-crowds", OPTION_FLAG, FIELD(keep_crowds), 0, 0, NULL,
     "take crowd regions as ordinary boxes; else they are left out", 0},
    {"copy", OPTION_FLAG, FIELD(copy), 0, 0, NULL, "copy the pictures; else they are linked", 0},
    {0},
};

static const struct option to_options[] = {
    {"names", OPTION_STRING, FIELD(names), 0, 0, "FILE",
     "class names; default: those of the .data file", 0},
    {"annotations", OPTION_STRING, FIELD(annotations), 0, 0, "FILE",
     "a COCO file to take the ids of pictures and categories from, by their names; else pictures "
     "count from 1, and a category's id is its class + 1",
     0},
    {0},
};

static const char about[] =
    "COCO annotation files (.json) to YOLO labels, lists, names and a .data file; anything else (a\n"
    ".data file, a data.yaml, an .ndjson, a folder, a list of pictures) to COCO. Classes\n"
    "are the categories in the order of their ids, whatever gaps these have. Pictures without boxes\n"
    "stay in the set. What cannot be\n"
    "taken (boxes without area or outside, pictures that are not there) is reported with its place\n"
    "and left out; a picture of which a label line or an annotation cannot be used (no box, no such\n"
    "class) is left out whole: without that object it would count as background there. Width and\n"
    "height that an image lacks are its picture's. A folder images in a file_name becomes images_,\n"
    "as labels are found by that name. JSON is UTF-8: a picture whose name is not stays out of it.\n"
    "Going there and back changes no box by more than a thousandth of a pixel.\n"
    "For Pascal VOC: scripts/voc_to_yolo.py.\n";

static enum result missing_out(const char *what, struct error *err)
{
    return error_set(err, ERR_ARG, "convert: --out is missing: %s", what);
}

static enum result refuse(bool is_given, const char *option, const char *direction,
                          struct error *err)
{
    return is_given ? error_set(err, ERR_ARG, "convert: --%s acts only %s", option, direction) : OK;
}

static void report(const char *out, const struct convert_counts *counts)
{
    char crowds[96] = "", lost[96] = "";
    if (counts->crowds > 0) {
        snprintf(crowds, sizeof crowds, "; %zu crowd regions left out (--keep-crowds)",
                 counts->crowds);
    }
    if (counts->lost > 0) {
        snprintf(lost, sizeof lost, "; %zu faulty entries left out", counts->lost);
    }
    log_info("%s: %zu pictures, %zu boxes%s%s", out, counts->pictures, counts->boxes, crowds, lost);
}

/* ---- from COCO ---- */

static enum result run_from(const struct convert_args *args, const struct string_list *inputs,
                            int *status, struct error *err)
{
    const struct convert_from_coco job = {
        .paths = inputs->items,
        .count = inputs->count,
        .images = args->images.items,
        .image_count = args->images.count,
        .out = args->out,
        .keep_crowds = args->keep_crowds,
        .copy = args->copy,
    };
    struct convert_counts counts;
    if (args->images.count > 1 && args->images.count != inputs->count) {
        return error_set(err, ERR_ARG,
                         "convert: %zu --images for %zu files (one for all, or one a file)",
                         args->images.count, inputs->count);
    }
    TRY(refuse(args->names, "names", "when converting to COCO", err));
    TRY(refuse(args->annotations, "annotations", "when converting to COCO", err));
    for (size_t i = 0; i < args->images.count; i++) {
        TRY(option_need_folder("images", args->images.items[i], err));
    }
    if (!args->out) {
        return missing_out("a new folder", err);
    }
    TRY(convert_from_coco(&job, &counts, err));
    report(args->out, &counts);
    *status = counts.lost > 0 ? STATUS_SOME_INPUTS_FAILED : STATUS_OK;
    return OK;
}

/* ---- to COCO ---- */

struct to_coco {
    const struct convert_args *args;
    struct data_file data;
    char **names;
    size_t name_count;
};

static enum result convert_one(const struct to_coco *to, const char *path, enum data_part part,
                               const char *out, int *status, struct error *err)
{
    const struct convert_to_coco job = {.path = path,
                                        .part = part,
                                        .names = to->names,
                                        .name_count = to->name_count,
                                        .annotations = to->args->annotations,
                                        .out = out};
    char root[CONVERT_PATH];
    struct convert_counts counts;
    if (path_exists(out)) {
        return error_at(err, ERR_ARG, out, 0, "exists (another --out is expected)");
    }
    TRY(convert_to_coco(&job, root, &counts, err));
    report(out, &counts);
    log_info("%s: file_name counts from %s", out, root[0] ? root : "the working directory");
    if (counts.lost > 0) {
        *status = STATUS_SOME_INPUTS_FAILED;
    }
    return OK;
}

/* OUT itself if it is a .json, else OUT/role.json. */
static enum result out_path(const struct convert_args *args, const char *role, char *out,
                            struct error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s.json", role);
    if (path_ends_in(args->out, ".json")) {
        return path_join(out, CONVERT_PATH, "", args->out)
                   ? OK
                   : error_set(err, ERR_ARG, "--out: path too long");
    }
    TRY(dir_make(args->out, err));
    return path_join(out, CONVERT_PATH, args->out, name)
               ? OK
               : error_set(err, ERR_ARG, "--out: path too long");
}

static enum result convert_data(struct to_coco *to, int *status, struct error *err)
{
    char out[CONVERT_PATH];
    const struct data_file *data = &to->data;
    if (data->train && data->valid && path_ends_in(to->args->out, ".json")) {
        return error_set(err, ERR_ARG,
                         "convert: %s has two sets: --out names a folder for train.json and "
                         "valid.json",
                         data->path);
    }
    if (data->train && data->valid && to->args->annotations) {
        return error_set(err, ERR_ARG,
                         "convert: %s has two sets, and --annotations has the ids of one (convert "
                         "its lists one by one)",
                         data->path);
    }
    if (!data->train && !data->valid) {
        return data_file_need(data, DATA_TRAIN, err);
    }
    if (data->train) {
        TRY(data_file_need(data, DATA_TRAIN, err));
        TRY(out_path(to->args, "train", out, err));
        TRY(convert_one(to, data->train, DATA_PART_TRAIN, out, status, err));
    }
    if (data->valid) {
        TRY(data_file_need(data, DATA_VALID, err));
        TRY(out_path(to->args, "valid", out, err));
        TRY(convert_one(to, data->valid, DATA_PART_VALID, out, status, err));
    }
    return OK;
}

static enum result open_names(struct to_coco *to, struct error *err)
{
    const char *path = to->args->names;
    if (!path && to->data.names) {
        TRY(data_file_need(&to->data, DATA_NAMES, err));
        path = to->data.names;
    }
    if (!path && to->args->annotations) {
        return error_set(err, ERR_ARG,
                         "convert: --annotations finds categories by name: --names is missing");
    }
    return path ? names_read(path, &to->names, &to->name_count, err) : OK;
}

static enum result run_to(const struct convert_args *args, const struct string_list *inputs,
                          int *status, struct error *err)
{
    struct to_coco to = {.args = args};
    const char *input = inputs->items[0];
    TRY(refuse(args->images.count > 0, "images", "when converting from COCO", err));
    TRY(refuse(args->keep_crowds, "keep-crowds", "when converting from COCO", err));
    TRY(refuse(args->copy, "copy", "when converting from COCO", err));
    TRY(option_need_file("names", args->names, err));
    TRY(option_need_file("annotations", args->annotations, err));
    if (inputs->count > 1) {
        return error_set(err, ERR_ARG,
                         "convert: unexpected %s (one data set at a time goes to COCO)",
                         inputs->items[1]);
    }
    if (!args->out) {
        return missing_out("a new .json, or a folder", err);
    }
    bool is_data = data_is_description(input);
    enum result result = is_data ? data_source_read(input, &to.data, err) : OK;
    result = result == OK ? open_names(&to, err) : result;
    if (result == OK && is_data) {
        result = convert_data(&to, status, err);
    } else if (result == OK) {
        char out[CONVERT_PATH];
        result = out_path(args, "annotations", out, err);
        result = result == OK ? convert_one(&to, input, DATA_PART_TRAIN, out, status, err) : result;
    }
    mem_free(to.names);
    data_file_free(&to.data);
    return result;
}

/* ---- the command ---- */

static enum result convert(const struct convert_args *args, const struct string_list *inputs,
                           int *status, struct error *err)
{
    size_t json = 0;
    if (inputs->count == 0) {
        return error_set(err, ERR_ARG,
                         "convert: an input is missing: COCO .json files, or a .data file, a list, "
                         "a folder");
    }
    for (size_t i = 0; i < inputs->count; i++) {
        if (!path_exists(inputs->items[i])) {
            return error_set(err, ERR_ARG, "%s: no such file", inputs->items[i]);
        }
        json += dataset_is_coco(inputs->items[i]);
    }
    return json == inputs->count ? run_from(args, inputs, status, err)
                                 : run_to(args, inputs, status, err);
}

static enum result run_convert(int argc, char **argv, int *status, struct error *err)
{
    struct convert_args args = {0};
    const struct usage usage = {
        .command = "convert",
        .arguments = "INPUT...",
        .about = about,
        .example = "yolo convert instances_train2017.json instances_val2017.json --images pictures "
                   "--out coco\n  yolo convert my.data --out annotations",
        .exit_codes =
            "0 done, 1 failed, 2 wrong usage or a wrong file, 3 done, but some entries were "
            "left out",
        .groups = {{"Options", convert_options, &args},
                   {"From COCO", from_options, &args},
                   {"To COCO", to_options, &args}},
    };
    struct string_list rest = {0};
    bool done = false;
    enum result result = options_parse(&usage, argc, argv, &rest, &done, err);
    if (result == OK && !done) {
        result = convert(&args, &rest, status, err);
    }
    string_list_free(&rest);
    string_list_free(&args.images);
    return result;
}

const struct command cmd_convert = {"convert", "", "COCO JSON to YOLO labels, and back",
                                    run_convert};
