#include "results/results_file.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/image.h"

enum { NAME_BYTES = 256, WHY_BYTES = 512 };

/* What the numbers of a box are. */
enum box_kind {
    BOX_CORNERS,  /* in pixels */
    BOX_RELATIVE, /* centre and size, as fractions */
    BOX_SIZED     /* left, top, width and height in pixels */
};

/* An object of a record. */
struct object {
    double box[4];
    double score;
    int class_id; /* of the set */
    enum box_kind kind;
};

struct reading {
    const struct results_source *source;
    struct json_reader json;
    struct eval_set *set;
    struct results_counts *counts;
    size_t file;    /* which one, from 1 */
    bool has_plain; /* there are results by id, which do not say what pictures were looked at */

    /* [class_count], what records have said so far: */
    char **names;       /* owned; NULL: nothing, also where the truth has names */
    double *thresholds; /* 0: nothing */

    /* Files of shares: */
    size_t *tellers;   /* [share count] the file of each; 0: none yet */
    size_t first, end; /* the pictures of the share at hand; equal before the first head */

    struct object *objects; /* of the record at hand */
    size_t object_count, object_capacity;
    char image[SHARE_TEXT];      /* its "image" or "filename" */
    char known_name[NAME_BYTES]; /* the name looked up last */
    int known_class;
};

/* What may stand in an element of the array, whichever format it is. */
struct element {
    bool is_head; /* of a share: taken already */
    bool has_place, has_image, has_error;
    int64_t place; /* "picture" */
    int64_t image_id, category_id;
    bool has_image_id, has_category_id;
    double bbox[4], score;
    bool has_bbox, has_score, has_objects;
    int64_t w, h; /* 0: not given */
};

static bool is_of_shares(const struct reading *reading)
{
    return reading->source->head->shard.count > 0;
}

static const char *path_of(const struct reading *reading, size_t file)
{
    return reading->source->paths[file - 1];
}

/* Files of shares keep the very bytes of names. */
static void restore(const struct reading *reading, char *text)
{
    if (is_of_shares(reading)) {
        json_restore_bytes(text);
    }
}

static bool fail(struct json_reader *r, enum result result)
{
    if (r->result == OK) {
        r->result = result;
    }
    return false;
}

/* ---- classes ---- */

/* The class of a name in a COCO file. */
static int class_of_name(struct reading *reading, const char *name)
{
    if (strcmp(name, reading->known_name) != 0) {
        size_t found = coco_find_name(&reading->set->coco, name);
        snprintf(reading->known_name, sizeof reading->known_name, "%s", name);
        reading->known_class = found == SIZE_MAX ? -1 : (int)found;
    }
    return reading->known_class;
}

/* Where the truth has no names, files must agree all the same. */
static bool agree_on_name(struct reading *reading, size_t number, const char *name)
{
    struct json_reader *r = &reading->json;
    char **known = &reading->names[number];
    if (*known && strcmp(*known, name) != 0) {
        return json_fault(r, "class %zu is \"%s\" here, but \"%s\" before it", number, name,
                          *known);
    }
    if (!*known && !(*known = mem_strdup(name))) {
        return fail(r, mem_error(r->err, r->path));
    }
    return true;
}

static bool agree_on_threshold(struct reading *reading, int class_id, double threshold)
{
    double *known = &reading->thresholds[class_id];
    if (*known > 0 && (*known < threshold || *known > threshold)) {
        return json_fault_in(&reading->json, "threshold", "%g, but %g before it: other thresholds",
                             threshold, *known);
    }
    *known = threshold;
    return true;
}

/* COCO: by name; a list: by number, and the name must not contradict. Shares number as the set does. */
static bool find_class(struct reading *reading, int64_t number, const char *name, int *class_id)
{
    const struct eval_set *set = reading->set;
    struct json_reader *r = &reading->json;
    if (set->is_coco && set->has_names && !is_of_shares(reading)) {
        if (!name[0]) {
            return json_fault_in(r, "name", "is missing");
        }
        *class_id = class_of_name(reading, name);
        return *class_id >= 0 || json_fault(r, "the truth has no category \"%s\"", name);
    }
    if (number < 0 || (size_t)number >= set->class_count) {
        return json_fault_in(r, "class_id", "%lld, but the truth has %zu classes",
                             (long long)number, set->class_count);
    }
    if (set->has_names && name[0] && strcmp(name, set->names[number]) != 0) {
        return json_fault(r, "class %lld is \"%s\" here, but \"%s\" in the truth",
                          (long long)number, name, set->names[number]);
    }
    *class_id = (int)number;
    return set->has_names || !name[0] || agree_on_name(reading, (size_t)number, name);
}

/* ---- objects of a record ---- */

/* {"x1": ..., "y1": ..., "x2": ..., "y2": ...} or the like */
static bool read_box(struct json_reader *r, const char *const keys[4], double box[4])
{
    bool has[4] = {false};
    if (!json_begin_object(r)) {
        return false;
    }
    while (json_next_key(r)) {
        int k = 0;
        while (k < 4 && !json_key_is(r, keys[k])) {
            k++;
        }
        if (k < 4) {
            has[k] = json_number(r, &box[k]);
        } else {
            json_skip(r);
        }
    }
    for (int k = 0; k < 4; k++) {
        if (!has[k] && !json_fault_in(r, keys[k], "is missing")) {
            return false;
        }
    }
    return true;
}

static bool read_object(struct reading *reading)
{
    static const char *const corners[4] = {"x1", "y1", "x2", "y2"};
    static const char *const middle[4] = {"center_x", "center_y", "width", "height"};
    struct json_reader *r = &reading->json;
    struct object object = {0};
    char name[NAME_BYTES] = "";
    int64_t number = -1;
    double threshold = 0;
    bool has_class = false, has_box = false, has_score = false;
    if (!json_begin_object(r)) {
        return false;
    }
    while (json_next_key(r)) {
        if (json_key_is(r, "class_id")) {
            has_class = json_whole(r, &number);
        } else if (json_key_is(r, "name")) {
            json_string(r, name, sizeof name);
            restore(reading, name);
        } else if (json_key_is(r, "confidence")) {
            has_score = json_number(r, &object.score);
        } else if (json_key_is(r, "box")) {
            has_box = read_box(r, corners, object.box);
        } else if (json_key_is(r, "relative_coordinates")) {
            object.kind = BOX_RELATIVE;
            has_box = read_box(r, middle, object.box);
        } else if (json_key_is(r, "bbox")) {
            object.kind = BOX_SIZED;
            has_box = json_numbers(r, object.box, 4);
        } else if (json_key_is(r, "threshold")) {
            json_number(r, &threshold);
        } else {
            json_skip(r);
        }
    }
    if ((!has_class && !json_fault_in(r, "class_id", "is missing")) ||
        (!has_score && !json_fault_in(r, "confidence", "is missing")) ||
        (!has_box && !json_fault_in(r, "box", "is missing")) ||
        !find_class(reading, number, name, &object.class_id) ||
        (threshold > 0 && !agree_on_threshold(reading, object.class_id, threshold))) {
        return false;
    }
    bool is_proper = object.kind == BOX_CORNERS
                         ? object.box[2] >= object.box[0] && object.box[3] >= object.box[1]
                         : object.box[2] >= 0 && object.box[3] >= 0;
    if (!is_proper) {
        return json_fault_in(r, "box", "width or height is negative");
    }
    enum result result = mem_grow((void **)&reading->objects, reading->object_count,
                                  &reading->object_capacity, sizeof object, r->err);
    if (result != OK) {
        return fail(r, result);
    }
    reading->objects[reading->object_count++] = object;
    return true;
}

static bool read_objects(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    reading->object_count = 0;
    if (!json_begin_array(r)) {
        return false;
    }
    while (json_next_item(r)) {
        if (!read_object(reading)) {
            return false;
        }
    }
    return json_result(r) == OK;
}

/* ---- shares ---- */

static bool take_head(struct reading *reading)
{
    const struct share_head *first = reading->source->head;
    struct json_reader *r = &reading->json;
    struct share_head head = {0};
    char why[WHY_BYTES];
    bool is_good = share_head_take(r, &head);
    if (is_good && !is_of_shares(reading)) {
        is_good = json_fault(r, "a share of yolo eval, which %s is not", path_of(reading, 1));
    }
    if (is_good) {
        share_head_differs(&head, first, why, sizeof why);
        is_good = !why[0] || json_fault(r, "%s in %s", why, path_of(reading, 1));
    }
    size_t *teller = is_good ? &reading->tellers[head.shard.number - 1] : NULL;
    if (is_good && *teller > 0) {
        is_good = json_fault(r, "share %zu of %zu is in %s already", head.shard.number,
                             head.shard.count, path_of(reading, *teller));
    }
    if (is_good) {
        *teller = reading->file;
        shard_range(&head.shard, head.pictures, &reading->first, &reading->end);
    }
    share_head_free(&head);
    return is_good;
}

/* ---- elements ---- */

static bool read_element(struct reading *reading, struct element *e)
{
    struct json_reader *r = &reading->json;
    *e = (struct element){0};
    if (!json_begin_object(r)) {
        return false;
    }
    while (json_next_key(r)) {
        if (json_key_is(r, "share")) {
            e->is_head = take_head(reading);
            return e->is_head;
        }
        if (json_key_is(r, "picture")) {
            e->has_place = json_whole(r, &e->place);
        } else if (json_key_is(r, "image_id")) {
            e->has_image_id = json_whole(r, &e->image_id);
        } else if (json_key_is(r, "category_id")) {
            e->has_category_id = json_whole(r, &e->category_id);
        } else if (json_key_is(r, "bbox")) {
            e->has_bbox = json_numbers(r, e->bbox, 4);
        } else if (json_key_is(r, "score")) {
            e->has_score = json_number(r, &e->score);
        } else if (json_key_is(r, "image") || json_key_is(r, "filename")) {
            e->has_image = json_string(r, reading->image, sizeof reading->image);
            restore(reading, reading->image);
        } else if (json_key_is(r, "width")) {
            json_whole(r, &e->w);
        } else if (json_key_is(r, "height")) {
            json_whole(r, &e->h);
        } else if (json_key_is(r, "objects")) {
            e->has_objects = read_objects(reading);
        } else if (json_key_is(r, "error")) {
            e->has_error = json_skip(r);
        } else {
            json_skip(r);
        }
    }
    return json_result(r) == OK;
}

static bool add(struct reading *reading, size_t picture, const struct eval_detection *detection)
{
    enum result result = eval_set_add(reading->set, picture, detection, reading->json.err);
    reading->counts->detections += result == OK;
    return result == OK || fail(&reading->json, result);
}

/* An element of COCO's results. */
static bool take_result(struct reading *reading, const struct element *e)
{
    struct json_reader *r = &reading->json;
    if (!e->has_image_id && !e->has_category_id) {
        return json_fault(r, "neither a COCO result (image_id, category_id, bbox, score) nor a "
                             "picture's record (image, objects)");
    }
    if (!reading->set->is_coco) {
        return json_fault_in(r, "image_id",
                             "results by id need a COCO annotation file as truth (for "
                             "pictures with label files: yolo detect --format json)");
    }
    if ((!e->has_image_id && !json_fault_in(r, "image_id", "is missing")) ||
        (!e->has_category_id && !json_fault_in(r, "category_id", "is missing")) ||
        (!e->has_bbox && !json_fault_in(r, "bbox", "is missing")) ||
        (!e->has_score && !json_fault_in(r, "score", "is missing"))) {
        return false;
    }
    size_t picture = eval_set_find_id(reading->set, e->image_id);
    size_t category = coco_find_category(&reading->set->coco, e->category_id);
    if (picture == SIZE_MAX && coco_leaves_out(&reading->set->coco, e->image_id)) {
        return true;
    }
    if (picture == SIZE_MAX) {
        return json_fault_in(r, "image_id", "the truth has no image of id %lld",
                             (long long)e->image_id);
    }
    if (category == SIZE_MAX) {
        return json_fault_in(r, "category_id", "the truth has no category of id %lld",
                             (long long)e->category_id);
    }
    if (!(e->bbox[2] >= 0 && e->bbox[3] >= 0)) {
        return json_fault_in(r, "bbox", "width or height is negative");
    }
    struct eval_picture *p = &reading->set->pictures[picture];
    if (p->teller > 0 && p->teller != reading->file) {
        return json_fault_in(r, "image_id", "%lld has detections in %s, too",
                             (long long)e->image_id, path_of(reading, p->teller));
    }
    p->teller = reading->file;
    reading->has_plain = true;
    const struct eval_detection detection = {
        .box = {e->bbox[0], e->bbox[1], e->bbox[2], e->bbox[3]},
        .score = e->score,
        .class_id = (int)category};
    return add(reading, picture, &detection);
}

/* The size of the picture: the truth's, the record's, the file's. */
static bool find_size(struct reading *reading, size_t picture, const struct element *e)
{
    struct json_reader *r = &reading->json;
    struct eval_picture *p = &reading->set->pictures[picture];
    int w = p->w, h = p->h;
    struct error why;
    bool is_usual = e->w > 0 && e->w < 1 << 20 && e->h > 0 && e->h < 1 << 20;
    if (w == 0 && is_usual) {
        w = (int)e->w;
        h = (int)e->h;
    }
    if (w == 0 && (!p->path || image_read_size(p->path, &w, &h, &why) != OK)) {
        if (p->path && why.code == ERR_MEMORY) {
            *r->err = why;
            return fail(r, ERR_MEMORY);
        }
        return json_fault(r, "the size of the picture is not known%s%s", p->path ? ": " : "",
                          p->path ? why.text : "");
    }
    enum result result = eval_set_size(reading->set, picture, w, h, r->err);
    return result == OK || fail(r, result);
}

static bool take_objects(struct reading *reading, size_t picture)
{
    double w = reading->set->pictures[picture].w, h = reading->set->pictures[picture].h;
    for (size_t i = 0; i < reading->object_count; i++) {
        const struct object *o = &reading->objects[i];
        const double *b = o->box;
        struct eval_detection d = {.score = o->score, .class_id = o->class_id};
        if (o->kind == BOX_RELATIVE) {
            d.box =
                (struct eval_box){(b[0] - b[2] / 2) * w, (b[1] - b[3] / 2) * h, b[2] * w, b[3] * h};
        } else if (o->kind == BOX_SIZED) {
            d.box = (struct eval_box){b[0], b[1], b[2], b[3]};
        } else {
            d.box = (struct eval_box){b[0], b[1], b[2] - b[0], b[3] - b[1]};
        }
        if (!add(reading, picture, &d)) {
            return false;
        }
    }
    return true;
}

/* What a record says of the picture. */
static bool take_picture(struct reading *reading, size_t picture, const struct element *e)
{
    struct json_reader *r = &reading->json;
    struct eval_picture *p = &reading->set->pictures[picture];
    if (p->has_record && p->teller == reading->file) {
        return json_fault_in(r, "image", "a second record of %.200s", reading->image);
    }
    if (p->teller > 0 && p->teller != reading->file) {
        return json_fault_in(r, "image", "a record of %.200s is in %s, too", reading->image,
                             path_of(reading, p->teller));
    }
    p->has_record = true;
    p->teller = reading->file;
    reading->counts->records++;
    if (e->has_error) {
        p->has_failed = true;
        reading->counts->failures++;
        return true;
    }
    if (!e->has_objects && !json_fault_in(r, "objects", "is missing")) {
        return false;
    }
    return find_size(reading, picture, e) && take_objects(reading, picture);
}

/* A record of a share: by its place. */
static bool take_placed(struct reading *reading, const struct element *e)
{
    struct json_reader *r = &reading->json;
    if (!e->has_place) {
        return json_fault(r, "no record of a share of yolo eval, which %s is", path_of(reading, 1));
    }
    if (!e->has_image) {
        return json_fault_in(r, "image", "is missing");
    }
    if (e->place < (int64_t)reading->first || e->place >= (int64_t)reading->end) {
        return json_fault_in(r, "picture", "%lld is not in the share", (long long)e->place);
    }
    const struct eval_picture *p = &reading->set->pictures[e->place];
    if (!p->path || strcmp(path_base(p->path), path_base(reading->image)) != 0) {
        return json_fault_in(r, "image", "%.200s, but picture %lld of the truth is %.200s",
                             reading->image, (long long)e->place, p->path ? p->path : "another");
    }
    return take_picture(reading, (size_t)e->place, e);
}

/* A record of one picture. */
static bool take_record(struct reading *reading, const struct element *e)
{
    struct json_reader *r = &reading->json;
    ptrdiff_t picture;
    enum result result = eval_set_find_path(reading->set, reading->image, &picture, r->err);
    if (result != OK) {
        return fail(r, result);
    }
    if (picture == EVAL_NO_PICTURE && eval_set_leaves_out(reading->set, reading->image)) {
        return true;
    }
    if (picture < 0) {
        return json_fault_in(r, "image", "%s picture of the truth is named like %.200s",
                             picture == EVAL_NO_PICTURE ? "no" : "more than one", reading->image);
    }
    return take_picture(reading, (size_t)picture, e);
}

static bool read_and_take(struct reading *reading)
{
    struct element e;
    if (!read_element(reading, &e)) {
        return false;
    }
    return e.is_head               ? true
           : is_of_shares(reading) ? take_placed(reading, &e)
           : e.has_image           ? take_record(reading, &e)
                                   : take_result(reading, &e);
}

/* ---- the file ---- */

static void read_all(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    if (json_peek(r) == JSON_OBJECT) { /* a record a line */
        while (json_peek(r) == JSON_OBJECT && read_and_take(reading)) {
        }
        json_end(r);
        return;
    }
    if (!json_begin_array(r)) {
        return;
    }
    while (json_next_item(r)) {
        if (!read_and_take(reading)) {
            return;
        }
    }
    json_end(r);
}

/* Pictures that no record tells the size of still have truths. */
static enum result size_the_rest(struct eval_set *set, struct error *err)
{
    for (size_t i = 0; i < set->count; i++) {
        struct eval_picture *p = &set->pictures[i];
        struct error why;
        if (!p->sample || p->truths || p->sample->truth_count == 0) {
            continue;
        }
        int w = 1, h = 1; /* missed in any case, and of the smallest size */
        if (!p->has_failed && image_read_size(p->path, &w, &h, &why) != OK) {
            *err = why;
            return why.code;
        }
        TRY(eval_set_size(set, i, w, h, err));
    }
    return OK;
}

/* ---- together ---- */

static enum result open_reading(struct reading *reading, struct error *err)
{
    size_t classes = reading->set->class_count, shares = reading->source->head->shard.count;
    reading->names = mem_alloc(classes, sizeof *reading->names);
    reading->thresholds = mem_alloc(classes, sizeof *reading->thresholds);
    reading->tellers = mem_alloc(shares, sizeof *reading->tellers);
    return reading->names && reading->thresholds && reading->tellers ? OK
                                                                     : mem_error(err, "results");
}

static void close_reading(struct reading *reading)
{
    for (size_t k = 0; reading->names && k < reading->set->class_count; k++) {
        mem_free(reading->names[k]);
    }
    mem_free(reading->names);
    mem_free(reading->thresholds);
    mem_free(reading->tellers);
    mem_free(reading->objects);
}

static enum result read_file(struct reading *reading, const char *path, struct error *err)
{
    reading->file++;
    reading->first = reading->end = 0;
    if (json_open(&reading->json, path, err) == OK) {
        read_all(reading);
    }
    enum result result = json_result(&reading->json);
    json_close(&reading->json);
    return result;
}

enum result results_files_read(const struct results_source *source, struct eval_set *set,
                               struct results_counts *counts, struct error *err)
{
    struct reading reading = {.source = source, .set = set, .counts = counts, .known_class = -1};
    *counts = (struct results_counts){0};
    enum result result = open_reading(&reading, err);
    if (result == OK && is_of_shares(&reading)) {
        result = results_check_truth(source, set, err);
    }
    for (size_t i = 0; i < source->count && result == OK; i++) {
        result = read_file(&reading, source->paths[i], err);
    }
    result = result == OK
                 ? results_check_whole(source, set, reading.tellers, reading.has_plain, err)
                 : result;
    close_reading(&reading);
    return result == OK ? size_the_rest(set, err) : result;
}
