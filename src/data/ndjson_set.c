#include "data/ndjson.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "data/dataset_private.h"

enum {
    PATH_BYTES = 4096,
    NAME_BYTES = 256,
    CLASSES_MAX = 100000,
    WORD_BYTES = 32,
    BOX_NUMBERS = 5
};

enum split { SPLIT_TRAIN, SPLIT_VALID, SPLIT_TEST, SPLIT_COUNT };

bool ndjson_is_named(const char *path)
{
    return path_ends_in(path, ".ndjson");
}

/* ---- the set's own line ---- */

struct class_name {
    int64_t id;
    char text[NAME_BYTES];
};

struct record {
    bool has_type, is_set, has_split;
    int line;
    enum split split;
    char word[WORD_BYTES]; /* of the split, as written */
    char file[PATH_BYTES]; /* of a picture; "" : none */
    bool has_key_points;
};

struct reading {
    struct json_reader json;
    const char *path;
    struct dataset_build *build; /* NULL: only what is said of the whole set is asked for */
    struct record record;        /* the line at hand */
    char *labels;                /* its objects, as lines of a label file */
    size_t label_bytes, label_capacity;
    char folder[PATH_BYTES]; /* "path" of the set */
    struct class_name *names;
    size_t name_count, name_capacity;
    size_t seen[SPLIT_COUNT], splitless; /* pictures */
    enum split wanted;
    const char *list; /* the set's copy of path */
};

static bool get_word(struct json_reader *r, char *word, size_t size)
{
    word[0] = 0;
    return json_peek(r) == JSON_STRING ? json_string(r, word, size)
                                       : json_fault(r, "is not a text");
}

static bool take_split(struct json_reader *r, struct record *record)
{
    static const struct {
        const char *word;
        enum split split;
    } words[] = {{"train", SPLIT_TRAIN},
                 {"val", SPLIT_VALID},
                 {"valid", SPLIT_VALID},
                 {"validation", SPLIT_VALID},
                 {"test", SPLIT_TEST}};
    if (json_peek(r) == JSON_NULL) {
        return json_skip(r);
    }
    if (!get_word(r, record->word, sizeof record->word)) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(record->word, words[i].word) == 0) {
            record->split = words[i].split;
            record->has_split = true;
            return true;
        }
    }
    return json_fault(r, "\"%s\" is no split (train, val or test is expected)", record->word);
}

static bool take_name(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    const struct json_level *level = &r->levels[r->depth - 1];
    char *end;
    long long id = strtoll(level->key, &end, 10);
    if (end == level->key || *end || id < 0 || id >= CLASSES_MAX) {
        return json_fault(r, "no class (\"0\": \"name\" is expected)");
    }
    r->result = mem_grow((void **)&reading->names, reading->name_count, &reading->name_capacity,
                         sizeof *reading->names, r->err);
    if (r->result != OK) {
        return false;
    }
    struct class_name *name = &reading->names[reading->name_count];
    name->id = id;
    if (!get_word(r, name->text, sizeof name->text)) {
        return false;
    }
    text_mask(name->text);
    reading->name_count++;
    return name->text[0] || json_fault(r, "a class without a name");
}

static bool take_names(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    json_begin_object(r);
    while (json_next_key(r)) {
        if (!take_name(reading)) {
            return false;
        }
    }
    return r->result == OK;
}

static bool take_task(struct json_reader *r)
{
    static const char *const tasks[] = {"detect", "segment", "pose", "obb"};
    char word[WORD_BYTES];
    if (!get_word(r, word, sizeof word)) {
        return false;
    }
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        if (strcmp(word, tasks[i]) == 0) {
            return true;
        }
    }
    return json_fault(r, "\"%s\" has no boxes (detect, segment, pose or obb is expected)", word);
}

/* ---- labels, as lines of a label file ---- */

static bool put(struct reading *reading, const char *text)
{
    struct json_reader *r = &reading->json;
    for (size_t i = 0; r->result == OK && text[i]; i++) {
        if (reading->label_bytes + 2 > LABEL_MAX_BYTES) {
            return json_fault(r, "too many labels");
        }
        r->result = mem_grow((void **)&reading->labels, reading->label_bytes + 1,
                             &reading->label_capacity, 1, r->err);
        if (r->result == OK) {
            reading->labels[reading->label_bytes++] = text[i];
            reading->labels[reading->label_bytes] = 0;
        }
    }
    return r->result == OK;
}

/* Of key points only the box in front of them. An object that has not the numbers of its kind becomes a line that is none. */
static bool take_object(struct reading *reading, const char *kind)
{
    struct json_reader *r = &reading->json;
    bool is_pose = strcmp(kind, "pose") == 0, is_box = strcmp(kind, "boxes") == 0;
    char word[64];
    size_t count = 0;
    double value;
    json_begin_array(r);
    for (; json_next_item(r) && json_number_or_nan(r, &value); count++) {
        snprintf(word, sizeof word, count ? " %.17g" : "%.17g", value);
        if (!(is_pose && count >= BOX_NUMBERS) && !put(reading, word)) {
            return false;
        }
    }
    bool fits = is_pose  ? count >= BOX_NUMBERS
                : is_box ? count <= BOX_NUMBERS + 1
                         : count > BOX_NUMBERS + 1 && count % 2 == 1;
    snprintf(word, sizeof word, " %s_of_%zu_numbers", kind, count);
    reading->record.has_key_points =
        reading->record.has_key_points || (is_pose && count > BOX_NUMBERS);
    return r->result == OK && put(reading, fits ? "\n" : word) && (fits || put(reading, "\n"));
}

static bool take_objects(struct reading *reading, const char *kind)
{
    struct json_reader *r = &reading->json;
    if (json_peek(r) == JSON_NULL) {
        return json_skip(r);
    }
    json_begin_array(r);
    while (json_next_item(r)) {
        if (!take_object(reading, kind)) {
            return false;
        }
    }
    return r->result == OK;
}

static bool take_annotations(struct reading *reading)
{
    static const char *const kinds[] = {"boxes", "segments", "obb", "pose"};
    struct json_reader *r = &reading->json;
    if (json_peek(r) == JSON_NULL) {
        return json_skip(r);
    }
    json_begin_object(r);
    while (json_next_key(r)) {
        const char *kind = NULL;
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            kind = json_key_is(r, kinds[i]) ? kinds[i] : kind;
        }
        if (kind && reading->build ? !take_objects(reading, kind) : !json_skip(r)) {
            return false;
        }
    }
    return r->result == OK;
}

/* ---- a line ---- */

static bool take_type(struct json_reader *r, struct record *record)
{
    char word[WORD_BYTES];
    if (!get_word(r, word, sizeof word)) {
        return false;
    }
    record->has_type = true;
    record->is_set = strcmp(word, "dataset") == 0;
    return record->is_set || strcmp(word, "image") == 0 ||
           json_fault(r, "\"%s\" is neither dataset nor image", word);
}

static bool take_key(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    struct record *record = &reading->record;
    return json_key_is(r, "type")          ? take_type(r, record)
           : json_key_is(r, "task")        ? take_task(r)
           : json_key_is(r, "class_names") ? take_names(reading)
           : json_key_is(r, "path")        ? get_word(r, reading->folder, sizeof reading->folder)
           : json_key_is(r, "file")        ? get_word(r, record->file, sizeof record->file)
           : json_key_is(r, "split")       ? take_split(r, record)
           : json_key_is(r, "annotations") ? take_annotations(reading)
                                           : json_skip(r);
}

static bool take_line(struct reading *reading)
{
    struct json_reader *r = &reading->json;
    struct record *record = &reading->record;
    *record = (struct record){.line = (int)r->line, .word = "train"};
    reading->label_bytes = 0;
    if (!json_begin_object(r)) {
        return false;
    }
    while (json_next_key(r)) {
        if (!take_key(reading)) {
            return false;
        }
    }
    if (r->result == OK && !record->has_type) {
        return json_fault(r, "no \"type\": \"dataset\" or \"image\"");
    }
    return r->result == OK;
}

/* ---- pictures ---- */

static bool leads_out(const char *path)
{
    bool leads = path[0] == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0;
    for (const char *at = strstr(path, "/.."); at && !leads; at = strstr(at + 1, "/..")) {
        leads = at[3] == 0 || at[3] == '/';
    }
    return leads;
}

/* Where tools put a picture: number `which` of the places; false behind the last. */
static bool make_place(const struct reading *reading, int which, char *out)
{
    const struct record *record = &reading->record;
    const char *images = reading->build->source->images;
    char stem[NAME_BYTES], inner[2 * PATH_BYTES];
    path_stem(reading->path, stem, sizeof stem);
    const char *folder = reading->folder[0] ? reading->folder : stem;
    static const char *const forms[] = {"%.0s%.0s%s",       "%.0s%s/%s",       "%.0simages/%.0s%s",
                                        "%.0simages/%s/%s", "%s/images/%s/%s", "%s/%.0s%s",
                                        "%s/images/%.0s%s", "%s/%s/%s"};
    if (which >= (int)(sizeof forms / sizeof forms[0])) {
        return false;
    }
    int length = snprintf(inner, sizeof inner, forms[which], folder, record->word, record->file);
    bool fits = length >= 0 && length < PATH_BYTES &&
                (images ? path_join(out, PATH_BYTES, images, inner)
                        : path_beside(out, PATH_BYTES, reading->path, inner));
    if (!fits) {
        out[0] = 0;
    }
    return true;
}

static bool find_picture(const struct reading *reading, char *out)
{
    for (int i = 0; make_place(reading, i, out); i++) {
        if (out[0] && path_exists(out) && !path_is_dir(out)) {
            return true;
        }
    }
    return false;
}

static enum result take_labels(struct reading *reading, struct sample *sample, struct error *err)
{
    struct dataset_build *build = reading->build;
    if (build->source->kind != DATASET_BOXES) {
        return OK;
    }
    if (reading->record.has_key_points) {
        build->key_numbers = 1; /* said as such */
        label_mended(sample, &build->polygons, reading->list, reading->record.line);
    }
    return reading->label_bytes > 0 ? label_text_read(build, sample, reading->list,
                                                      reading->record.line, reading->labels, err)
                                    : OK;
}

static enum result take_picture(struct reading *reading, struct error *err)
{
    const struct record *record = &reading->record;
    struct dataset_build *build = reading->build;
    char path[PATH_BYTES], first[PATH_BYTES];
    if (!record->file[0] || leads_out(record->file)) {
        dataset_fault(build, FAULT_NO_IMAGE, reading->path, record->line, "file: %s",
                      record->file[0] ? "leads out of the set" : "is missing");
        return OK;
    }
    if (!find_picture(reading, path)) {
        make_place(reading, 0, first);
        dataset_fault(build, FAULT_NO_IMAGE, reading->path, record->line,
                      "%s does not exist, nor in %s or images/%s there", first, record->word,
                      record->word);
        return OK;
    }
    struct sample *sample = dataset_add(build, path, err);
    if (!sample) {
        return ERR_MEMORY;
    }
    sample->list = reading->list;
    sample->list_line = record->line;
    return take_labels(reading, sample, err);
}

/* ---- the file ---- */

static bool take_record(struct reading *reading, size_t lines)
{
    struct json_reader *r = &reading->json;
    const struct record *record = &reading->record;
    if (!take_line(reading)) {
        return false;
    }
    if (record->is_set != (lines == 0)) {
        return json_fault(
            r, lines == 0 ? "the first line does not describe the set (\"type\": \"dataset\")"
                          : "the set is described again");
    }
    if (record->is_set) {
        return true;
    }
    reading->seen[record->split]++;
    reading->splitless += !record->has_split;
    if (reading->build && record->split == reading->wanted) {
        r->result = take_picture(reading, r->err);
    }
    return r->result == OK;
}

static enum result read_file(struct reading *reading, struct error *err)
{
    struct json_reader *r = &reading->json;
    size_t lines = 0;
    if (json_open(r, reading->path, err) == OK) {
        while (json_peek(r) != JSON_NOTHING && take_record(reading, lines)) {
            lines++;
        }
    }
    enum result result = json_result(r);
    json_close(r);
    mem_free(reading->labels);
    return result == OK && lines == 0 ? error_at(err, ERR_FORMAT, reading->path, 0, "nothing in it")
                                      : result;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct class_name *)a)->id, y = ((const struct class_name *)b)->id;
    return (x > y) - (x < y);
}

/* One that is not named is called class_N. */
static enum result make_names(struct reading *reading, struct ndjson_head *head, struct error *err)
{
    struct class_name *names = reading->names;
    size_t count = reading->name_count;
    if (count == 0) {
        return OK;
    }
    qsort(names, count, sizeof *names, by_id);
    head->name_count = (size_t)names[count - 1].id + 1;
    head->names = mem_alloc(head->name_count, sizeof *head->names + NAME_BYTES);
    if (!head->names) {
        return mem_error(err, reading->path);
    }
    char *text = (char *)(head->names + head->name_count);
    for (size_t k = 0; k < head->name_count; k++) {
        head->names[k] = text + k * NAME_BYTES;
        snprintf(head->names[k], NAME_BYTES, "class_%zu", k);
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && names[i].id == names[i - 1].id) {
            return error_at(err, ERR_FORMAT, reading->path, 1,
                            "class_names: class %lld is given again", (long long)names[i].id);
        }
        memcpy(head->names[names[i].id], names[i].text, sizeof names[i].text);
    }
    return OK;
}

enum result ndjson_head_read(const char *path, struct ndjson_head *head, struct error *err)
{
    struct reading *reading = mem_alloc(1, sizeof *reading);
    *head = (struct ndjson_head){0};
    if (!reading) {
        return mem_error(err, path);
    }
    reading->path = path;
    enum result result = read_file(reading, err);
    result = result == OK ? make_names(reading, head, err) : result;
    head->has_part[DATA_PART_TRAIN] = reading->seen[SPLIT_TRAIN] > 0;
    head->has_part[DATA_PART_VALID] = reading->seen[SPLIT_VALID] + reading->seen[SPLIT_TEST] > 0;
    mem_free(reading->names);
    mem_free(reading);
    return result;
}

void ndjson_head_free(struct ndjson_head *head)
{
    mem_free(head->names);
    *head = (struct ndjson_head){0};
}

/* Which split a part is: the first pass over the file has counted them. */
static enum split split_of(const struct reading *first, enum data_part part)
{
    return part == DATA_PART_TRAIN        ? SPLIT_TRAIN
           : first->seen[SPLIT_VALID] > 0 ? SPLIT_VALID
                                          : SPLIT_TEST;
}

static enum result read_pictures(struct dataset_build *build, struct reading *reading,
                                 struct error *err)
{
    const struct dataset_source *source = build->source;
    *reading = (struct reading){.path = source->path};
    enum result result = read_file(reading, err);
    enum split wanted = split_of(reading, source->part);
    if (reading->splitless > 0) {
        log_warn("%s: without a split: %zu of the pictures; they train", source->path,
                 reading->splitless);
    }
    mem_free(reading->names);
    TRY(result);
    *reading = (struct reading){.path = source->path, .build = build, .wanted = wanted};
    TRY(dataset_keep_list(build->set, source->path, &reading->list, err));
    result = read_file(reading, err);
    mem_free(reading->names);
    return result;
}

enum result ndjson_set_read(struct dataset_build *build, struct error *err)
{
    struct reading *reading = mem_alloc(1, sizeof *reading);
    if (!reading) {
        return mem_error(err, build->source->path);
    }
    enum result result = read_pictures(build, reading, err);
    mem_free(reading);
    return result;
}
