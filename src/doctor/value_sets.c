/* Sets without boxes: which they are, and what is wrong with the samples of class folders, lists of classes and tables. */
#include "doctor/doctor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/class_set.h"
#include "data/data_folder.h"
#include "data/label_path.h"
#include "data/table_set.h"
#include "net/task.h"

/* Features whose mean or deviation is beyond this slow a training down. */
static const double far_off = 20;

/* ---- which kind ---- */

/* Folders of pictures, none of which has a label file or lies beside the folders. */
static enum result looks_like_classes(const char *folder, bool *is_so, struct error *err)
{
    char **names;
    size_t count, folder_bytes = strlen(folder);
    struct error ignored;
    *is_so = false;
    enum result result = class_folders_names(folder, &names, &count, &ignored);
    bool has_names = result == OK && count > 1;
    for (size_t i = 0; has_names && i < count; i++) {
        has_names = strcmp(names[i], "images") != 0 && strcmp(names[i], "labels") != 0;
    }
    mem_free(names);
    if (!has_names) {
        return result == ERR_MEMORY ? mem_error(err, folder) : OK;
    }
    const struct dataset_source source = {.kind = DATASET_PICTURES, .path = folder};
    struct dataset pictures;
    result = dataset_open(&source, &pictures, &ignored);
    *is_so = result == OK;
    for (size_t i = 0; *is_so && i < pictures.sample_count; i++) {
        char label[4096];
        const char *path = pictures.samples[i].image_path;
        const char *below = path + (strncmp(path, folder, folder_bytes) == 0 ? folder_bytes : 0);
        below += strspn(below, "/");
        *is_so = strchr(below, '/') && !label_path_find(path, label, sizeof label);
    }
    dataset_free(&pictures);
    return result == ERR_MEMORY ? mem_error(err, folder) : OK;
}

static enum result kind_of_network(const struct network *net, const char *path,
                                   struct doctor *doctor, struct error *err)
{
    enum net_task task = task_of(net);
    if (task == TASK_DETECT) {
        return OK;
    }
    if (task == TASK_NONE) {
        return error_at(err, ERR_CFG, net->cfg.path, 0,
                        "no detection head ([yolo], [Gaussian_yolo], [region]), and neither "
                        "[softmax] nor [cost] at the end: nothing to train");
    }
    bool is_table = table_is_named(path);
    doctor->kind = is_table                   ? DATASET_TABLE
                   : task == TASK_RECONSTRUCT ? DATASET_PICTURES
                                              : DATASET_CLASSES;
    doctor->features = (size_t)net->size.w * (size_t)net->size.h * (size_t)net->size.c;
    doctor->targets = task_values(net);
    doctor->needs_no_targets = task == TASK_RECONSTRUCT;
    return OK;
}

/* A folder with parts is the training part, and the other, if none was named. */
static enum result split_folder(struct doctor *doctor, struct error *err)
{
    struct doctor_set *train = &doctor->sets[SET_TRAIN], *valid = &doctor->sets[SET_VALID];
    struct data_file file = {0};
    if (doctor->set_count > 1 || !path_is_dir(train->path)) {
        return OK;
    }
    enum result result = data_folder_read(train->path, &file, err);
    if (result == OK) {
        mem_free(train->path);
        train->path = file.train;
        valid->path = file.valid;
        valid->role = "valid";
        doctor->set_count = file.valid ? SETS_MAX : 1;
        file.train = file.valid = NULL;
    }
    data_file_free(&file);
    return result;
}

enum result doctor_settle_kind(const struct doctor_source *source, struct doctor *doctor,
                               struct error *err)
{
    const char *path = doctor->sets[SET_TRAIN].path;
    bool is_dir = path_is_dir(path), is_table = table_is_named(path);
    if (source->net) {
        TRY(kind_of_network(source->net, path, doctor, err));
    } else if (is_table) {
        error_at(err, ERR_ARG, path, 0, "a table does not say which columns are features");
        return error_hint(err, "--cfg FILE, the network to be trained");
    } else if (is_dir) {
        bool is_so = false;
        struct data_file file = {0};
        struct error ignored;
        enum result result = data_folder_read(path, &file, &ignored);
        result = looks_like_classes(result == OK ? file.train : path, &is_so, err);
        data_file_free(&file);
        TRY(result);
        doctor->kind = is_so ? DATASET_CLASSES : DATASET_BOXES;
    }
    if (doctor->kind == DATASET_BOXES) {
        return OK;
    }
    TRY(split_folder(doctor, err));
    path = doctor->sets[SET_TRAIN].path;
    if (doctor->kind == DATASET_CLASSES && !doctor->names_path && path_is_dir(path)) {
        TRY(class_folders_names(path, &doctor->names, &doctor->name_count, err));
        doctor->class_count = doctor->name_count;
    }
    if (doctor->kind == DATASET_CLASSES && !doctor->names) {
        error_at(err, ERR_ARG, path, 0, "which classes?");
        return error_hint(err, "--names FILE, or class folders");
    }
    if (source->net && doctor->kind == DATASET_CLASSES && doctor->targets != doctor->name_count) {
        return error_at(err, ERR_FORMAT, path, 0, "%zu classes, but the network of %s has %zu",
                        doctor->name_count, source->net->cfg.path, doctor->targets);
    }
    return OK;
}

/* ---- equal samples ---- */

struct row {
    uint64_t features, all; /* hashes */
    size_t order;           /* train, then valid */
    int set;
    size_t sample;
};

static int by_features(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    return x->features != y->features ? (x->features > y->features) - (x->features < y->features)
                                      : (x->order > y->order) - (x->order < y->order);
}

static uint64_t hash_targets(const struct dataset *set, size_t index)
{
    struct truth_set truths = dataset_targets(set, index);
    return truths.values ? hash_bytes(truths.values, truths.value_count * sizeof *truths.values, 1)
                         : 0;
}

/* By pixels, or by features; unreadable pictures are none. */
static size_t list_rows(const struct doctor *doctor, struct row *rows)
{
    size_t count = 0;
    for (int set = 0; set < doctor->set_count; set++) {
        const struct dataset *data = &doctor->sets[set].data;
        for (size_t i = 0; i < data->sample_count; i++) {
            const struct picture *picture = &doctor->sets[set].pictures[i];
            if (!data->features && !picture->is_read) {
                continue;
            }
            uint64_t hash = data->features ? hash_bytes(data->features + i * data->feature_count,
                                                        data->feature_count * sizeof(float), 0)
                                           : picture->pixel_hash;
            rows[count] = (struct row){hash, hash_targets(data, i), count, set, i};
            count++;
        }
    }
    return count;
}

static struct finding_place place_of(const struct doctor *doctor, const struct row *row)
{
    struct finding_place place = doctor_place(doctor, row->set, row->sample);
    if (doctor->kind == DATASET_TABLE) {
        place.path = doctor->sets[row->set].path;
        place.line = doctor->sets[row->set].data.samples[row->sample].list_line;
    }
    return place;
}

static void report_rows(struct doctor *doctor, const struct row *row, const struct row *like)
{
    const struct sample *a = &doctor->sets[row->set].data.samples[row->sample];
    const struct sample *b = &doctor->sets[like->set].data.samples[like->sample];
    struct finding_place place = place_of(doctor, row);
    bool is_table = doctor->kind == DATASET_TABLE;
    place.other_set = like->set;
    place.other_sample = like->sample;
    if (row->all != like->all && a->class_id >= 0) {
        char own[128], other[128];
        finding_add(&doctor->findings, FINDING_CLASH, &place, "%s, and %s, the same, is %s",
                    doctor_class_name(doctor, (size_t)a->class_id, own, sizeof own), b->image_path,
                    doctor_class_name(doctor, (size_t)b->class_id, other, sizeof other));
    } else if (row->all != like->all) {
        finding_add(&doctor->findings, FINDING_OTHER_VALUES, &place,
                    "the features of %s with other values", b->image_path);
    } else if (is_table) {
        finding_add(&doctor->findings,
                    row->set == like->set ? FINDING_ROW_COPY : FINDING_ROW_OVERLAP, &place,
                    "the same row as %s", b->image_path);
    }
}

static enum result check_equal(struct doctor *doctor, struct error *err)
{
    size_t total = 0;
    for (int set = 0; set < doctor->set_count; set++) {
        total += doctor->sets[set].data.sample_count;
    }
    struct row *rows = mem_alloc(total, sizeof *rows);
    if (!rows) {
        return mem_error(err, "comparing samples");
    }
    size_t count = list_rows(doctor, rows);
    if (count > 1) {
        qsort(rows, count, sizeof *rows, by_features);
    }
    for (size_t i = 1, first = 0; i < count; i++) {
        first = rows[i].features == rows[first].features ? first : i;
        if (first != i) {
            report_rows(doctor, &rows[i], &rows[first]);
        }
    }
    mem_free(rows);
    return OK;
}

/* ---- columns ---- */

static void check_column(struct doctor *doctor, const struct feature_scale *scale, size_t column)
{
    const struct dataset *data = &doctor->sets[SET_TRAIN].data;
    struct finding_place place = {
        .set = SET_TRAIN, .sample = NO_SAMPLE, .path = doctor->sets[SET_TRAIN].path};
    float first = data->features[column];
    bool is_constant = true;
    for (size_t i = 0; i < data->sample_count && is_constant; i++) {
        is_constant = data->features[i * data->feature_count + column] == first;
    }
    if (is_constant && data->sample_count > 1) {
        finding_add(&doctor->findings, FINDING_CONSTANT, &place, "column %zu is always %g",
                    column + 1, (double)first);
    } else if (fabs(scale->mean[column]) > far_off || scale->deviation[column] > far_off) {
        finding_add(&doctor->findings, FINDING_FAR, &place,
                    "column %zu has a mean of %.3g and a deviation of %.3g (train --standardize "
                    "brings them to 0 and 1)",
                    column + 1, scale->mean[column], scale->deviation[column]);
    }
}

static enum result check_columns(struct doctor *doctor, struct error *err)
{
    struct feature_scale scale = {0};
    enum result result = feature_scale_of(&doctor->sets[SET_TRAIN].data, &scale, err);
    for (size_t k = 0; result == OK && k < scale.count; k++) {
        check_column(doctor, &scale, k);
    }
    feature_scale_free(&scale);
    return result;
}

enum result doctor_check_values(struct doctor *doctor, struct error *err)
{
    if (doctor->kind == DATASET_BOXES) {
        return OK;
    }
    TRY(check_equal(doctor, err));
    return doctor->kind == DATASET_TABLE ? check_columns(doctor, err) : OK;
}
