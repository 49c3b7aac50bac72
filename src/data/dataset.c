#include "data/dataset.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/yaml.h"
#include "data/dataset_private.h"
#include "data/inputs.h"
#include "data/label_path.h"
#include "data/ndjson.h"

enum { FAULTS_LOGGED = 5, PROGRESS_EVERY = 1000, PATH_BYTES = 4096 };

/* How far rounding to four digits may move an edge over the border of the picture. */
static const double edge_slack = 1e-4;

/* ---- faults ---- */

const char *label_fault_name(enum label_fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        [FAULT_NOT_NUMBERS] = "lines that are not \"class x y w h\"",
        [FAULT_CLASS_RANGE] = "classes out of range",
        [FAULT_OUTSIDE] = "boxes outside the picture",
        [FAULT_CLIPPED] = "boxes partly outside the picture",
        [FAULT_ZERO_SIZE] = "boxes without area",
        [FAULT_DUPLICATE] = "boxes given twice",
        [FAULT_NO_LABEL] = "pictures without a label file",
        [FAULT_EMPTY_LABEL] = "empty label files",
        [FAULT_NO_IMAGE] = "pictures that do not exist",
        [FAULT_ORPHAN_LABEL] = "label files without a picture",
        [FAULT_ANNOTATION] = "annotations without a usable box",
        [FAULT_CONFIDENCE] = "lines with a confidence, which is dropped",
        [FAULT_POLYGON] = "polygons, oriented boxes or key points, taken as their boxes",
    };
    return names[fault];
}

void dataset_fault(struct dataset_build *build, enum label_fault fault, const char *path, int line,
                   const char *fmt, ...)
{
    struct error text; /* one printable line, whatever the file contained */
    char raw[sizeof text.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    size_t before = build->set->faults[fault]++;
    if (build->source->sink) {
        error_set(&text, ERR_FORMAT, "%s", raw);
        build->source->sink(build->source->sink_ctx, fault, path, line, text.text);
    } else if (before < FAULTS_LOGGED) {
        error_at(&text, ERR_FORMAT, path, line, "%s", raw);
        log_warn("%s", text.text);
    }
}

/* Said once, and not as a fault of each line. */
static void report_mended(struct dataset_build *build, enum label_fault fault,
                          const struct mended_lines *mended, const char *what)
{
    if (mended->count > 0) {
        dataset_fault(build, fault, mended->path, mended->line, "%s (%zu such line%s in the set)",
                      what, mended->count, mended->count == 1 ? "" : "s");
        build->set->faults[fault] = mended->count;
    }
}

static void log_rest(const struct dataset_build *build)
{
    for (int i = 0; i < FAULT_COUNT && !build->source->sink; i++) {
        size_t count = build->set->faults[i];
        if (count > FAULTS_LOGGED && i != FAULT_CONFIDENCE && i != FAULT_POLYGON) {
            log_warn("%s: %zu %s in all", build->source->path, count,
                     label_fault_name((enum label_fault)i));
        }
    }
}

/* ---- boxes ---- */

static double clip_unit(double v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

bool dataset_take_box(struct dataset_build *build, const struct edges *edges, const char *path,
                      int line, const char *prefix, struct box_cxcywh_norm *box)
{
    double x1 = clip_unit(edges->x1);
    double y1 = clip_unit(edges->y1);
    double x2 = clip_unit(edges->x2);
    double y2 = clip_unit(edges->y2);
    double w = edges->x2 - edges->x1;
    double h = edges->y2 - edges->y1;
    if (!((float)w > 0) || !((float)h > 0)) {
        dataset_fault(build, FAULT_ZERO_SIZE, path, line, "%sa box of %g x %g", prefix, w, h);
        return false;
    }
    *box = (struct box_cxcywh_norm){(float)((x1 + x2) / 2), (float)((y1 + y2) / 2),
                                    (float)(x2 - x1), (float)(y2 - y1)};
    if (!(box->w > 0) || !(box->h > 0)) {
        dataset_fault(build, FAULT_OUTSIDE, path, line,
                      "%sthe box from %g %g to %g %g is outside the picture", prefix, edges->x1,
                      edges->y1, edges->x2, edges->y2);
        return false;
    }
    double over = fmax(fmax(x1 - edges->x1, edges->x2 - x2), fmax(y1 - edges->y1, edges->y2 - y2));
    if (over > edge_slack) {
        dataset_fault(build, FAULT_CLIPPED, path, line,
                      "%sthe box from %g %g to %g %g is cut at the picture's border", prefix,
                      edges->x1, edges->y1, edges->x2, edges->y2);
    }
    return true;
}

/* ---- samples ---- */

struct sample *dataset_add(struct dataset_build *build, const char *image_path, struct error *err)
{
    struct dataset *set = build->set;
    if (mem_grow((void **)&set->samples, set->sample_count, &set->sample_capacity,
                 sizeof *set->samples, err) != OK) {
        return NULL;
    }
    struct sample *sample = &set->samples[set->sample_count];
    *sample = (struct sample){.coco_id = -1, .class_id = -1};
    sample->image_path = mem_strdup(image_path);
    if (!sample->image_path) {
        mem_error(err, "data set");
        return NULL;
    }
    set->sample_count++;
    return sample;
}

static enum result read_label(struct dataset_build *build, struct sample *sample, struct error *err)
{
    char label[4096];
    const char *path = sample->image_path;
    if (!label_path_find(path, label, sizeof label)) {
        dataset_fault(build, FAULT_NO_LABEL, path, 0,
                      "no label file, taken as background (%s was looked for)",
                      label_path_candidate(path, 1, label, sizeof label) ||
                              label_path_candidate(path, 0, label, sizeof label)
                          ? label
                          : "a .txt");
        return OK;
    }
    sample->label_path = mem_strdup(label);
    if (!sample->label_path) {
        return mem_error(err, "data set");
    }
    return label_file_read(build, sample, err);
}

static enum result add_picture(struct dataset_build *build, const struct input_item *item,
                               const char *list, int class_id, struct error *err)
{
    const char *colon = strrchr(item->origin, ':');
    int line = colon ? atoi(colon + 1) : 0;
    struct error why;
    if (inputs_need(item, &why) != OK) {
        dataset_fault(build, FAULT_NO_IMAGE, build->source->path, line, "%s", why.text);
        return OK;
    }
    struct sample *sample = dataset_add(build, item->path, err);
    if (!sample) {
        return ERR_MEMORY;
    }
    sample->list = list;
    sample->list_line = line;
    sample->class_id = class_id;
    switch (build->source->kind) {
    case DATASET_BOXES:
        return read_label(build, sample, err);
    case DATASET_CLASSES:
        return class_id != CLASS_OF_PATH
                   ? OK
                   : class_of_path(build->source, item->path, line, &sample->class_id, err);
    case DATASET_PICTURES:
    case DATASET_TABLE:
        break;
    }
    return OK;
}

/* A line of the list that is no path: "list.txt:12: what". */
static void report_line(struct dataset_build *build)
{
    const char *path = build->source->path;
    const char *text = build->list_error.text;
    int line = 0;
    if (build->list_error.code == OK) {
        return;
    }
    if (strncmp(text, path, strlen(path)) == 0 && text[strlen(path)] == ':') {
        char *end;
        text += strlen(path) + 1;
        line = (int)strtol(text, &end, 10);
        text = end + strspn(end, ": ");
    }
    dataset_fault(build, FAULT_NO_IMAGE, path, line, "%s", text);
    build->list_error.code = OK;
}

enum result dataset_keep_list(struct dataset *set, const char *path, const char **list,
                              struct error *err)
{
    TRY(mem_grow((void **)&set->lists, set->list_count, &set->list_capacity, sizeof *set->lists,
                 err));
    *list = set->lists[set->list_count] = mem_strdup(path);
    set->list_count += *list != NULL;
    return *list ? OK : mem_error(err, path);
}

/* A list or a folder of pictures. */
static enum result read_pictures(struct dataset_build *build, const char *path, int class_id,
                                 struct error *err)
{
    struct inputs *inputs;
    const char *list = NULL;
    if (path_is_dir(path)) {
        TRY(inputs_open(&path, 1, &inputs, err));
    } else {
        TRY(dataset_keep_list(build->set, path, &list, err));
        TRY(inputs_open_list(path, &inputs, err));
    }
    enum result result = OK;
    struct input_item item;
    int got;
    while (result == OK && (got = inputs_next(inputs, &item, err)) != 0) {
        report_line(build);
        if (got > 0) {
            result = add_picture(build, &item, list, class_id, err);
        } else if (err->code == ERR_MEMORY) {
            result = ERR_MEMORY;
        } else {
            build->list_error = *err;
        }
        if (build->set->sample_count % PROGRESS_EVERY == PROGRESS_EVERY - 1) {
            log_progress("%s: %zu pictures", build->source->path, build->set->sample_count + 1);
        }
    }
    log_progress("%s", "");
    inputs_close(inputs);
    if (build->set->sample_count > 0) {
        report_line(build); /* else it is the error */
    }
    return result;
}

/* Each entry of the part as if it were the source: messages name it. */
static enum result read_entries(struct dataset_build *build, const struct data_yaml *yaml,
                                int class_id, struct error *err)
{
    const struct dataset_source *whole = build->source;
    struct dataset_source source = *whole;
    char path[PATH_BYTES];
    enum result result = OK;
    source.path = path;
    build->source = &source;
    for (size_t i = 0; result == OK && i < data_yaml_count(yaml, whole->part); i++) {
        result = data_yaml_path(yaml, whole->part, i, path, err);
        result = result == OK ? read_pictures(build, path, class_id, err) : result;
    }
    build->source = whole;
    return result;
}

enum result dataset_read_pictures(struct dataset_build *build, const char *path, int class_id,
                                  struct error *err)
{
    if (path_is_dir(path) || !yaml_is_named(path)) {
        return read_pictures(build, path, class_id, err);
    }
    struct data_yaml yaml;
    enum result result = data_yaml_read(path, false, &yaml, err);
    build->key_numbers = result == OK ? (size_t)yaml.key_numbers : 0;
    result = result == OK ? read_entries(build, &yaml, class_id, err) : result;
    data_yaml_free(&yaml);
    return result;
}

static enum result read_boxes(struct dataset_build *build, struct error *err)
{
    bool is_ndjson = ndjson_is_named(build->source->path) && !path_is_dir(build->source->path);
    TRY(is_ndjson ? ndjson_set_read(build, err)
                  : dataset_read_pictures(build, build->source->path, CLASS_OF_PATH, err));
    report_mended(build, FAULT_CONFIDENCE, &build->confidences,
                  "a sixth number is taken as a confidence and dropped");
    report_mended(build, FAULT_POLYGON, &build->polygons,
                  build->key_numbers > 0
                      ? "key points are dropped, and the box is taken"
                      : "a polygon or an oriented box is taken as the box around it");
    return dataset_find_orphans(build, err);
}

static enum result read_set(struct dataset_build *build, struct error *err)
{
    switch (build->source->kind) {
    case DATASET_CLASSES:
        return class_set_read(build, err);
    case DATASET_PICTURES:
        return dataset_read_pictures(build, build->source->path, CLASS_OF_PATH, err);
    case DATASET_TABLE:
        return table_set_read(build, err);
    case DATASET_BOXES:
        break;
    }
    return dataset_is_coco(build->source->path) ? coco_json_read(build, err)
                                                : read_boxes(build, err);
}

/* ---- pictures that are not what their labels say ---- */

/* Move the pictures that are left out behind the others; both keep their order. */
static enum result leave_out(struct dataset *set, struct error *err)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        count += set->samples[i].is_unusable;
    }
    struct sample *unusable = mem_alloc(count, sizeof *unusable);
    if (!unusable) {
        return mem_error(err, "data set");
    }
    for (size_t i = 0; i < set->sample_count; i++) {
        if (set->samples[i].is_unusable) {
            unusable[set->left_out_count++] = set->samples[i];
        } else {
            set->samples[kept++] = set->samples[i];
        }
    }
    if (count > 0) {
        memcpy(set->samples + kept, unusable, count * sizeof *unusable);
    }
    set->sample_count = kept;
    mem_free(unusable);
    return OK;
}

static enum result leave_out_unusable(const struct dataset_source *source, struct dataset *set,
                                      struct error *err)
{
    TRY(leave_out(set, err));
    if (set->left_out_count > 0) {
        log_warn("%s: %zu of %zu pictures have %s that cannot be used: left out (see: yolo check)",
                 source->path, set->left_out_count, set->left_out_count + set->sample_count,
                 set->category_ids ? "annotations" : "label lines");
    }
    return OK;
}

static void count_classes(struct dataset *set)
{
    for (size_t i = 0; i < set->sample_count; i++) {
        for (size_t k = 0; k < set->samples[i].truth_count; k++) {
            size_t class_id = (size_t)set->samples[i].truths[k].class_id;
            set->class_count = class_id >= set->class_count ? class_id + 1 : set->class_count;
        }
    }
}

bool dataset_is_coco(const char *path)
{
    return path_ends_in(path, ".json") && !path_is_dir(path);
}

enum result images_act(const char *images, const char *train, const char *valid, struct error *err)
{
    bool has_coco = (train && (dataset_is_coco(train) || ndjson_is_named(train))) ||
                    (valid && (dataset_is_coco(valid) || ndjson_is_named(valid)));
    return !images || has_coco
               ? option_need_folder("images", images, err)
               : error_set(
                     err, ERR_ARG,
                     "--images acts only with a COCO .json or an .ndjson: the folder of its pictures%s%s",
                     train ? ", which lists and folders name themselves: " : "",
                     train ? train : "");
}

static enum result report_no_pictures(const struct dataset_build *build, struct error *err)
{
    const struct dataset_source *source = build->source;
    size_t missing = build->set->faults[FAULT_NO_IMAGE];
    if (build->list_error.code != OK) {
        *err = build->list_error; /* the list as a whole is something else */
        return ERR_FORMAT;
    }
    if (missing == 0) {
        return error_at(err, ERR_FORMAT, source->path, 0, "no pictures");
    }
    return error_at(err, ERR_FORMAT, source->path, 0, "none of the %zu pictures exists (%s)",
                    missing,
                    dataset_is_coco(source->path)
                        ? "they are looked for in the .json's folder, in SPLIT, images and "
                          "images/SPLIT there and above it; else name theirs: --images DIR"
                        : "relative paths count from the working directory, else from the list's "
                          "folder");
}

enum result dataset_open(const struct dataset_source *source, struct dataset *set,
                         struct error *err)
{
    *set = (struct dataset){.class_count = source->class_count};
    struct dataset_build build = {.source = source, .set = set};
    struct error local;
    err = err ? err : &local;
    if (!path_exists(source->path)) {
        return error_at(err, ERR_ARG, source->path, 0,
                        "no such file (a list of pictures, a folder or a COCO .json is expected)");
    }
    TRY(read_set(&build, err));
    log_rest(&build);
    if (set->sample_count == 0) {
        return report_no_pictures(&build, err);
    }
    if (source->class_count == 0 && !set->category_ids) {
        count_classes(set);
    }
    TRY(source->leaves_out ? leave_out_unusable(source, set, err) : OK);
    set->is_told = mem_alloc(set->sample_count, sizeof *set->is_told);
    return set->is_told ? OK : mem_error(err, source->path);
}

struct truth_set dataset_targets(const struct dataset *set, size_t index)
{
    if (!set->values || index >= set->sample_count) {
        return (struct truth_set){0};
    }
    int class_id = set->samples[index].class_id;
    size_t row = class_id >= 0 ? (size_t)class_id : index;
    bool is_weighted = set->class_weights && class_id >= 0;
    return (struct truth_set){.values = set->values + row * set->value_count,
                              .value_count = set->value_count,
                              .weight = is_weighted ? set->class_weights[class_id] : 0};
}

size_t dataset_count_boxes(const struct dataset *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        const struct sample *sample = &set->samples[i];
        for (size_t k = 0; k < sample->truth_count && !sample->is_unusable; k++) {
            count += !sample->is_crowd || !sample->is_crowd[k];
        }
    }
    return count;
}

const char *dataset_voc_hint(const struct dataset *set, char hint[DATASET_HINT])
{
    char folder[4096];
    hint[0] = 0;
    if (set->sample_count > 0 &&
        label_path_voc(set->samples[0].image_path, folder, sizeof folder)) {
        snprintf(hint, DATASET_HINT,
                 " (%s has Pascal VOC's: scripts/voc_to_yolo.py makes labels of them)", folder);
    }
    return hint;
}

static size_t map_sample(struct sample *sample, const int *class_of)
{
    size_t kept = 0, count = sample->truth_count;
    for (size_t k = 0; k < count; k++) {
        int class_id = class_of[sample->truths[k].class_id];
        if (class_id < 0) {
            continue;
        }
        sample->truths[kept] = sample->truths[k];
        sample->truths[kept].class_id = class_id;
        if (sample->is_crowd) {
            sample->is_crowd[kept] = sample->is_crowd[k];
        }
        if (sample->lines) {
            sample->lines[kept] = sample->lines[k];
        }
        if (sample->areas) {
            sample->areas[kept] = sample->areas[k];
        }
        kept++;
    }
    sample->truth_count = kept;
    return count - kept;
}

size_t dataset_map_classes(struct dataset *set, const int *class_of, size_t count)
{
    size_t left_out = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        left_out += map_sample(&set->samples[i], class_of);
    }
    set->class_count = count;
    mem_free(set->category_ids); /* by the old numbers */
    set->category_ids = NULL;
    return left_out;
}

void dataset_free(struct dataset *set)
{
    for (size_t i = 0; i < set->sample_count + set->left_out_count; i++) {
        struct sample *sample = &set->samples[i];
        mem_free(sample->image_path);
        mem_free(sample->label_path);
        mem_free(sample->truths);
        mem_free(sample->is_crowd);
        mem_free(sample->lines);
        mem_free(sample->areas);
    }
    for (size_t i = 0; i < set->list_count; i++) {
        mem_free(set->lists[i]);
    }
    mem_free(set->lists);
    mem_free(set->samples);
    mem_free(set->is_told);
    mem_free(set->category_ids);
    mem_free(set->features);
    mem_free(set->values);
    mem_free(set->class_weights);
    *set = (struct dataset){0};
}
