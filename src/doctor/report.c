#include "doctor/report.h"

#include <stdio.h>

#include "base/text.h"
#include "base/json.h"

/* ---- text ---- */

static void print_findings(const struct finding_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct finding *f = &list->items[i];
        text_put(stdout, f->path);
        if (f->line > 0) {
            printf(":%d", f->line);
        }
        printf(": %s: %s [%s]\n", severity_name(finding_severity(f->kind)), f->text,
               finding_slug(f->kind));
    }
    if (list->count > 0) {
        printf("\n");
    }
}

static void print_quantiles(const char *title, const double *values, const char *unit)
{
    printf("  %-14s", title);
    for (int i = 0; i < QUANTILES; i++) {
        printf(" %6.1f", values[i]);
    }
    printf(" %s\n", unit);
}

static void print_set(const struct doctor *doctor, const struct doctor_set *set,
                      const struct set_stats *stats)
{
    printf("%s: ", set->role);
    text_put(stdout, set->path);
    printf("\n  %zu %s", stats->pictures, set->data.features ? "rows" : "pictures");
    if (stats->widest > 0) {
        printf(" of %d..%d x %d..%d", stats->narrowest, stats->widest, stats->lowest,
               stats->highest);
    }
    if (doctor->kind != DATASET_BOXES) {
        printf("\n");
        return;
    }
    printf(", %zu without boxes; %zu boxes, at most %zu in a picture\n", stats->backgrounds,
           stats->boxes, stats->most_boxes);
    if (stats->left_out > 0) {
        printf(
            "  %zu of the pictures have %s that cannot be used: train, eval, anchors, convert and "
            "--fix leave them out\n",
            stats->left_out, set->data.category_ids ? "annotations" : "label lines");
    }
    if (stats->boxes == 0) {
        return;
    }
    printf("  %-14s %6s %6s %6s %6s %6s\n", "share of boxes", "5 %", "25 %", "50 %", "75 %",
           "95 %");
    print_quantiles("width up to", stats->width, "% of the picture");
    print_quantiles("height up to", stats->height, "% of the picture");
    if (stats->small + stats->medium + stats->large > 0) {
        printf("  %zu small (under 32x32 pixels of area), %zu medium, %zu large (from 96x96)\n",
               stats->small, stats->medium, stats->large);
    }
}

static void print_classes(const struct check_report *report)
{
    const struct doctor *doctor = report->doctor;
    bool has_boxes = doctor->kind == DATASET_BOXES;
    if (!has_boxes && doctor->class_count == 0) {
        return;
    }
    printf("classes\n  %5s %-20s", "id", "name");
    for (int set = 0; set < doctor->set_count; set++) {
        printf(has_boxes ? " %8s boxes in pictures" : " %8s", doctor->sets[set].role);
    }
    printf("\n");
    for (size_t i = 0; i < doctor->class_count; i++) {
        char name[128];
        size_t boxes = 0;
        for (int set = 0; set < doctor->set_count; set++) {
            boxes +=
                has_boxes ? report->sets[set].class_boxes[i] : report->sets[set].class_pictures[i];
        }
        if (boxes == 0) {
            continue;
        }
        printf("  %5zu %-20s", i, doctor_class_name(doctor, i, name, sizeof name));
        for (int set = 0; set < doctor->set_count; set++) {
            size_t pictures = report->sets[set].class_pictures[i];
            if (has_boxes) {
                printf(" %14zu %11zu", report->sets[set].class_boxes[i], pictures);
            } else {
                printf(" %8zu", pictures);
            }
        }
        printf("\n");
    }
}

static void print_network(const struct check_report *report)
{
    const struct anchor_heads *heads = report->heads;
    const struct network_stats *stats = &report->network;
    double boxes = (double)stats->sizes.count;
    printf("network input %dx%d%s, boxes of train\n", heads->net_w, heads->net_h,
           heads->letterbox ? ", letterbox" : "");
    if (stats->sizes.count == 0) {
        return;
    }
    print_quantiles("side up to", stats->side, "pixels");
    printf("  %.1f %% narrower or lower than 4 pixels, %.1f %% than the smallest stride (%g)\n",
           100 * (double)stats->under4 / boxes, 100 * (double)stats->under_stride / boxes,
           (double)heads->heads[0].stride);
    for (int i = 0; i < heads->count; i++) {
        printf("  layer %d, stride %g, %d anchors: learns %.1f %%\n", heads->heads[i].layer,
               (double)heads->heads[i].stride, heads->heads[i].slots,
               100 * (double)stats->by_head[i] / boxes);
    }
    if (stats->by_none > 0) {
        printf("  %.1f %% are nearest to an anchor that no head uses\n",
               100 * (double)stats->by_none / boxes);
    }
    printf(
        "  anchors: mean IoU %.1f %%, above 0.5: %.1f %%, best possible recall %.1f %% (see: yolo "
        "anchors)\n",
        100 * stats->fit.mean_iou, 100 * stats->fit.recall50, 100 * stats->fit.recall_factor4);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print_summary(const struct check_report *report)
{
    const struct finding_list *list = &report->doctor->findings;
    size_t errors = finding_count(list, SEVERITY_ERROR);
    size_t warnings = finding_count(list, SEVERITY_WARNING);
    size_t notes = finding_count(list, SEVERITY_NOTE);
    printf("summary: %zu error%s, %zu warning%s, %zu note%s; %.1f s%s\n", errors, plural(errors),
           warnings, plural(warnings), notes, plural(notes), report->seconds,
           report->doctor->has_read || report->doctor->kind == DATASET_TABLE
               ? ""
               : "; pictures were not opened");
    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_NOTE; severity--) {
        for (int i = 0; i < FINDING_KINDS; i++) {
            if (list->counts[i] > 0 && (int)finding_severity((enum finding_kind)i) == severity) {
                printf("  %-8s %6zu %s\n", severity_name((enum severity)severity), list->counts[i],
                       finding_name((enum finding_kind)i));
            }
        }
    }
}

void check_print_text(const struct check_report *report)
{
    print_findings(&report->doctor->findings);
    for (int set = 0; set < report->doctor->set_count; set++) {
        print_set(report->doctor, &report->doctor->sets[set], &report->sets[set]);
    }
    print_classes(report);
    if (report->heads) {
        print_network(report);
    }
    print_summary(report);
}

/* ---- JSON ---- */

static cJSON *findings_json(const struct doctor *doctor)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < doctor->findings.count; i++) {
        const struct finding *f = &doctor->findings.items[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "kind", finding_slug(f->kind));
        cJSON_AddStringToObject(object, "severity", severity_name(finding_severity(f->kind)));
        cJSON_AddStringToObject(object, "path", f->path);
        if (f->line > 0) {
            cJSON_AddNumberToObject(object, "line", f->line);
        }
        cJSON_AddStringToObject(object, "text", f->text);
        cJSON_AddStringToObject(object, "set", f->set == SET_VALID ? "valid" : "train");
        cJSON_AddItemToArray(array, object);
    }
    return array;
}

static cJSON *quantiles_json(const double *values, int digits)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < QUANTILES; i++) {
        char key[16];
        snprintf(key, sizeof key, "p%.0f", 100 * quantile_shares[i]);
        json_add_rounded(object, key, values[i], digits);
    }
    return object;
}

static cJSON *set_json(const struct doctor_set *set, const struct set_stats *stats, bool has_boxes)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "path", set->path);
    cJSON_AddNumberToObject(object, set->data.features ? "rows" : "images",
                            (double)stats->pictures);
    if (!has_boxes) {
        return object;
    }
    cJSON_AddNumberToObject(object, "backgrounds", (double)stats->backgrounds);
    cJSON_AddNumberToObject(object, "left_out", (double)stats->left_out);
    cJSON_AddNumberToObject(object, "boxes", (double)stats->boxes);
    cJSON_AddNumberToObject(object, "most_boxes", (double)stats->most_boxes);
    cJSON_AddNumberToObject(object, "small", (double)stats->small);
    cJSON_AddNumberToObject(object, "medium", (double)stats->medium);
    cJSON_AddNumberToObject(object, "large", (double)stats->large);
    cJSON_AddItemToObject(object, "width_percent", quantiles_json(stats->width, 3));
    cJSON_AddItemToObject(object, "height_percent", quantiles_json(stats->height, 3));
    return object;
}

static cJSON *classes_json(const struct check_report *report)
{
    const struct doctor *doctor = report->doctor;
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < doctor->class_count; i++) {
        char name[128];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "id", (double)i);
        cJSON_AddStringToObject(object, "name", doctor_class_name(doctor, i, name, sizeof name));
        for (int set = 0; set < doctor->set_count; set++) {
            cJSON *counts = cJSON_AddObjectToObject(object, doctor->sets[set].role);
            if (doctor->kind == DATASET_BOXES) {
                cJSON_AddNumberToObject(counts, "boxes", (double)report->sets[set].class_boxes[i]);
            }
            cJSON_AddNumberToObject(counts, "images", (double)report->sets[set].class_pictures[i]);
        }
        cJSON_AddItemToArray(array, object);
    }
    return array;
}

static cJSON *network_json(const struct check_report *report)
{
    const struct anchor_heads *heads = report->heads;
    const struct network_stats *stats = &report->network;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "width", heads->net_w);
    cJSON_AddNumberToObject(object, "height", heads->net_h);
    cJSON_AddBoolToObject(object, "letterbox", heads->letterbox);
    cJSON_AddItemToObject(object, "side_pixels", quantiles_json(stats->side, 2));
    cJSON_AddNumberToObject(object, "under_4_pixels", (double)stats->under4);
    cJSON_AddNumberToObject(object, "under_stride", (double)stats->under_stride);
    cJSON *array = cJSON_AddArrayToObject(object, "heads");
    for (int i = 0; i < heads->count; i++) {
        cJSON *head = cJSON_CreateObject();
        cJSON_AddNumberToObject(head, "layer", heads->heads[i].layer);
        json_add_rounded(head, "stride", (double)heads->heads[i].stride, 3);
        cJSON_AddNumberToObject(head, "anchors", heads->heads[i].slots);
        cJSON_AddNumberToObject(head, "boxes", (double)stats->by_head[i]);
        cJSON_AddItemToArray(array, head);
    }
    cJSON_AddNumberToObject(object, "boxes_of_no_head", (double)stats->by_none);
    json_add_rounded(object, "mean_iou", stats->fit.mean_iou, 5);
    json_add_rounded(object, "recall50", stats->fit.recall50, 5);
    json_add_rounded(object, "best_possible_recall", stats->fit.recall_factor4, 5);
    return object;
}

enum result check_print_json(const struct check_report *report, struct error *err)
{
    const struct doctor *doctor = report->doctor;
    const struct finding_list *list = &doctor->findings;
    cJSON *root = cJSON_CreateObject();
    cJSON *sets = cJSON_AddObjectToObject(root, "sets");
    for (int set = 0; set < doctor->set_count; set++) {
        cJSON_AddItemToObject(
            sets, doctor->sets[set].role,
            set_json(&doctor->sets[set], &report->sets[set], doctor->kind == DATASET_BOXES));
    }
    cJSON_AddBoolToObject(root, "images_read", doctor->has_read);
    cJSON_AddItemToObject(root, "findings", findings_json(doctor));
    cJSON *summary = cJSON_AddObjectToObject(root, "summary");
    cJSON_AddNumberToObject(summary, "errors", (double)finding_count(list, SEVERITY_ERROR));
    cJSON_AddNumberToObject(summary, "warnings", (double)finding_count(list, SEVERITY_WARNING));
    cJSON_AddNumberToObject(summary, "notes", (double)finding_count(list, SEVERITY_NOTE));
    cJSON *kinds = cJSON_AddObjectToObject(summary, "kinds");
    for (int i = 0; i < FINDING_KINDS; i++) {
        cJSON_AddNumberToObject(kinds, finding_slug((enum finding_kind)i), (double)list->counts[i]);
    }
    cJSON_AddItemToObject(root, "classes", classes_json(report));
    if (report->heads) {
        cJSON_AddItemToObject(root, "network", network_json(report));
    }
    return json_print(root, true, err);
}
