#include "results/share_file.h"

#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"

enum { MAX_DIGITS = 8 };

enum result share_path(const char *folder, const struct shard *shard, char *path, size_t size,
                       struct error *err)
{
    char number[MAX_DIGITS + 16], name[64];
    int digits = snprintf(number, sizeof number, "%zu", shard->count);
    snprintf(name, sizeof name, "share-%0*zu-of-%s.jsonl", digits, shard->number, number);
    return path_in(path, size, folder, name, err);
}

/* ---- writing ---- */

static cJSON *head_of(const struct share_head *head)
{
    char share[64];
    cJSON *root = cJSON_CreateObject();
    snprintf(share, sizeof share, "%zu/%zu", head->shard.number, head->shard.count);
    cJSON_AddStringToObject(root, "share", share);
    cJSON_AddNumberToObject(root, "pictures", (double)head->pictures);
    cJSON *settings = cJSON_AddObjectToObject(root, "settings");
    for (size_t i = 0; i < head->setting_count; i++) {
        cJSON_AddStringToObject(settings, head->settings[i].name, head->settings[i].value);
    }
    cJSON *thresholds = head->thresholds ? cJSON_AddArrayToObject(root, "thresholds") : NULL;
    for (size_t k = 0; thresholds && k < head->class_count; k++) {
        cJSON_AddItemToArray(thresholds, json_exact((double)head->thresholds[k]));
    }
    cJSON *classes = cJSON_AddArrayToObject(root, "classes");
    for (size_t k = 0; k < head->class_count; k++) {
        cJSON_AddItemToArray(classes, cJSON_CreateString(head->classes[k]));
    }
    return root;
}

static void add_object(cJSON *objects, const struct eval_detection *d, const char *name)
{
    const double box[4] = {d->box.x, d->box.y, d->box.w, d->box.h};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "class_id", d->class_id);
    cJSON_AddStringToObject(object, "name", name);
    cJSON_AddItemToObject(object, "confidence", json_exact(d->score));
    cJSON *numbers = cJSON_AddArrayToObject(object, "bbox");
    for (int i = 0; i < 4; i++) {
        cJSON_AddItemToArray(numbers, json_exact(box[i]));
    }
    cJSON_AddItemToArray(objects, object);
}

static cJSON *record_of(const struct eval_set *set, size_t place, const struct eval_picture *p)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "picture", (double)place);
    cJSON_AddStringToObject(root, "image", p->path);
    if (p->has_failed) {
        cJSON_AddStringToObject(root, "error", "cannot be read");
        return root;
    }
    cJSON_AddNumberToObject(root, "width", p->w);
    cJSON_AddNumberToObject(root, "height", p->h);
    cJSON *objects = cJSON_AddArrayToObject(root, "objects");
    for (size_t i = 0; i < p->detection_count; i++) {
        add_object(objects, &p->detections[i], set->names[p->detections[i].class_id]);
    }
    return root;
}

static enum result put_all(FILE *out, const struct share_head *head, const struct eval_set *set,
                           struct error *err)
{
    size_t first, end;
    shard_range(&head->shard, head->pictures, &first, &end);
    TRY(json_write_bytes(head_of(head), out, err));
    for (size_t i = 0; i < set->count; i++) {
        TRY(json_write_bytes(record_of(set, first + i, &set->pictures[i]), out, err));
    }
    return OK;
}

enum result share_file_write(const char *path, const struct share_head *head,
                             const struct eval_set *set, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    enum result result = put_all(file.stream, head, set, err);
    return atomic_end(&file, result, err);
}

/* ---- reading ---- */

static bool fail(struct json_reader *r, enum result result)
{
    r->result = r->result == OK ? result : r->result;
    return false;
}

/* A text of its own; NULL after a fault. */
static char *own_text(struct json_reader *r)
{
    char text[SHARE_TEXT];
    if (!json_string(r, text, sizeof text)) {
        return NULL;
    }
    json_restore_bytes(text);
    char *copy = mem_strdup(text);
    if (!copy) {
        fail(r, mem_error(r->err, r->path));
    }
    return copy;
}

static void take_settings(struct json_reader *r, struct share_head *head)
{
    if (!json_begin_object(r)) {
        return;
    }
    while (json_next_key(r)) {
        if (head->setting_count == SHARE_SETTINGS) {
            json_fault(r, "over %d settings", SHARE_SETTINGS);
            return;
        }
        struct share_setting *setting = &head->settings[head->setting_count];
        char *name = mem_strdup(r->levels[r->depth - 1].key), *value = own_text(r);
        if (!name || !value) {
            mem_free(name);
            mem_free(value);
            if (!name) {
                fail(r, mem_error(r->err, r->path));
            }
            return;
        }
        *setting = (struct share_setting){name, value};
        head->setting_count++;
    }
}

static void take_classes(struct json_reader *r, struct share_head *head)
{
    size_t capacity = 0;
    if (!json_begin_array(r)) {
        return;
    }
    while (json_next_item(r)) {
        char *name = own_text(r);
        if (!name) {
            return;
        }
        enum result result = mem_grow((void **)&head->classes, head->class_count, &capacity,
                                      sizeof *head->classes, r->err);
        if (result != OK) {
            mem_free(name);
            fail(r, result);
            return;
        }
        head->classes[head->class_count++] = name;
    }
}

static size_t take_thresholds(struct json_reader *r, struct share_head *head)
{
    size_t count = 0, capacity = 0;
    if (!json_begin_array(r)) {
        return 0;
    }
    while (json_next_item(r)) {
        double value;
        enum result result = mem_grow((void **)&head->thresholds, count, &capacity,
                                      sizeof *head->thresholds, r->err);
        if (result != OK) {
            fail(r, result);
            return 0;
        }
        if (!json_number(r, &value)) {
            return 0;
        }
        head->thresholds[count++] = (float)value;
    }
    return count;
}

bool share_head_take(struct json_reader *r, struct share_head *head)
{
    char share[64];
    struct error why;
    int64_t pictures = -1;
    size_t thresholds = 0;
    if (!json_string(r, share, sizeof share)) {
        return false;
    }
    if (shard_parse(share, &head->shard, &why) != OK) {
        return json_fault(r, "is not I/N, a share and their number");
    }
    while (json_next_key(r)) {
        if (json_key_is(r, "pictures")) {
            json_whole(r, &pictures);
        } else if (json_key_is(r, "settings") && head->setting_count == 0) {
            take_settings(r, head);
        } else if (json_key_is(r, "thresholds") && !head->thresholds) {
            thresholds = take_thresholds(r, head);
        } else if (json_key_is(r, "classes") && !head->classes) {
            take_classes(r, head);
        } else {
            json_skip(r);
        }
    }
    if (json_result(r) != OK) {
        return false;
    }
    if (pictures < 0) {
        return json_fault_in(r, "pictures", "is missing");
    }
    if (head->class_count == 0) {
        return json_fault_in(r, "classes", "is missing");
    }
    head->pictures = (size_t)pictures;
    return !head->thresholds || thresholds == head->class_count ||
           json_fault_in(r, "thresholds", "%zu, but %zu classes", thresholds, head->class_count);
}

enum result share_head_read(const char *path, struct share_head *head, struct error *err)
{
    struct json_reader r;
    bool is_object = json_open(&r, path, err) == OK && json_peek(&r) == JSON_OBJECT;
    if (is_object && json_begin_object(&r) && json_next_key(&r) && json_key_is(&r, "share")) {
        (void)share_head_take(&r, head);
    }
    enum result result = json_result(&r);
    json_close(&r);
    return result;
}

void share_head_free(struct share_head *head)
{
    for (size_t i = 0; i < head->setting_count; i++) {
        mem_free((char *)head->settings[i].name);
        mem_free((char *)head->settings[i].value);
    }
    for (size_t k = 0; k < head->class_count; k++) {
        mem_free(head->classes[k]);
    }
    mem_free(head->classes);
    mem_free(head->thresholds);
    *head = (struct share_head){0};
}

/* ---- comparing ---- */

static const char *setting_of(const struct share_head *head, const char *name)
{
    for (size_t i = 0; i < head->setting_count; i++) {
        if (strcmp(head->settings[i].name, name) == 0) {
            return head->settings[i].value;
        }
    }
    return "not said";
}

static bool has_other_settings(const struct share_head *head, const struct share_head *first,
                               char *text, size_t size)
{
    for (size_t i = 0; i < first->setting_count; i++) {
        const char *name = first->settings[i].name, *value = setting_of(head, name);
        if (strcmp(value, first->settings[i].value) != 0) {
            snprintf(text, size, "%s is %.200s, but %.200s", name, value, first->settings[i].value);
            return true;
        }
    }
    return false;
}

static bool has_other_classes(const struct share_head *head, const struct share_head *first,
                              char *text, size_t size)
{
    for (size_t k = 0; k < head->class_count; k++) {
        if (strcmp(head->classes[k], first->classes[k]) != 0) {
            snprintf(text, size, "class %zu is \"%.200s\", but \"%.200s\"", k, head->classes[k],
                     first->classes[k]);
            return true;
        }
    }
    return false;
}

void share_head_differs(const struct share_head *head, const struct share_head *first, char *text,
                        size_t size)
{
    size_t floats = head->class_count * sizeof(float);
    text[0] = 0;
    if (head->shard.count != first->shard.count) {
        snprintf(text, size, "a share of %zu, but of %zu", head->shard.count, first->shard.count);
    } else if (head->pictures != first->pictures) {
        snprintf(text, size, "a share of %zu pictures, but of %zu", head->pictures,
                 first->pictures);
    } else if (head->class_count != first->class_count) {
        snprintf(text, size, "%zu classes, but %zu", head->class_count, first->class_count);
    } else if (has_other_classes(head, first, text, size) ||
               has_other_settings(head, first, text, size)) {
        return;
    } else if (!head->thresholds != !first->thresholds ||
               (head->thresholds && memcmp(head->thresholds, first->thresholds, floats) != 0)) {
        snprintf(text, size, "thresholds by class are others than");
    }
}
