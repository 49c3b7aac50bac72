#include "eval/eval_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "data/coco_root.h"
#include "base/log.h"
#include "base/memory.h"

enum { PATH_BYTES = 4096, FAULTS_LOGGED = 5 };

/* ---- one picture ---- */

size_t eval_truths_of_sample(const struct sample *sample, int w, int h, size_t class_count,
                             struct eval_truth *out)
{
    size_t count = 0;
    for (size_t i = 0; i < sample->truth_count; i++) {
        const struct truth *truth = &sample->truths[i];
        if ((size_t)truth->class_id >= class_count) {
            continue;
        }
        double bw = (double)truth->box.w * w, bh = (double)truth->box.h * h;
        struct eval_box box = {(double)truth->box.cx * w - bw / 2.0,
                               (double)truth->box.cy * h - bh / 2.0, bw, bh};
        out[count++] = (struct eval_truth){.box = box,
                                           .area = sample->areas ? sample->areas[i] : bw * bh,
                                           .class_id = truth->class_id,
                                           .ignore = sample->is_crowd && sample->is_crowd[i]};
    }
    return count;
}

struct eval_detection eval_detection_of(const struct box_xyxy_px *box, int class_id,
                                        float confidence)
{
    return (struct eval_detection){.box = {(double)box->x1, (double)box->y1,
                                           (double)box->x2 - (double)box->x1,
                                           (double)box->y2 - (double)box->y1},
                                   .score = (double)confidence,
                                   .class_id = class_id};
}

enum result eval_set_size(struct eval_set *set, size_t picture, int w, int h, struct error *err)
{
    struct eval_picture *p = &set->pictures[picture];
    if (p->sample && !p->truths) {
        p->truths = mem_alloc(p->sample->truth_count, sizeof *p->truths);
        if (!p->truths) {
            return mem_error(err, "truths");
        }
        p->truth_count = eval_truths_of_sample(p->sample, w, h, set->class_count, p->truths);
    }
    p->w = w;
    p->h = h;
    return OK;
}

enum result eval_set_add(struct eval_set *set, size_t picture,
                         const struct eval_detection *detection, struct error *err)
{
    struct eval_picture *p = &set->pictures[picture];
    TRY(mem_grow((void **)&p->detections, p->detection_count, &p->detection_capacity,
                 sizeof *p->detections, err));
    p->detections[p->detection_count++] = *detection;
    return OK;
}

struct eval_image eval_set_image(const struct eval_set *set, size_t picture)
{
    const struct eval_picture *p = &set->pictures[picture];
    return (struct eval_image){.id = p->id,
                               .truths = p->truths,
                               .truth_count = p->truth_count,
                               .detections = p->detections,
                               .detection_count = p->detection_count};
}

/* ---- opening ---- */

static enum result set_names(struct eval_set *set, char *const *names, struct error *err)
{
    char made[32];
    set->has_names = set->is_coco || names;
    set->names = mem_alloc(set->class_count, sizeof *set->names);
    if (!set->names) {
        return mem_error(err, "class names");
    }
    for (size_t i = 0; i < set->class_count; i++) {
        const char *name = set->is_coco ? set->coco.categories[i].name : names ? names[i] : NULL;
        snprintf(made, sizeof made, "class_%zu", i);
        set->has_names = set->has_names && name;
        set->names[i] = mem_strdup(name ? name : made);
        if (!set->names[i]) {
            return mem_error(err, "class names");
        }
    }
    return OK;
}

static enum result new_pictures(struct eval_set *set, size_t count, struct error *err)
{
    set->pictures = mem_alloc(count, sizeof *set->pictures);
    set->count = set->pictures ? count : 0;
    return set->pictures ? OK : mem_error(err, "pictures");
}

static enum result take_samples(const struct dataset *data, struct eval_set *set, struct error *err)
{
    TRY(new_pictures(set, data->sample_count, err));
    for (size_t i = 0; i < set->count; i++) {
        struct eval_picture *p = &set->pictures[i];
        p->sample = &data->samples[i];
        p->id = (int64_t)i;
        p->path = mem_strdup(p->sample->image_path);
        if (!p->path) {
            return mem_error(err, "pictures");
        }
    }
    return OK;
}

enum result eval_set_of_dataset(const struct dataset *data, char *const *names, size_t class_count,
                                struct eval_set *set, struct error *err)
{
    *set = (struct eval_set){.class_count = class_count};
    TRY(take_samples(data, set, err));
    return set_names(set, names, err);
}

static enum result open_list(const struct eval_source *source, struct eval_set *set,
                             struct error *err)
{
    static const enum label_fault losses[] = {FAULT_NOT_NUMBERS, FAULT_CLASS_RANGE, FAULT_OUTSIDE,
                                              FAULT_ZERO_SIZE, FAULT_NO_IMAGE};
    struct dataset_source list = {.path = source->path,
                                  .part = source->part,
                                  .images = source->images,
                                  .class_count = source->class_count,
                                  .leaves_out = true};
    TRY(dataset_open(&list, &set->data, err));
    TRY(take_samples(&set->data, set, err));
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        set->fault_count += set->data.faults[losses[i]];
    }
    set->class_count = set->data.class_count;
    return set_names(set, source->names, err);
}

static enum result take_image(const struct eval_source *source, const char *root,
                              struct eval_set *set, size_t index, struct error *err)
{
    const struct coco_picture *from = &set->coco.pictures[index];
    struct eval_picture *p = &set->pictures[index];
    char path[PATH_BYTES];
    p->id = from->id;
    p->w = from->w;
    p->h = from->h;
    if (!from->file_name) {
        return OK;
    }
    if (!path_join(path, sizeof path, root, from->file_name)) {
        return error_at(err, ERR_FORMAT, source->path, from->line,
                        "images[%zu].file_name: is too long", from->index);
    }
    p->path = mem_strdup(path);
    return p->path ? OK : mem_error(err, "pictures");
}

/* Why an annotation cannot be used, with its place; false if it can. */
static bool find_fault(const struct eval_source *source, const struct eval_set *set,
                       const struct coco_annotation *a, struct error *why)
{
    char text[128];
    if (a->fault) {
        snprintf(text, sizeof text, "%s", a->fault);
    } else if (coco_find_picture(&set->coco, a->image_id) == SIZE_MAX) {
        snprintf(text, sizeof text, "image_id: %lld is no image's id", (long long)a->image_id);
    } else if (coco_find_category(&set->coco, a->category_id) == SIZE_MAX) {
        snprintf(text, sizeof text, "category_id: %lld is no category's id",
                 (long long)a->category_id);
    } else if (!(a->bbox[2] >= 0 && a->bbox[3] >= 0)) {
        snprintf(text, sizeof text, "bbox: width or height is negative");
    } else {
        return false;
    }
    error_at(why, ERR_FORMAT, source->path, a->line, "annotations[%zu].%s", a->index, text);
    return true;
}

static void report_fault(struct eval_set *set, const struct error *why)
{
    if (set->fault_count++ < FAULTS_LOGGED) {
        log_warn("%s (left out)", why->text);
    }
}

static void find_bad_images(const struct eval_source *source, struct eval_set *set,
                            bool *is_left_out)
{
    struct error why;
    for (size_t i = 0; i < set->coco.picture_count; i++) {
        const struct coco_picture *p = &set->coco.pictures[i];
        if (p->fault) {
            error_at(&why, ERR_FORMAT, source->path, p->line, "images[%zu].%s", p->index, p->fault);
            report_fault(set, &why);
            is_left_out[i] = true;
        }
    }
}

/* What cannot be used is told one by one, and its picture left out: it shows more than the truth
 * says. ERR_FORMAT with the first if nothing else is there. */
static enum result find_bad_annotations(const struct eval_source *source, struct eval_set *set,
                                        bool *is_left_out, struct error *err)
{
    struct error first = {0}, why;
    size_t count = set->coco.annotation_count, faults = 0, pictures = 0;
    for (size_t i = 0; i < count; i++) {
        const struct coco_annotation *a = &set->coco.annotations[i];
        if (!find_fault(source, set, a, &why)) {
            continue;
        }
        first = faults++ == 0 ? why : first;
        report_fault(set, &why);
        size_t picture = a->has_image ? coco_find_picture(&set->coco, a->image_id) : SIZE_MAX;
        if (picture != SIZE_MAX && !is_left_out[picture]) {
            is_left_out[picture] = true;
            pictures++;
        }
    }
    if (count > 0 && faults == count) {
        *err = first;
        return count > 1 ? error_hint(err, "and none of the others can be used") : ERR_FORMAT;
    }
    if (set->fault_count > FAULTS_LOGGED) {
        log_warn("%s: %zu images and annotations left out in all", source->path, set->fault_count);
    }
    if (pictures > 0) {
        log_warn("%s: %zu of %zu pictures have annotations that cannot be used: left out (see: "
                 "yolo check)",
                 source->path, pictures, set->coco.picture_count);
    }
    return OK;
}

static enum result leave_out(const struct eval_source *source, struct eval_set *set,
                             struct error *err)
{
    bool *is_left_out = mem_alloc(set->coco.picture_count, sizeof *is_left_out);
    if (!is_left_out) {
        return mem_error(err, "pictures");
    }
    find_bad_images(source, set, is_left_out);
    enum result result = find_bad_annotations(source, set, is_left_out, err);
    result = result == OK ? coco_leave_out(&set->coco, is_left_out, err) : result;
    mem_free(is_left_out);
    return result;
}

static void take_annotations(struct eval_set *set)
{
    for (size_t i = 0; i < set->coco.annotation_count; i++) {
        const struct coco_annotation *a = &set->coco.annotations[i];
        size_t picture = a->has_image ? coco_find_picture(&set->coco, a->image_id) : SIZE_MAX;
        if (picture == SIZE_MAX) {
            continue;
        }
        struct eval_picture *p = &set->pictures[picture];
        p->truths[p->truth_count++] =
            (struct eval_truth){.box = {a->bbox[0], a->bbox[1], a->bbox[2], a->bbox[3]},
                                .area = a->area,
                                .class_id = (int)coco_find_category(&set->coco, a->category_id),
                                .ignore = a->is_crowd};
    }
}

/* Room for every picture's truths, in one pass over the annotations. */
static enum result size_truths(struct eval_set *set, struct error *err)
{
    size_t *counts = mem_alloc(set->count, sizeof *counts);
    if (!counts) {
        return mem_error(err, "truths");
    }
    for (size_t i = 0; i < set->coco.annotation_count; i++) {
        size_t picture = coco_find_picture(&set->coco, set->coco.annotations[i].image_id);
        if (picture != SIZE_MAX) {
            counts[picture]++;
        }
    }
    enum result result = OK;
    for (size_t i = 0; i < set->count && result == OK; i++) {
        set->pictures[i].truths = mem_alloc(counts[i], sizeof *set->pictures[i].truths);
        result = set->pictures[i].truths ? OK : mem_error(err, "truths");
    }
    mem_free(counts);
    return result;
}

static enum result open_coco(const struct eval_source *source, struct eval_set *set,
                             struct error *err)
{
    set->is_coco = true;
    TRY(coco_file_read(source->path, source->needs_files ? COCO_PICTURES : COCO_OBJECTS, &set->coco,
                       err));
    if (set->coco.category_count == 0 || set->coco.picture_count == 0) {
        return error_at(err, ERR_FORMAT, source->path, 0, "no %s in it",
                        set->coco.category_count == 0 ? "categories" : "images");
    }
    set->class_count = set->coco.category_count;
    TRY(leave_out(source, set, err));
    TRY(new_pictures(set, set->coco.picture_count, err));
    char root[PATH_BYTES];
    coco_root_find(&set->coco, source->path, source->images, root);
    for (size_t i = 0; i < set->count; i++) {
        TRY(take_image(source, root, set, i, err));
    }
    TRY(size_truths(set, err));
    take_annotations(set);
    return set_names(set, NULL, err);
}

static size_t count_boxes(const struct eval_set *set)
{
    size_t count = set->is_coco ? 0 : dataset_count_boxes(&set->data);
    for (size_t i = 0; set->is_coco && i < set->count; i++) {
        for (size_t k = 0; k < set->pictures[i].truth_count; k++) {
            count += !set->pictures[i].truths[k].ignore;
        }
    }
    return count;
}

enum result eval_set_open(const struct eval_source *source, struct eval_set *set, struct error *err)
{
    *set = (struct eval_set){0};
    TRY(dataset_is_coco(source->path) ? open_coco(source, set, err) : open_list(source, set, err));
    if (count_boxes(set) == 0) {
        log_warn("%s: %zu pictures, but not one box that can be used: nothing to measure",
                 source->path, set->count + set->data.left_out_count + set->coco.left_out_count);
    }
    return OK;
}

static void free_picture(struct eval_picture *p)
{
    mem_free(p->path);
    mem_free(p->truths);
    mem_free(p->detections);
}

void eval_set_keep(struct eval_set *set, size_t first, size_t end)
{
    for (size_t i = 0; i < set->count; i++) {
        if (i < first || i >= end) {
            free_picture(&set->pictures[i]);
        }
    }
    set->count = end - first;
    memmove(set->pictures, set->pictures + first, set->count * sizeof *set->pictures);
}

void eval_set_free(struct eval_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free_picture(&set->pictures[i]);
    }
    for (size_t i = 0; set->names && i < set->class_count; i++) {
        mem_free(set->names[i]);
    }
    mem_free(set->pictures);
    mem_free(set->names);
    mem_free(set->by_name);
    coco_file_free(&set->coco);
    dataset_free(&set->data);
    *set = (struct eval_set){0};
}

/* ---- finding ---- */

size_t eval_set_find_id(const struct eval_set *set, int64_t id)
{
    return coco_find_picture(&set->coco, id); /* pictures are in the file's order by id */
}

/* Bytes of the common end of two paths that are whole components. */
static size_t common_end(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), same = 0, whole = 0;
    while (same < la && same < lb && a[la - 1 - same] == b[lb - 1 - same]) {
        same++;
        bool ends_a = same == la || a[la - 1 - same] == '/';
        bool ends_b = same == lb || b[lb - 1 - same] == '/';
        whole = ends_a && ends_b ? same : whole;
    }
    return whole;
}

struct named {
    const char *base;
    size_t index;
};

static int by_base(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->base, ((const struct named *)b)->base);
}

static const char *base_of(const struct eval_set *set, size_t i)
{
    const char *path = set->pictures[i].path;
    return path ? path_base(path) : "";
}

static enum result index_names(struct eval_set *set, struct error *err)
{
    struct named *named = mem_alloc(set->count, sizeof *named);
    set->by_name = mem_alloc(set->count, sizeof *set->by_name);
    if (!named || !set->by_name) {
        mem_free(named);
        return mem_error(err, "pictures");
    }
    for (size_t i = 0; i < set->count; i++) {
        named[i] = (struct named){base_of(set, i), i};
    }
    qsort(named, set->count, sizeof *named, by_base);
    for (size_t i = 0; i < set->count; i++) {
        set->by_name[i] = named[i].index;
    }
    mem_free(named);
    return OK;
}

bool eval_set_leaves_out(const struct eval_set *set, const char *path)
{
    size_t first = set->data.sample_count;
    for (size_t i = first; i < first + set->data.left_out_count; i++) {
        if (common_end(set->data.samples[i].image_path, path) > 0) {
            return true;
        }
    }
    first = set->coco.picture_count;
    for (size_t i = first; i < first + set->coco.left_out_count; i++) {
        const char *name = set->coco.pictures[i].file_name;
        if (name && common_end(name, path) > 0) {
            return true;
        }
    }
    return false;
}

enum result eval_set_find_path(struct eval_set *set, const char *path, ptrdiff_t *picture,
                               struct error *err)
{
    if (!set->by_name) {
        TRY(index_names(set, err));
    }
    const char *base = path_base(path);
    size_t low = 0, high = base[0] ? set->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(base_of(set, set->by_name[middle]), base) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t longest = 0;
    *picture = EVAL_NO_PICTURE;
    for (; base[0] && low < set->count && strcmp(base_of(set, set->by_name[low]), base) == 0;
         low++) {
        size_t length = common_end(set->pictures[set->by_name[low]].path, path);
        if (length > longest) {
            longest = length;
            *picture = (ptrdiff_t)set->by_name[low];
        } else if (length == longest && length > 0) {
            *picture = EVAL_TWO_PICTURES;
        }
    }
    return OK;
}
