#include "results/results.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/json.h"

enum { CONFIDENCE_DIGITS = 6, PIXEL_DIGITS = 3, MS_DIGITS = 3 };

static enum result check_stream(const struct result_stream *stream, struct error *err)
{
    if (fflush(stream->out) != 0 || ferror(stream->out)) {
        return error_errno(err, "stdout", "cannot write the results");
    }
    return OK;
}

enum result results_begin(struct result_stream *stream, struct error *err)
{
    stream->written = 0;
    if (stream->format == RESULT_JSON || stream->format == RESULT_COCO) {
        fputc('[', stream->out);
    } else if (stream->format == RESULT_CSV) {
        fprintf(stream->out, "image,class_id,class,confidence%s%s\n",
                stream->is_of_classes ? "" : ",x1,y1,x2,y2",
                stream->thresholds ? ",threshold" : "");
    }
    return check_stream(stream, err);
}

enum result results_end(struct result_stream *stream, struct error *err)
{
    if (stream->format == RESULT_JSON || stream->format == RESULT_COCO) {
        fputs(stream->written ? "\n]\n" : "]\n", stream->out);
    }
    return check_stream(stream, err);
}

static void add_text(struct result_stream *stream, const struct result_record *record)
{
    if (record->error) {
        return;
    }
    size_t width = 0;
    for (size_t i = 0; i < record->count; i++) {
        size_t length = strlen(stream->names[record->objects[i].class_id]);
        width = length > width ? length : width;
    }
    text_put(stream->out, record->image);
    if (stream->is_of_classes) {
        fprintf(stream->out, ": %dx%d\n", record->width, record->height);
    } else {
        fprintf(stream->out, ": %dx%d, %zu object%s\n", record->width, record->height,
                record->count, record->count == 1 ? "" : "s");
    }
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        const char *name = stream->names[o->class_id];
        fputs("  ", stream->out);
        text_put(stream->out, name);
        fprintf(stream->out, "%*s  %.3f", (int)(width - strlen(name)), "", (double)o->confidence);
        if (!stream->is_of_classes) {
            fprintf(stream->out, "  %.1f %.1f %.1f %.1f", (double)o->box.x1, (double)o->box.y1,
                    (double)o->box.x2, (double)o->box.y2);
        }
        fputc('\n', stream->out);
    }
    stream->written++;
}

void results_put_csv(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') {
            fputc('"', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}

static void add_csv(struct result_stream *stream, const struct result_record *record)
{
    for (size_t i = 0; !record->error && i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        results_put_csv(stream->out, record->image);
        fprintf(stream->out, ",%d,", o->class_id);
        results_put_csv(stream->out, stream->names[o->class_id]);
        fprintf(stream->out, ",%.*f", CONFIDENCE_DIGITS, (double)o->confidence);
        if (!stream->is_of_classes) {
            fprintf(stream->out, ",%.*f,%.*f,%.*f,%.*f", PIXEL_DIGITS, (double)o->box.x1,
                    PIXEL_DIGITS, (double)o->box.y1, PIXEL_DIGITS, (double)o->box.x2, PIXEL_DIGITS,
                    (double)o->box.y2);
        }
        if (stream->thresholds) {
            fprintf(stream->out, ",%.*f", CONFIDENCE_DIGITS,
                    (double)stream->thresholds[o->class_id]);
        }
        fputc('\n', stream->out);
        stream->written++;
    }
}

/* False if memory ran out: every builder call passes NULL on, so the last one tells. */
static bool add_number(cJSON *object, const char *key, double value, int digits)
{
    json_add_rounded(object, key, value, digits);
    return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
}

static bool add_object_json(cJSON *list, const struct result_stream *stream,
                            const struct result_object *o)
{
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        return false;
    }
    if (!add_number(item, "class_id", o->class_id, 0) ||
        !cJSON_AddStringToObject(item, "name", stream->names[o->class_id]) ||
        !add_number(item, "confidence", (double)o->confidence, CONFIDENCE_DIGITS)) {
        return false;
    }
    if (stream->thresholds &&
        !add_number(item, "threshold", (double)stream->thresholds[o->class_id],
                    CONFIDENCE_DIGITS)) {
        return false;
    }
    if (stream->is_of_classes) {
        return true;
    }
    cJSON *box = cJSON_AddObjectToObject(item, "box");
    return box && add_number(box, "x1", (double)o->box.x1, PIXEL_DIGITS) &&
           add_number(box, "y1", (double)o->box.y1, PIXEL_DIGITS) &&
           add_number(box, "x2", (double)o->box.x2, PIXEL_DIGITS) &&
           add_number(box, "y2", (double)o->box.y2, PIXEL_DIGITS);
}

static bool fill_json(cJSON *root, const struct result_stream *stream,
                      const struct result_record *record)
{
    if (!cJSON_AddStringToObject(root, "image", record->image)) {
        return false;
    }
    if (record->error) {
        return cJSON_AddStringToObject(root, "error", record->error);
    }
    cJSON *objects = NULL;
    if (!add_number(root, "width", record->width, 0) ||
        !add_number(root, "height", record->height, 0) ||
        !(objects = cJSON_AddArrayToObject(root, stream->is_of_classes ? "classes" : "objects"))) {
        return false;
    }
    for (size_t i = 0; i < record->count; i++) {
        if (!add_object_json(objects, stream, &record->objects[i])) {
            return false;
        }
    }
    cJSON *ms = cJSON_AddObjectToObject(root, "ms");
    return ms && add_number(ms, "load", record->load_ms, MS_DIGITS) &&
           add_number(ms, "infer", record->infer_ms, MS_DIGITS) &&
           add_number(ms, "post", record->post_ms, MS_DIGITS);
}

/* One entry of the COCO results format: the box is corner and size. */
static bool fill_coco(cJSON *root, const struct result_stream *stream,
                      const struct result_record *record, const struct result_object *o)
{
    const double box[4] = {(double)o->box.x1, (double)o->box.y1,
                           (double)o->box.x2 - (double)o->box.x1,
                           (double)o->box.y2 - (double)o->box.y1};
    if (!add_number(root, "image_id", record->image_id, 0) ||
        !add_number(root, "category_id", stream->categories[o->class_id], 0)) {
        return false;
    }
    cJSON *list = cJSON_AddArrayToObject(root, "bbox");
    for (int i = 0; i < 4; i++) {
        cJSON *number = cJSON_CreateNumber((double)(long long)(box[i] * 1000 + 0.5) / 1000);
        if (!list || !number || !cJSON_AddItemToArray(list, number)) {
            cJSON_Delete(number);
            return false;
        }
    }
    return add_number(root, "score", (double)o->confidence, CONFIDENCE_DIGITS);
}

/* Print a filled object and its separator; deletes root. */
static enum result print_json(struct result_stream *stream, cJSON *root, bool is_filled,
                              struct error *err)
{
    char *text = is_filled ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    if (!text) {
        return mem_error(err, "JSON output");
    }
    if (stream->format != RESULT_JSONL) {
        fputs(stream->written ? ",\n" : "\n", stream->out);
    }
    json_put(stream->out, text);
    if (stream->format == RESULT_JSONL) {
        fputc('\n', stream->out);
    }
    cJSON_free(text);
    stream->written++;
    return OK;
}

static enum result add_json(struct result_stream *stream, const struct result_record *record,
                            struct error *err)
{
    cJSON *root = cJSON_CreateObject();
    return print_json(stream, root, root && fill_json(root, stream, record), err);
}

static enum result add_coco(struct result_stream *stream, const struct result_record *record,
                            struct error *err)
{
    for (size_t i = 0; !record->error && i < record->count; i++) {
        cJSON *root = cJSON_CreateObject();
        bool is_filled = root && fill_coco(root, stream, record, &record->objects[i]);
        TRY(print_json(stream, root, is_filled, err));
    }
    return OK;
}

enum result results_add(struct result_stream *stream, const struct result_record *record,
                        struct error *err)
{
    switch (stream->format) {
    case RESULT_TEXT:
        add_text(stream, record);
        break;
    case RESULT_CSV:
        add_csv(stream, record);
        break;
    case RESULT_JSON:
    case RESULT_JSONL:
        TRY(add_json(stream, record, err));
        break;
    case RESULT_COCO:
        TRY(add_coco(stream, record, err));
        break;
    case RESULT_YOLO:
    case RESULT_VOC:
        break;
    }
    return check_stream(stream, err);
}
