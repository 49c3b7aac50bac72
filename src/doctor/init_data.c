#include "doctor/init_data.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/ndjson.h"
#include "data/part_names.h"
#include "doctor/init_splits.h"

/* ---- where the pictures are ---- */

static enum result take_path(const char *path, char *out, struct error *err)
{
    char absolute[PATH_MAX];
    if (!path_exists(path)) {
        return error_at(err, ERR_ARG, path, 0,
                        "no such file (a list of pictures, a folder or a COCO .json is expected)");
    }
    if (!realpath(path, absolute)) {
        return error_errno(err, path, "no absolute path");
    }
    return path_in(out, INIT_PATH, "", absolute, err);
}

static enum result find_in_folder(const char *folder, struct init_data *data, struct error *err)
{
    char train[INIT_PATH], valid[INIT_PATH];
    if (!path_is_dir(folder)) {
        return error_at(err, ERR_ARG, folder, 0, "no such folder");
    }
    TRY(init_splits_find(folder, train, valid, INIT_PATH, err));
    data->is_whole = !train[0];
    TRY(take_path(train[0] ? train : folder, data->train, err));
    return valid[0] && !data->valid[0] ? take_path(valid, data->valid, err) : OK;
}

/* Pictures of a folder that is taken as a whole: none may lie in what is meant to be set aside. */
static enum result check_whole(const struct init_data *data, struct error *err)
{
    size_t root = strlen(data->train);
    bool is_said = false;
    for (size_t i = 0; i < data->set.sample_count; i++) {
        const char *path = data->set.samples[i].image_path;
        const char *at = path + root + (path[root] == '/');
        for (size_t length; at[length = strcspn(at, "/")]; at += length + 1) {
            enum set_part part = set_part_of(at, length);
            int shown = (int)(at - path + (ptrdiff_t)length);
            if (part == PART_VALID || part == PART_TEST) {
                error_set(
                    err, ERR_ARG,
                    "%.*s looks like a part that is not to be trained on, but the parts of %s "
                    "are not understood",
                    shown, path, data->train);
                return error_hint(err, "name the parts: --train and --valid; all of it: --train %s",
                                  data->train);
            }
            if (part == PART_UNKNOWN && !is_said) {
                is_said = true;
                log_warn(
                    "%.*s looks like a part of a data set, but is not known as one: all pictures "
                    "of %s are taken together (else name the parts: --train and --valid)",
                    shown, path, data->train);
            }
        }
    }
    return OK;
}

/* ---- dividing ---- */

/* The hash's bits mixed once more: names that differ in one digit lie far apart. */
static uint64_t name_hash(const char *path)
{
    uint64_t hash = hash_text(path_base(path));
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 33);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The pictures with the smallest hashes validate. */
static enum result divide(struct init_data *data, float share, struct error *err)
{
    size_t count = data->set.sample_count;
    size_t wanted = (size_t)((double)count * (double)share + 0.5);
    if (wanted == 0 || wanted >= count) {
        return OK;
    }
    uint64_t *hashes = mem_alloc(count, sizeof *hashes);
    data->is_valid = mem_alloc(count, sizeof *data->is_valid);
    if (!hashes || !data->is_valid) {
        mem_free(hashes);
        return mem_error(err, "dividing the pictures");
    }
    for (size_t i = 0; i < count; i++) {
        hashes[i] = name_hash(data->set.samples[i].image_path);
    }
    qsort(hashes, count, sizeof *hashes, by_hash);
    uint64_t border = hashes[wanted];
    mem_free(hashes);
    for (size_t i = 0; i < count; i++) {
        data->is_valid[i] = name_hash(data->set.samples[i].image_path) < border;
        data->valid_count += data->is_valid[i];
    }
    data->is_split = data->valid_count > 0;
    return OK;
}

static void count_pictures(struct init_data *data)
{
    for (size_t i = 0; i < data->set.sample_count; i++) {
        if (!data->is_split || !data->is_valid[i]) {
            data->train_count++;
            data->objects += data->set.samples[i].truth_count;
        }
    }
}

static bool is_coco(const struct init_data *data)
{
    return data->set.category_ids != NULL;
}

enum result init_data_find(const struct init_data_args *args, size_t classes,
                           struct init_data *data, struct error *err)
{
    if (args->train) {
        TRY(take_path(args->train, data->train, err));
    }
    if (args->valid) {
        TRY(take_path(args->valid, data->valid, err));
    }
    if (args->folder && !args->train) {
        TRY(find_in_folder(args->folder, data, err));
    }
    if (!data->train[0]) {
        return images_act(args->images, NULL, NULL, err);
    }
    const struct dataset_source source = {
        .path = data->train, .images = args->images, .class_count = classes, .leaves_out = true};
    TRY(images_act(args->images, data->train, data->valid, err));
    TRY(dataset_open(&source, &data->set, err));
    TRY(data->is_whole ? check_whole(data, err) : OK);
    if (!data->valid[0] && !is_coco(data) && !ndjson_is_named(data->train)) {
        TRY(divide(data, args->split, err));
    }
    count_pictures(data);
    if (data->objects == 0) {
        log_warn("%s: no boxes (see: yolo check)", data->train);
    }
    if (data->set.faults[FAULT_CLASS_RANGE] > 0) {
        log_warn("%s: %zu boxes of classes that the %zu names do not cover (see: yolo check)",
                 data->train, data->set.faults[FAULT_CLASS_RANGE], classes);
    }
    return OK;
}

void init_data_free(struct init_data *data)
{
    dataset_free(&data->set);
    mem_free(data->is_valid);
    data->is_valid = NULL;
}
