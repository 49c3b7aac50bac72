#include "report/eval_report.h"

#include <string.h>

#include "base/text.h"
#include "base/json.h"
#include "results/results.h"

enum { NAME_MAX_WIDTH = 28, NAME_BYTES = 1024 };

const char *eval_map_name(const struct evaluation *evaluation, char *text, size_t size)
{
    snprintf(text, size, "mAP%.0f", evaluation->options.map_iou * 100);
    return text;
}

static bool has_row(const struct evaluation_row *row)
{
    return row->truths > 0 || row->detections > 0;
}

/* ---- text ---- */

static void print_number(FILE *out, double value, int width)
{
    if (value < 0) {
        fprintf(out, " %*s", width, "-");
    } else {
        fprintf(out, " %*.4f", width, value);
    }
}

static void print_overall(const struct evaluation *e, FILE *out)
{
    if (e->options.share) {
        fprintf(out, "only %s\n", e->options.share);
    }
    static const char *const meanings[COCO_NUMBER_COUNT] = {
        "IoU .50 to .95",
        "IoU .50",
        "IoU .75",
        "small objects, area up to 32 x 32 pixels",
        "medium objects",
        "large objects, area from 96 x 96 pixels",
        "average recall, the best detection of a class in each picture",
        "the best 10",
        "the best 100",
        "small",
        "medium",
        "large",
    };
    for (int n = 0; n < COCO_NUMBER_COUNT; n++) {
        fprintf(out, "%-6s", coco_number_name((enum coco_number)n));
        print_number(out, e->all.numbers[n], 7);
        fprintf(out, "  %s\n", meanings[n]);
    }
    fprintf(
        out,
        "        COCO's rules, as pycocotools: 101 points of recall, the mean of the classes with objects, "
        "the best 100 detections of each class in a picture\n");
}

static void print_map(const struct evaluation *e, FILE *out)
{
    const struct evaluation_options *o = &e->options;
    const struct map_counts *c = &e->all.counts;
    char name[16], points[32] = "area under the curve";
    if (o->points != MAP_AREA) {
        snprintf(points, sizeof points, "%d points", (int)o->points);
    }
    fprintf(out, "%-6s", eval_map_name(e, name, sizeof name));
    print_number(out, e->all.map_ap, 7);
    fprintf(out, "  %s rules, %s, classes without objects %s\n",
            o->rules == MAP_DARKNET ? "Darknet's" : "PASCAL VOC's", points,
            o->absent_is_zero ? "count 0" : "do not count");
    fprintf(
        out,
        "        at confidence %.2f: precision %.4f, recall %.4f, F1 %.4f, %zu right, %zu false "
        "alarms, %zu missed, mean IoU %.4f\n",
        e->map_threshold, c->precision, c->recall, c->f1, c->hits, c->misses, c->lost,
        c->average_iou);
}

static void print_row(const struct evaluation *e, const char *name, int width,
                      const struct evaluation_row *row, FILE *out)
{
    fprintf(out, "%s%*s %7zu", name, width, "", row->truths);
    print_number(out, row->numbers[COCO_AP], 6);
    print_number(out, row->numbers[COCO_AP50], 6);
    print_number(out, row->numbers[COCO_AP75], 6);
    if (e->options.has_map) {
        print_number(out, row->truths || row == &e->all ? row->map_ap : -1, 6);
    }
    bool has_point = row->truths > 0;
    print_number(out, has_point ? row->at.f1 : -1, 6);
    print_number(out, has_point ? row->at.precision : -1, 9);
    print_number(out, has_point ? row->at.recall : -1, 6);
    print_number(out, has_point ? row->threshold : -1, 7);
    fprintf(out, "\n");
}

static const char *shown_name(const struct evaluation *e, size_t class_id, char *text)
{
    return text_mask(text_utf8(e->set->names[class_id], text, NAME_BYTES));
}

static void print_classes(const struct evaluation *e, FILE *out)
{
    char name[NAME_BYTES], map[16];
    int width = 5;
    size_t absent = 0;
    for (size_t k = 0; k < e->set->class_count; k++) {
        int columns = text_columns(shown_name(e, k, name));
        width = has_row(&e->rows[k]) && columns > width ? columns : width;
    }
    width = width > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : width;
    fprintf(out, "\n%-*s %7s %6s %6s %6s", width, "class", "objects", "AP", "AP50", "AP75");
    if (e->options.has_map) {
        fprintf(out, " %6s", eval_map_name(e, map, sizeof map));
    }
    fprintf(out, " %6s %9s %6s %7s\n", "F1", "precision", "recall", "at conf");
    print_row(e, "all", width - 3, &e->all, out);
    for (size_t k = 0; k < e->set->class_count; k++) {
        if (!has_row(&e->rows[k])) {
            absent++;
            continue;
        }
        int fill = width - text_columns(shown_name(e, k, name));
        print_row(e, name, fill > 0 ? fill : 0, &e->rows[k], out);
    }
    if (absent > 0) {
        fprintf(out, "(%zu of %zu classes have neither objects nor detections)\n", absent,
                e->set->class_count);
    }
}

static void print_loss(const struct evaluation_row *fp32, const struct evaluation_row *row,
                       enum coco_number n, FILE *out)
{
    bool is_there = fp32->numbers[n] >= 0 && row->numbers[n] >= 0;
    print_number(out, fp32->numbers[n], 7);
    print_number(out, row->numbers[n], 6);
    if (is_there) {
        fprintf(out, " %7.2f", 100 * (fp32->numbers[n] - row->numbers[n]));
    } else {
        fprintf(out, " %7s", "-");
    }
}

/* What int8 costs, in points. */
static void print_losses(const struct evaluation *e, FILE *out)
{
    char name[NAME_BYTES];
    fprintf(out, "\n%-*s %7s %6s %7s %7s %6s %7s\n", NAME_MAX_WIDTH, "int8 beside fp32", "AP fp32",
            "int8", "loss", "AP50", "int8", "loss");
    for (size_t k = 0; k <= e->set->class_count; k++) {
        bool is_all = k == 0;
        const struct evaluation_row *fp32 = is_all ? &e->fp32->all : &e->fp32->rows[k - 1];
        const struct evaluation_row *row = is_all ? &e->all : &e->rows[k - 1];
        if (!is_all && row->truths == 0) {
            continue;
        }
        const char *shown = is_all ? "all" : shown_name(e, k - 1, name);
        int fill = NAME_MAX_WIDTH - text_columns(shown);
        fprintf(out, "%s%*s", shown, fill > 0 ? fill : 0, "");
        print_loss(fp32, row, COCO_AP, out);
        print_loss(fp32, row, COCO_AP50, out);
        fprintf(out, "\n");
    }
}

void eval_print_text(const struct evaluation *e, FILE *out)
{
    print_overall(e, out);
    if (e->options.has_map) {
        print_map(e, out);
    }
    fprintf(out, "%-6s %7.4f  expected calibration error of the confidence, all detections\n",
            "ECE", e->calibration.ece);
    print_classes(e, out);
    if (e->fp32) {
        print_losses(e, out);
    }
}

/* ---- CSV ---- */

/* fp32: the row beside it, or NULL. */
static void csv_row(const struct evaluation *e, const char *id, const char *name,
                    const struct evaluation_row *row, const struct evaluation_row *fp32, FILE *out)
{
    fprintf(out, "%s,", id);
    results_put_csv(out, name);
    fprintf(out, ",%zu,%zu", row->truths, row->detections);
    for (int n = 0; n < COCO_NUMBER_COUNT; n++) {
        fprintf(out, ",%.9g", row->numbers[n]);
    }
    fprintf(out, ",%.9g,%.9g,%.9g,%.9g", row->at.precision, row->at.recall, row->at.f1,
            row->threshold);
    if (e->options.has_map) {
        fprintf(out, ",%.9g", row->map_ap);
    }
    if (fp32) {
        fprintf(out, ",%.9g,%.9g", fp32->numbers[COCO_AP], fp32->numbers[COCO_AP50]);
    }
    if (e->options.share) {
        fprintf(out, ",%s", e->options.share);
    }
    fprintf(out, "\n");
}

void eval_print_csv(const struct evaluation *e, FILE *out)
{
    char id[24], map[16];
    fprintf(out, "class_id,class,objects,detections");
    for (int n = 0; n < COCO_NUMBER_COUNT; n++) {
        fprintf(out, ",%s", coco_number_name((enum coco_number)n));
    }
    fprintf(out, ",precision,recall,F1,threshold");
    if (e->options.has_map) {
        fprintf(out, ",%s", eval_map_name(e, map, sizeof map));
    }
    fprintf(out, "%s%s\n", e->fp32 ? ",AP_fp32,AP50_fp32" : "", e->options.share ? ",share" : "");
    csv_row(e, "", "all", &e->all, e->fp32 ? &e->fp32->all : NULL, out);
    for (size_t k = 0; k < e->set->class_count; k++) {
        snprintf(id, sizeof id, "%zu", k);
        csv_row(e, id, e->set->names[k], &e->rows[k], e->fp32 ? &e->fp32->rows[k] : NULL, out);
    }
}

/* ---- JSON ---- */

/* fp32: the row beside it, or NULL. */
static void add_row(const struct evaluation *e, cJSON *object, const struct evaluation_row *row,
                    const struct evaluation_row *fp32)
{
    char map[16];
    for (int n = 0; n < COCO_NUMBER_COUNT; n++) {
        cJSON_AddNumberToObject(object, coco_number_name((enum coco_number)n), row->numbers[n]);
    }
    if (e->options.has_map) {
        cJSON_AddNumberToObject(object, eval_map_name(e, map, sizeof map), row->map_ap);
    }
    if (fp32) {
        cJSON_AddNumberToObject(object, "AP_fp32", fp32->numbers[COCO_AP]);
        cJSON_AddNumberToObject(object, "AP50_fp32", fp32->numbers[COCO_AP50]);
    }
    cJSON_AddNumberToObject(object, "precision", row->at.precision);
    cJSON_AddNumberToObject(object, "recall", row->at.recall);
    cJSON_AddNumberToObject(object, "F1", row->at.f1);
    cJSON_AddNumberToObject(object, "threshold", row->threshold);
    cJSON_AddNumberToObject(object, "objects", (double)row->truths);
    cJSON_AddNumberToObject(object, "detections", (double)row->detections);
}

static void add_map(const struct evaluation *e, cJSON *root)
{
    const struct map_counts *c = &e->all.counts;
    cJSON *map = cJSON_AddObjectToObject(root, "mAP");
    cJSON_AddStringToObject(map, "rules", e->options.rules == MAP_DARKNET ? "darknet" : "voc");
    cJSON_AddNumberToObject(map, "points", (double)e->options.points);
    json_add_rounded(map, "iou", e->options.map_iou, 6);
    cJSON_AddStringToObject(map, "absent", e->options.absent_is_zero ? "zero" : "skip");
    cJSON_AddNumberToObject(map, "threshold", e->map_threshold);
    cJSON_AddNumberToObject(map, "precision", c->precision);
    cJSON_AddNumberToObject(map, "recall", c->recall);
    cJSON_AddNumberToObject(map, "F1", c->f1);
    cJSON_AddNumberToObject(map, "right", (double)c->hits);
    cJSON_AddNumberToObject(map, "false_alarms", (double)c->misses);
    cJSON_AddNumberToObject(map, "missed", (double)c->lost);
    cJSON_AddNumberToObject(map, "mean_iou", c->average_iou);
}

enum result eval_print_json(const struct evaluation *e, FILE *out, struct error *err)
{
    cJSON *root = cJSON_CreateObject();
    add_row(e, root, &e->all, e->fp32 ? &e->fp32->all : NULL);
    if (e->options.has_map) {
        add_map(e, root);
    }
    cJSON_AddNumberToObject(root, "ECE", e->calibration.ece);
    if (e->options.confidence) {
        cJSON_AddStringToObject(root, "conf", e->options.confidence);
    }
    if (e->options.share) {
        cJSON_AddStringToObject(root, "share", e->options.share);
    }
    cJSON_AddNumberToObject(root, "images", (double)e->images);
    cJSON_AddNumberToObject(root, "failed", (double)e->failures);
    cJSON *classes = cJSON_AddArrayToObject(root, "classes");
    for (size_t k = 0; k < e->set->class_count; k++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "id", (double)k);
        cJSON_AddStringToObject(object, "name", e->set->names[k]);
        if (e->set->is_coco) {
            cJSON_AddNumberToObject(object, "category_id", (double)e->set->coco.categories[k].id);
        }
        add_row(e, object, &e->rows[k], e->fp32 ? &e->fp32->rows[k] : NULL);
        cJSON_AddItemToArray(classes, object);
    }
    return json_write(root, true, out, err);
}
