#include "cli/cmd.h"

#include <stdio.h>

#include "base/text.h"
#include "base/json.h"
#include "base/options.h"
#include "net/weights_diff.h"

struct diff_args {
    const char *cfg;
    int format;
};

enum { FORMAT_TEXT, FORMAT_JSON };

static const struct option diff_options[] = {
    {"cfg", OPTION_STRING, offsetof(struct diff_args, cfg), 0, 0, "FILE",
     "the network of both files: compare layer by layer, tensor by tensor", 0},
    {"format", OPTION_CHOICE, offsetof(struct diff_args, format), 0, 0, "text|json",
     "output format", 0},
    {0},
};

static const char about[] = "Compare two .weights files of one network: values, bytes changed, "
                            "largest absolute difference.\n"
                            "Text lists the tensors that differ and the totals, JSON lists all "
                            "tensors. Without --cfg only\n"
                            "the headers and the two files' values as a whole are compared.\n";

static const char exit_codes[] =
    "0 compared, whether or not they differ; 1 failed; 2 wrong usage, or files that\n"
    "  cannot be compared (other sizes, not of this cfg)";

static void add_json(cJSON *object, const struct difference *d)
{
    cJSON_AddNumberToObject(object, "count", (double)d->count);
    cJSON_AddNumberToObject(object, "changed", (double)d->changed);
    cJSON_AddNumberToObject(object, "bytes_changed", (double)d->bytes_changed);
    cJSON_AddNumberToObject(object, "max_abs", d->max_abs);
}

static cJSON *header_json(const struct weights_header *header)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "major", header->major);
    cJSON_AddNumberToObject(object, "minor", header->minor);
    cJSON_AddNumberToObject(object, "revision", header->revision);
    cJSON_AddNumberToObject(object, "seen", (double)header->seen);
    return object;
}

static void print_header(const char *path, const struct weights_header *header)
{
    text_put(stdout, path);
    printf(": version %d.%d.%d, %llu images seen\n", (int)header->major, (int)header->minor,
           (int)header->revision, (unsigned long long)header->seen);
}

static void print_total(const struct difference *total)
{
    printf("total: %zu values, %zu changed, %zu bytes changed, max abs difference %.9g\n",
           total->count, total->changed, total->bytes_changed, total->max_abs);
}

/* rows: an array; NULL for text. */
static void put_layers(const struct weights_diff *diff, cJSON *rows)
{
    for (int i = 0; i < diff->net.loaded_layers; i++) {
        const struct layer *l = &diff->net.layers[i];
        for (int k = 0; k < l->param_count; k++) {
            const struct difference *d = &diff->parts[i * LAYER_MAX_PARAMS + k];
            if (rows) {
                cJSON *row = cJSON_CreateObject();
                cJSON_AddNumberToObject(row, "layer", i);
                cJSON_AddStringToObject(row, "kind", l->ops->name);
                cJSON_AddStringToObject(row, "tensor", l->params[k].role);
                add_json(row, d);
                cJSON_AddItemToArray(rows, row);
            } else if (d->changed) {
                printf("%5d  %-14s %-17s %10zu values %10zu changed %11zu bytes  max %.9g\n", i,
                       l->ops->name, l->params[k].role, d->count, d->changed, d->bytes_changed,
                       d->max_abs);
            }
        }
    }
}

static void put_headers(const char *const paths[2], const struct weights_header headers[2],
                        cJSON *root)
{
    for (int i = 0; i < 2; i++) {
        if (root) {
            cJSON_AddStringToObject(root, i ? "b" : "a", paths[i]);
            cJSON_AddItemToObject(root, i ? "header_b" : "header_a", header_json(&headers[i]));
        } else {
            print_header(paths[i], &headers[i]);
        }
    }
}

static enum result print_diff(const struct diff_args *args, const char *const paths[2],
                              const struct weights_diff *diff, struct error *err)
{
    cJSON *root = args->format == FORMAT_JSON ? cJSON_CreateObject() : NULL;
    put_headers(paths, diff->headers, root);
    if (args->cfg) {
        put_layers(diff, root ? cJSON_AddArrayToObject(root, "tensors") : NULL);
    }
    if (!root) {
        print_total(&diff->total);
        return OK;
    }
    add_json(cJSON_AddObjectToObject(root, "total"), &diff->total);
    return json_print(root, true, err);
}

static enum result run_diff(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct diff_args args = {0};
    const struct usage usage = {
        .command = "diff",
        .arguments = "A.weights B.weights",
        .about = about,
        .example = "yolo diff before.weights after.weights --cfg cfg/yolov4-tiny.cfg",
        .exit_codes = exit_codes,
        .groups = {{"Options", diff_options, &args}},
    };
    const char *files[2];
    bool done;
    TRY(options_parse_few(&usage, argc, argv, files, 2, &done, err));
    if (done) {
        return OK;
    }
    if (!files[1]) {
        return error_set(err, ERR_ARG, "diff: two .weights files are needed, %d given",
                         files[0] != NULL);
    }
    TRY(option_need_file(NULL, files[0], err));
    TRY(option_need_file(NULL, files[1], err));
    TRY(option_need_file("cfg", args.cfg, err));
    struct weights_diff diff = {0};
    enum result result = weights_diff_find(args.cfg, files, &diff, err);
    result = result == OK ? print_diff(&args, files, &diff, err) : result;
    weights_diff_free(&diff);
    return result;
}

const struct command cmd_diff = {"diff", "", "compare two .weights, layer by layer", run_diff};
