/* A COCO annotation file as a data set. */
#include "data/dataset_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/coco_root.h"
#include "data/image.h"

struct object {
    size_t sample;
    struct truth truth;
    double area;
    bool is_crowd;
};

struct coco {
    struct dataset_build *build;
    const char *path;
    struct coco_file file;
    size_t *samples; /* by picture of the file; SIZE_MAX: a picture that does not exist */
    struct object *objects;
    size_t object_count, object_capacity;
    char root[4096]; /* that file_name counts from */
    size_t measured; /* pictures whose size the file does not give */
};

/* A name that no category has is a translation; one of another category's is a mistake. */
static enum result check_names(const struct coco *c, struct error *err)
{
    const struct dataset_source *source = c->build->source;
    for (size_t i = 0; source->names && i < source->name_count; i++) {
        size_t found = coco_find_name(&c->file, source->names[i]);
        const char *own = i < c->file.category_count ? c->file.categories[i].name : NULL;
        bool is_own = own && strcasecmp(own, source->names[i]) == 0; /* of two by one name */
        if (found != SIZE_MAX && found != i && !is_own) {
            return error_at(err, ERR_FORMAT, c->path, 0,
                            "class %zu is named %s, but %s is class %zu here (classes are the "
                            "categories in the order of their ids)",
                            i, source->names[i], source->names[i], found);
        }
    }
    return OK;
}

static enum result take_categories(struct coco *c, struct error *err)
{
    size_t count = c->file.category_count;
    size_t wanted = c->build->source->class_count;
    if (count == 0) {
        return error_at(err, ERR_FORMAT, c->path, 0,
                        "no categories (classes are the categories in the order of their ids)");
    }
    if (wanted && wanted != count) {
        return error_at(err, ERR_FORMAT, c->path, 0,
                        "%zu categories, but %zu classes are expected (classes are the categories "
                        "in the order of their ids)",
                        count, wanted);
    }
    TRY(check_names(c, err));
    int64_t *ids = mem_alloc(count, sizeof *ids);
    if (!ids) {
        return mem_error(err, "COCO categories");
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = c->file.categories[i].id;
    }
    c->build->set->category_ids = ids;
    c->build->set->class_count = count;
    return OK;
}

static enum result take_picture(struct coco *c, size_t index, struct error *err)
{
    const struct coco_picture *p = &c->file.pictures[index];
    char path[4096];
    c->samples[index] = SIZE_MAX;
    if (p->fault) {
        dataset_fault(c->build, FAULT_NO_IMAGE, c->path, p->line, "images[%zu].%s", p->index,
                      p->fault);
        return OK;
    }
    if (!path_join(path, sizeof path, c->root, p->file_name)) {
        return error_at(err, ERR_FORMAT, c->path, p->line, "images[%zu].file_name: is too long",
                        p->index);
    }
    if (!path_exists(path)) {
        dataset_fault(c->build, FAULT_NO_IMAGE, c->path, p->line, "images[%zu]: %s does not exist",
                      p->index, path);
        return OK;
    }
    int w = p->w, h = p->h;
    if (w == 0 || h == 0) {
        struct error why;
        if (image_read_size(path, &w, &h, &why) != OK) {
            dataset_fault(c->build, FAULT_NO_IMAGE, c->path, p->line,
                          "images[%zu]: no width and height, and %s", p->index, why.text);
            return OK;
        }
        c->measured++;
    }
    struct sample *sample = dataset_add(c->build, path, err);
    if (!sample) {
        return ERR_MEMORY;
    }
    sample->coco_id = p->id;
    sample->image_w = w;
    sample->image_h = h;
    c->samples[index] = c->build->set->sample_count - 1;
    return OK;
}

/* Pictures in the file's order, not in that of their ids. */
static enum result take_pictures(struct coco *c, struct error *err)
{
    size_t count = c->file.picture_count;
    size_t *order = mem_alloc(count, sizeof *order);
    c->samples = mem_alloc(count, sizeof *c->samples);
    enum result result = order && c->samples ? OK : mem_error(err, "COCO images");
    for (size_t i = 0; result == OK && i < count; i++) {
        order[c->file.pictures[i].index] = i;
    }
    for (size_t i = 0; result == OK && i < count; i++) {
        result = take_picture(c, order[i], err);
    }
    mem_free(order);
    if (result == OK && c->measured > 0) {
        log_info("%s: %zu images have no width and height: their pictures' are taken", c->path,
                 c->measured);
    }
    return result;
}

/* Something is in the picture, and nobody can tell what or where. */
static void make_unusable(struct coco *c, size_t picture)
{
    if (picture != SIZE_MAX && c->samples[picture] != SIZE_MAX) {
        c->build->set->samples[c->samples[picture]].is_unusable = true;
    }
}

static enum result take_annotation(struct coco *c, const struct coco_annotation *a,
                                   struct error *err)
{
    size_t picture = a->has_image ? coco_find_picture(&c->file, a->image_id) : SIZE_MAX;
    if (a->fault) {
        dataset_fault(c->build, FAULT_ANNOTATION, c->path, a->line, "annotations[%zu].%s", a->index,
                      a->fault);
        make_unusable(c, picture);
        return OK;
    }
    size_t category = coco_find_category(&c->file, a->category_id);
    if (picture == SIZE_MAX) {
        dataset_fault(c->build, FAULT_NO_IMAGE, c->path, a->line,
                      "annotations[%zu]: no image of id %lld", a->index, (long long)a->image_id);
        return OK;
    }
    if (category == SIZE_MAX) {
        dataset_fault(c->build, FAULT_CLASS_RANGE, c->path, a->line,
                      "annotations[%zu]: no category of id %lld", a->index,
                      (long long)a->category_id);
        make_unusable(c, picture);
        return OK;
    }
    if (c->samples[picture] == SIZE_MAX) {
        return OK; /* reported with its picture */
    }
    struct object object = {
        .sample = c->samples[picture], .area = a->area, .is_crowd = a->is_crowd};
    const struct sample *sample = &c->build->set->samples[object.sample];
    double w = sample->image_w;
    double h = sample->image_h;
    struct edges edges = {a->bbox[0] / w, a->bbox[1] / h, (a->bbox[0] + a->bbox[2]) / w,
                          (a->bbox[1] + a->bbox[3]) / h};
    char prefix[64];
    snprintf(prefix, sizeof prefix, "annotations[%zu]: ", a->index);
    if (!dataset_take_box(c->build, &edges, c->path, a->line, prefix, &object.truth.box)) {
        if (a->bbox[2] < 0 || a->bbox[3] < 0) {
            make_unusable(c, picture);
        }
        return OK;
    }
    object.truth.class_id = (int)category;
    TRY(mem_grow((void **)&c->objects, c->object_count, &c->object_capacity, sizeof *c->objects,
                 err));
    c->objects[c->object_count++] = object;
    return OK;
}

static enum result take_annotations(struct coco *c, struct error *err)
{
    for (size_t i = 0; i < c->file.annotation_count; i++) {
        TRY(take_annotation(c, &c->file.annotations[i], err));
    }
    return OK;
}

/* ---- objects to their pictures ---- */

/* Memory for what has been counted; truth_count starts again at 0. */
static enum result new_truths(struct sample *sample, struct error *err)
{
    size_t count = sample->truth_count;
    sample->truth_count = 0;
    if (count == 0) {
        return OK;
    }
    sample->truths = mem_alloc(count, sizeof *sample->truths);
    sample->areas = mem_alloc(count, sizeof *sample->areas);
    return sample->truths && sample->areas ? OK : mem_error(err, "COCO truths");
}

static enum result share_out(struct coco *c, struct error *err)
{
    struct dataset *set = c->build->set;
    for (size_t i = 0; i < c->object_count; i++) {
        set->samples[c->objects[i].sample].truth_count++;
    }
    for (size_t i = 0; i < c->object_count; i++) {
        struct sample *sample = &set->samples[c->objects[i].sample];
        if (c->objects[i].is_crowd && !sample->is_crowd) {
            sample->is_crowd = mem_alloc(sample->truth_count, sizeof *sample->is_crowd);
            if (!sample->is_crowd) {
                return mem_error(err, "COCO truths");
            }
        }
    }
    for (size_t i = 0; i < set->sample_count; i++) {
        TRY(new_truths(&set->samples[i], err));
    }
    for (size_t i = 0; i < c->object_count; i++) {
        const struct object *object = &c->objects[i];
        struct sample *sample = &set->samples[object->sample];
        size_t at = sample->truth_count++;
        sample->truths[at] = object->truth;
        sample->areas[at] = object->area;
        if (sample->is_crowd) {
            sample->is_crowd[at] = object->is_crowd;
        }
    }
    return OK;
}

enum result coco_json_read(struct dataset_build *build, struct error *err)
{
    struct coco c = {.build = build, .path = build->source->path};
    enum result result = coco_file_read(c.path, COCO_PICTURES, &c.file, err);
    if (result == OK) {
        coco_root_find(&c.file, c.path, build->source->images, c.root);
    }
    result = result == OK ? take_categories(&c, err) : result;
    result = result == OK ? take_pictures(&c, err) : result;
    result = result == OK ? take_annotations(&c, err) : result;
    result = result == OK ? share_out(&c, err) : result;
    coco_file_free(&c.file);
    mem_free(c.samples);
    mem_free(c.objects);
    return result;
}
