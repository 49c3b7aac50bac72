#include "data/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/json.h"
#include "data/coco_ids.h"
#include "data/image.h"

struct conversion {
    const struct convert_to_coco *job;
    struct convert_counts *counts;
    struct dataset data;
    struct coco_ids ids; /* with job->annotations */
    const char *root;
    FILE *out;
    size_t written; /* elements of the array in work */
    int64_t annotation_id;
};

/* ---- where the pictures are ---- */

/* The longest folder that all paths begin with, as their file_name needs it; "" if they share none. */
static enum result find_root(const struct dataset *data, char *root, struct error *err)
{
    size_t length = 0;
    for (size_t i = 0; i < data->sample_count; i++) {
        const char *path = data->samples[i].image_path;
        size_t same = 0;
        while (i > 0 && same < length && path[same] == root[same]) {
            same++;
        }
        length = i == 0 ? (size_t)(path_base(path) - path) : same;
        while (length > 0 && path[length - 1] != '/') {
            length--;
        }
        if (length >= CONVERT_PATH) {
            return error_at(err, ERR_IO, path, 0, "path too long");
        }
        memmove(root, path, length);
        root[length] = '\0';
    }
    return OK;
}

/* ---- ids ---- */

static double image_id(const struct conversion *c, size_t index)
{
    return c->job->annotations ? coco_ids_find(&c->ids, c->data.samples[index].image_path)->id
                               : (double)index + 1;
}

static double category_id(const struct conversion *c, size_t class_id)
{
    return c->job->annotations ? c->ids.categories[class_id] : (double)class_id + 1;
}

/* ---- elements ---- */

static enum result write_element(struct conversion *c, cJSON *object, struct error *err)
{
    fputs(c->written++ ? "," : "\n", c->out);
    return json_write(object, false, c->out, err); /* and a line end */
}

static enum result write_picture(struct conversion *c, size_t index, struct error *err)
{
    const struct sample *sample = &c->data.samples[index];
    double id = (double)index + 1;
    TRY(c->job->annotations ? coco_ids_take(&c->ids, sample->image_path, &id, err) : OK);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "id", id);
    cJSON_AddStringToObject(object, "file_name", sample->image_path + strlen(c->root));
    cJSON_AddNumberToObject(object, "width", sample->image_w);
    cJSON_AddNumberToObject(object, "height", sample->image_h);
    c->counts->pictures++;
    return write_element(c, object, err);
}

/* Fine enough for a label with six decimals to come back as it was. */
static double rounded(double px)
{
    return round(px * 1e4) / 1e4 + 0.0; /* no -0 */
}

static enum result write_box(struct conversion *c, const struct sample *sample, double image,
                             const struct truth *truth, struct error *err)
{
    double w = (double)truth->box.w * sample->image_w;
    double h = (double)truth->box.h * sample->image_h;
    double bbox[4] = {(double)truth->box.cx * sample->image_w - w / 2,
                      (double)truth->box.cy * sample->image_h - h / 2, w, h};
    for (int i = 0; i < 4; i++) {
        bbox[i] = rounded(bbox[i]);
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "id", (double)++c->annotation_id);
    cJSON_AddNumberToObject(object, "image_id", image);
    cJSON_AddNumberToObject(object, "category_id", category_id(c, (size_t)truth->class_id));
    cJSON_AddItemToObject(object, "bbox", cJSON_CreateDoubleArray(bbox, 4));
    cJSON_AddNumberToObject(object, "area", rounded(w * h));
    cJSON_AddNumberToObject(object, "iscrowd", 0);
    cJSON_AddItemToObject(object, "segmentation", cJSON_CreateArray());
    c->counts->boxes++;
    return write_element(c, object, err);
}

static enum result write_category(struct conversion *c, size_t class_id, struct error *err)
{
    char name[32];
    snprintf(name, sizeof name, "class_%zu", class_id);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "id", category_id(c, class_id));
    cJSON_AddStringToObject(object, "name",
                            class_id < c->job->name_count ? c->job->names[class_id] : name);
    return write_element(c, object, err);
}

/* ---- the file ---- */

/* Sizes into the samples; 0 = left out. */
static enum result read_sizes(struct conversion *c, struct error *err)
{
    size_t found = 0;
    for (size_t i = 0; i < c->data.sample_count; i++) {
        struct sample *sample = &c->data.samples[i];
        struct error why;
        if (image_read_size(sample->image_path, &sample->image_w, &sample->image_h, &why) == OK) {
            found++;
            continue;
        }
        if (why.code == ERR_MEMORY) {
            *err = why;
            return ERR_MEMORY;
        }
        log_warn("%s (left out)", why.text);
        sample->image_w = sample->image_h = 0;
        c->counts->lost++;
    }
    return found > 0 ? OK
                     : error_at(err, ERR_IO, c->job->path, 0, "no picture whose size can be read");
}

static int by_path(const void *a, const void *b)
{
    const struct sample *x = *(struct sample *const *)a;
    const struct sample *y = *(struct sample *const *)b;
    int order = strcmp(x->image_path, y->image_path);
    return order ? order : (x > y) - (x < y);
}

/* A picture that the list names again would be there twice under one name. */
static enum result drop_repeats(struct conversion *c, struct error *err)
{
    size_t count = c->data.sample_count;
    struct sample **sorted = mem_alloc(count, sizeof *sorted);
    if (!sorted) {
        return mem_error(err, c->job->path);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &c->data.samples[i];
    }
    qsort(sorted, count, sizeof *sorted, by_path);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i]->image_path, sorted[i - 1]->image_path) == 0) {
            log_warn("%s:%d: %s is given again (left out)",
                     sorted[i]->list ? sorted[i]->list : c->job->path, sorted[i]->list_line,
                     sorted[i]->image_path);
            sorted[i]->image_w = 0;
            c->counts->lost++;
        }
    }
    mem_free(sorted);
    return OK;
}

/* JSON is UTF-8: with another file_name nothing would find the picture again. */
static enum result drop_unwritable(struct conversion *c, struct error *err)
{
    size_t left = 0;
    for (size_t i = 0; i < c->data.sample_count; i++) {
        struct sample *sample = &c->data.samples[i];
        if (sample->image_w > 0 && !text_is_utf8(sample->image_path + strlen(c->root))) {
            log_warn("%s: its name is not UTF-8, as JSON has to be (left out)", sample->image_path);
            sample->image_w = 0;
            c->counts->lost++;
        }
        left += sample->image_w > 0;
    }
    return left > 0 ? OK
                    : error_at(err, ERR_FORMAT, c->job->path, 0, "no picture that can be written");
}

static enum result write_boxes(struct conversion *c, size_t index, struct error *err)
{
    const struct sample *sample = &c->data.samples[index];
    for (size_t k = 0; k < sample->truth_count; k++) {
        TRY(write_box(c, sample, image_id(c, index), &sample->truths[k], err));
    }
    return OK;
}

static enum result write_file(struct conversion *c, struct error *err)
{
    /* pycocotools 2.0.9 and 2.0.10 cannot load results against a file without "info". */
    fputs(
        "{\"info\": {\"description\": \"made from YOLO labels\"},\n\"licenses\": [],\n\"images\": [",
        c->out);
    for (size_t i = 0; i < c->data.sample_count; i++) {
        TRY(c->data.samples[i].image_w > 0 ? write_picture(c, i, err) : OK);
    }
    c->written = 0;
    fputs("],\n\"annotations\": [", c->out);
    for (size_t i = 0; i < c->data.sample_count; i++) {
        TRY(c->data.samples[i].image_w > 0 ? write_boxes(c, i, err) : OK);
    }
    c->written = 0;
    fputs("],\n\"categories\": [", c->out);
    for (size_t i = 0; i < c->data.class_count; i++) {
        TRY(write_category(c, i, err));
    }
    fputs("]}\n", c->out);
    return OK;
}

static enum result open_set(struct conversion *c, struct error *err)
{
    const struct convert_to_coco *job = c->job;
    const struct dataset_source source = {
        .path = job->path, .part = job->part, .class_count = job->name_count, .leaves_out = true};
    TRY(dataset_open(&source, &c->data, err));
    if (c->data.sample_count == 0) {
        return error_at(err, ERR_FORMAT, job->path, 0,
                        "all %zu pictures have label lines that cannot be used (see: yolo check)",
                        c->data.left_out_count);
    }
    static const enum label_fault losses[] = {FAULT_NOT_NUMBERS, FAULT_CLASS_RANGE, FAULT_OUTSIDE,
                                              FAULT_ZERO_SIZE, FAULT_NO_IMAGE};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        c->counts->lost += c->data.faults[losses[i]];
    }
    if (job->annotations) {
        TRY(coco_ids_read(job->annotations, job->names, job->name_count, &c->ids, err));
    }
    TRY(read_sizes(c, err));
    return drop_repeats(c, err);
}

enum result convert_to_coco(const struct convert_to_coco *job, char *root,
                            struct convert_counts *counts, struct error *err)
{
    struct conversion c = {.job = job, .counts = counts, .root = root};
    struct atomic_file file;
    *counts = (struct convert_counts){0};
    root[0] = '\0';
    enum result result = open_set(&c, err);
    result = result == OK ? find_root(&c.data, root, err) : result;
    result = result == OK ? drop_unwritable(&c, err) : result;
    result = result == OK ? atomic_open(&file, job->out, err) : result;
    if (result == OK) {
        c.out = file.stream;
        result = write_file(&c, err);
        result = atomic_end(&file, result, err);
    }
    coco_ids_free(&c.ids);
    dataset_free(&c.data);
    return result;
}
