#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "base/path.h"
#include "data/dataset.h"
#include "run/quantize.h"

enum { FORMAT_TEXT, FORMAT_JSON };
enum { DEFAULT_PICTURES = 64 };

struct quantize_args {
    struct model_args model;
    const char *out, *images;
    int pictures, format, fit;
};

#define FIELD(name) offsetof(struct quantize_args, name)

static const struct option quantize_options[] = {
    {"pictures", OPTION_INT, FIELD(pictures), 1, 100000, "N",
     "calibrate on so many, spread evenly over the set; default 64, or all if there are fewer", 0},
    {"images", OPTION_STRING, FIELD(images), 0, 0, "DIR", IMAGES_HELP, 0},
    {"out", OPTION_STRING, FIELD(out), 0, 0, "FILE",
     "STEM.int8; default: beside the weights, where --precision int8 looks for it", 'o'},
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, "text|json", "of the table on stdout", 0},
    {0},
};

static const char about[] =
    "Makes a network ready for int8 arithmetic (yolo detect, eval, bench --precision int8): faster\n"
    "where layers are wide (yolo bench tells), a little less accurate (yolo eval tells). --data names\n"
    "the pictures to calibrate on (its training part; labels are not needed); the network is trained\n"
    "no further, and its weights file stays as it is.\n"
    "\n"
    "Weights become int8 with a scale for each filter. Outputs become bytes with a step and a zero for\n"
    "each channel, by what the pictures show: a channel's range is the one with the least squared\n"
    "error (rounding within, clipping beyond), and its step lies between what that would take and what\n"
    "the whole output's would. Biases make up for what means lose.\n"
    "The first convolution and those before heads stay fp32, and so do those whose int8 arithmetic\n"
    "disturbs what the heads get most for the work it saves (up to 10 % of the multiply-adds), measured\n"
    "one by one on 8 pictures. The table tells it for each convolution: its share of the work, and\n"
    "the squared error at the heads with that layer alone on bytes, as a share of their squares.\n"
    "\n"
    "The file names its weights by a hash: other weights, or a changed cfg, are an error, and so is a\n"
    "damaged file. Results are the same, bit for bit, on every instruction set and number of threads.\n"
    "yolo eval --precision int8 tells what it costs. More: docs/int8.md\n";

static const char exit_codes[] =
    "0 done, 1 failed, 2 wrong usage or a wrong cfg, weights or data file,\n"
    "3 done but some pictures could not be read, 130 interrupted (nothing is written).\n";

static void count_rows(const struct quantized *found, int *on_bytes, double *work)
{
    *on_bytes = 0;
    *work = 0;
    for (size_t r = 0; r < found->row_count; r++) {
        bool is_int8 = found->rows[r].reason == QUANTIZE_INT8;
        *on_bytes += is_int8;
        *work += is_int8 ? found->rows[r].share : 0;
    }
}

static bool has_error(const struct quantize_row *row)
{
    return row->reason == QUANTIZE_INT8 || row->reason == QUANTIZE_SENSITIVE;
}

static void print_text(const struct quantized *found)
{
    printf("%5s  %-16s %7s %10s\n", "layer", "arithmetic", "work %", "error");
    for (size_t r = 0; r < found->row_count; r++) {
        const struct quantize_row *row = &found->rows[r];
        char error[32] = "-";
        if (has_error(row)) {
            snprintf(error, sizeof error, "%.2e", row->error);
        }
        printf("%5d  %-16s %7.2f %10s\n", row->layer, quantize_reasons[row->reason],
               100 * row->share, error);
    }
}

static enum result print_json(const struct quantized *found, const char *path, struct error *err)
{
    int on_bytes;
    double work;
    count_rows(found, &on_bytes, &work);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "file", path);
    cJSON_AddNumberToObject(root, "pictures", found->quant.pictures);
    cJSON_AddNumberToObject(root, "int8", on_bytes);
    cJSON_AddNumberToObject(root, "convolutions", (double)found->row_count);
    json_add_rounded(root, "int8_work", work, 4);
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (size_t r = 0; r < found->row_count; r++) {
        const struct quantize_row *row = &found->rows[r];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "layer", row->layer);
        cJSON_AddStringToObject(item, "arithmetic", quantize_reasons[row->reason]);
        json_add_rounded(item, "work", row->share, 5);
        if (has_error(row)) {
            cJSON_AddNumberToObject(item, "error", row->error);
        }
        cJSON_AddItemToArray(layers, item);
    }
    return json_print(root, false, err);
}

static enum result find_out(const struct quantize_args *args, const struct model *model, char *out,
                            struct error *err)
{
    if (!args->out) {
        return model_quant_path(model->weights_path, out, err);
    }
    if (!path_ends_in(args->out, ".int8")) {
        return error_set(err, ERR_ARG, "--out %s: a name that ends in .int8 is expected",
                         args->out);
    }
    snprintf(out, MODEL_PATH, "%s", args->out);
    return strlen(args->out) < MODEL_PATH ? OK : error_set(err, ERR_ARG, "--out: path too long");
}

static enum result make(const struct quantize_args *args, struct model *model,
                        struct quantized *found, int *status, struct error *err)
{
    char out[MODEL_PATH];
    struct model_args names = args->model;
    names.data = NULL; /* its classes may be others: only its pictures are wanted */
    TRY(model_open(&names, MODEL_WHOLE, model, err));
    TRY(model_load(model, err));
    TRY(model_check_pictures(&model->net, err));
    TRY(find_out(args, model, out, err));
    const struct quantize_options options = {.data = args->model.data,
                                             .images = args->images,
                                             .pictures = args->pictures,
                                             .fit = args->fit};
    TRY(quantize(model, &options, found, err));
    TRY(quant_write(out, &found->quant, err));
    int on_bytes;
    double work;
    count_rows(found, &on_bytes, &work);
    log_info("%s: %d of %zu convolutions int8, %.1f %% of the work; calibrated on %d pictures", out,
             on_bytes, found->row_count, 100 * work, found->quant.pictures);
    if (found->failures > 0) {
        log_warn("pictures that could not be read: %zu", found->failures);
        *status = STATUS_SOME_INPUTS_FAILED;
    }
    if (args->format == FORMAT_JSON) {
        return print_json(found, out, err);
    }
    print_text(found);
    return OK;
}

static enum result run_quantize(int argc, char **argv, int *status, struct error *err)
{
    struct quantize_args args = {.pictures = DEFAULT_PICTURES};
    const struct usage usage = {
        .command = "quantize",
        .arguments = "--data DATA",
        .about = about,
        .example = "yolo quantize --data obj.data --run runs/train/exp\n"
                   "yolo eval --precision int8 --run runs/train/exp",
        .exit_codes = exit_codes,
        .groups = {{"Quantisation", quantize_options, &args},
                   {"Fit into the network's input", fit_options, &args.fit},
                   {"JPEG files", picture_options, &args.model},
                   {"Model", model_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    bool done;
    TRY(options_parse_few(&usage, argc, argv, NULL, 0, &done, err));
    if (done) {
        return OK;
    }
    if (!args.model.data) {
        return error_set(err, ERR_ARG,
                         "quantize: --data is missing (the pictures to calibrate on)");
    }
    struct model model = {0};
    struct quantized found = {0};
    enum result result = make(&args, &model, &found, status, err);
    quantized_free(&found);
    model_close(&model);
    return result;
}

const struct command cmd_quantize = {
    .name = "quantize",
    .aliases = "",
    .summary = "a network for int8 arithmetic, calibrated on pictures",
    .run = run_quantize,
};
