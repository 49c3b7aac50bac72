#include "cli/cmd.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/json.h"
#include "base/options.h"
#include "net/network.h"
#include "net/weights.h"

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

/* How two runs of floats differ. */
struct difference {
    size_t count;         /* values compared */
    size_t changed;       /* values whose bits differ */
    size_t bytes_changed; /* bytes that differ */
    double max_abs;       /* infinite where exactly one of two values is not a number */
};

static void compare(const float *a, const float *b, size_t count, struct difference *d)
{
    d->count += count;
    for (size_t i = 0; i < count; i++) {
        uint32_t x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x == y) {
            continue;
        }
        d->changed++;
        for (int byte = 0; byte < 4; byte++) {
            d->bytes_changed += ((x ^ y) >> (8 * byte) & 0xff) != 0;
        }
        double gap = fabs((double)a[i] - (double)b[i]);
        if (isnan(a[i]) && isnan(b[i])) {
            gap = 0;
        }
        if (!(gap <= d->max_abs)) {
            d->max_abs = isnan(gap) ? (double)INFINITY : gap;
        }
    }
}

static void add(struct difference *total, const struct difference *part)
{
    total->count += part->count;
    total->changed += part->changed;
    total->bytes_changed += part->bytes_changed;
    total->max_abs = part->max_abs > total->max_abs ? part->max_abs : total->max_abs;
}

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

/* Tensor by tensor; rows is a JSON array, or NULL for text. */
static struct difference compare_layers(const struct network *a, const struct network *b,
                                        cJSON *rows)
{
    struct difference total = {0};
    for (int i = 0; i < a->loaded_layers; i++) {
        const struct layer *la = &a->layers[i], *lb = &b->layers[i];
        for (int k = 0; k < la->param_count; k++) {
            struct difference d = {0};
            compare(la->params[k].data, lb->params[k].data, la->params[k].count, &d);
            add(&total, &d);
            if (rows) {
                cJSON *row = cJSON_CreateObject();
                cJSON_AddNumberToObject(row, "layer", i);
                cJSON_AddStringToObject(row, "kind", la->ops->name);
                cJSON_AddStringToObject(row, "tensor", la->params[k].role);
                add_json(row, &d);
                cJSON_AddItemToArray(rows, row);
            } else if (d.changed) {
                printf("%5d  %-14s %-17s %10zu values %10zu changed %11zu bytes  max %.9g\n", i,
                       la->ops->name, la->params[k].role, d.count, d.changed, d.bytes_changed,
                       d.max_abs);
            }
        }
    }
    return total;
}

static enum result load(const char *cfg, const char *weights, struct network *net,
                        struct error *err)
{
    TRY(network_read(cfg, 0, 0, net, err));
    TRY(network_allocate(net, err));
    return weights_load(weights, net, err);
}

static enum result load_both(const char *cfg, const char *const paths[2], struct network nets[2],
                             struct weights_header headers[2], struct error *err)
{
    for (int i = 0; i < 2; i++) {
        TRY(load(cfg, paths[i], &nets[i], err));
        TRY(weights_peek(paths[i], &headers[i], err));
        headers[i].seen = nets[i].seen; /* behind a header as long as the size says */
    }
    if (nets[0].loaded_layers != nets[1].loaded_layers) {
        return error_set(err, ERR_FORMAT, "sizes differ: %s holds %d layers, %s holds %d", paths[0],
                         nets[0].loaded_layers, paths[1], nets[1].loaded_layers);
    }
    return OK;
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

static enum result diff_networks(const char *cfg, const char *const paths[2], cJSON *root,
                                 struct difference *total, struct error *err)
{
    struct network nets[2] = {0};
    struct weights_header headers[2];
    enum result result = load_both(cfg, paths, nets, headers, err);
    if (result == OK) {
        put_headers(paths, headers, root);
        *total = compare_layers(&nets[0], &nets[1],
                                root ? cJSON_AddArrayToObject(root, "tensors") : NULL);
    }
    network_free(&nets[0]);
    network_free(&nets[1]);
    return result;
}

static enum result diff_payloads(const char *const paths[2], cJSON *root, struct difference *total,
                                 struct error *err)
{
    struct weights_header headers[2];
    TRY(weights_peek_pair(paths, headers, err));
    put_headers(paths, headers, root);
    char *data[2] = {NULL, NULL};
    size_t floats[2] = {0, 0};
    enum result result = OK;
    for (int i = 0; i < 2 && result == OK; i++) {
        size_t size, skip = headers[i].header_bytes;
        result = file_read(paths[i], SIZE_MAX - 1, &data[i], &size, err);
        if (result == OK && (size < skip || (size - skip) % 4)) {
            result =
                error_at(err, ERR_FORMAT, paths[i], 0, "%zu bytes are no whole number of values",
                         size < skip ? size : size - skip);
        }
        if (result == OK) {
            floats[i] = (size - skip) / 4;
            le32_to_host(data[i] + skip, floats[i]);
        }
    }
    if (result == OK && floats[0] != floats[1]) {
        result = error_set(err, ERR_FORMAT, "sizes differ: %s holds %zu values, %s holds %zu",
                           paths[0], floats[0], paths[1], floats[1]);
    }
    if (result == OK) {
        compare((const float *)(const void *)(data[0] + headers[0].header_bytes),
                (const float *)(const void *)(data[1] + headers[1].header_bytes), floats[0], total);
    }
    mem_free(data[0]);
    mem_free(data[1]);
    return result;
}

static enum result diff(const struct diff_args *args, const char *const paths[2], struct error *err)
{
    struct difference total = {0};
    cJSON *root = args->format == FORMAT_JSON ? cJSON_CreateObject() : NULL;
    enum result result = args->cfg ? diff_networks(args->cfg, paths, root, &total, err)
                                   : diff_payloads(paths, root, &total, err);
    if (result != OK) {
        cJSON_Delete(root);
        return result;
    }
    if (!root) {
        print_total(&total);
        return OK;
    }
    add_json(cJSON_AddObjectToObject(root, "total"), &total);
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
    return diff(&args, files, err);
}

const struct command cmd_diff = {"diff", "", "compare two .weights, layer by layer", run_diff};
