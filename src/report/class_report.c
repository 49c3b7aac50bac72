#include "report/class_report.h"

#include <math.h>

#include "base/fileio.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "report/matrix.h"
#include "results/results.h"

enum { NAME_MAX_WIDTH = 28, NAME_BYTES = 1024, PATH_BYTES = 4096 };

static const char *shown_name(const struct class_report *r, size_t class_id, char *text)
{
    return text_mask(text_utf8(r->names[class_id], text, NAME_BYTES));
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

static void print_row(const char *name, int fill, const struct class_numbers *n, FILE *out)
{
    fprintf(out, "%s%*s %8zu %8zu", name, fill, "", n->images, n->found);
    print_number(out, n->precision, 9);
    print_number(out, n->recall, 7);
    print_number(out, n->f1, 7);
    print_number(out, n->top, 7);
    fprintf(out, "\n");
}

static bool has_row(const struct class_numbers *n)
{
    return n->images > 0 || n->found > 0;
}

static int name_width(const struct class_report *r)
{
    char name[NAME_BYTES];
    int width = 5;
    for (size_t k = 0; k < r->tally->class_count; k++) {
        struct class_numbers n = class_tally_class(r->tally, k);
        int columns = text_columns(shown_name(r, k, name));
        width = has_row(&n) && columns > width ? columns : width;
    }
    return width > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : width;
}

void class_report_text(const struct class_report *r, FILE *out)
{
    const struct class_tally *t = r->tally;
    struct class_numbers all = class_tally_all(t);
    char top[24], name[NAME_BYTES];
    snprintf(top, sizeof top, "top-%zu", t->top);
    fprintf(out, "%-8s", "top-1");
    print_number(out, all.recall, 7);
    fprintf(out, "  pictures whose best class is right\n%-8s", top);
    print_number(out, all.top, 7);
    fprintf(out, "  pictures with the right class among the best %zu\n%-8s", t->top, "balanced");
    print_number(out, class_tally_balanced(t), 7);
    fprintf(out, "  mean recall of the classes\n");
    if (isfinite(r->loss)) {
        fprintf(out, "%-8s %7.4f  mean of the pictures\n", "loss", r->loss);
    }
    int width = name_width(r);
    size_t absent = 0;
    fprintf(out, "\n%-*s %8s %8s %9s %7s %7s %7s\n", width, "class", "pictures", "taken for",
            "precision", "recall", "F1", top);
    print_row("all", width - 3, &all, out);
    for (size_t k = 0; k < t->class_count; k++) {
        struct class_numbers n = class_tally_class(t, k);
        if (!has_row(&n)) {
            absent++;
            continue;
        }
        int fill = width - text_columns(shown_name(r, k, name));
        print_row(name, fill > 0 ? fill : 0, &n, out);
    }
    if (absent > 0) {
        fprintf(out, "(%zu of %zu classes have no pictures, and none was taken for them)\n", absent,
                t->class_count);
    }
}

/* ---- CSV ---- */

static void csv_row(const char *id, const char *name, const struct class_numbers *n, FILE *out)
{
    fprintf(out, "%s,", id);
    results_put_csv(out, name);
    fprintf(out, ",%zu,%zu,%.9g,%.9g,%.9g,%.9g\n", n->images, n->found, n->precision, n->recall,
            n->f1, n->top);
}

void class_report_csv(const struct class_report *r, FILE *out)
{
    struct class_numbers n = class_tally_all(r->tally);
    fprintf(out, "class_id,class,pictures,found,precision,recall,F1,top%zu\n", r->tally->top);
    csv_row("", "all", &n, out);
    for (size_t k = 0; k < r->tally->class_count; k++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", k);
        n = class_tally_class(r->tally, k);
        csv_row(id, r->names[k], &n, out);
    }
}

/* ---- JSON ---- */

static void add_numbers(cJSON *object, const struct class_report *r, const struct class_numbers *n)
{
    char top[24];
    snprintf(top, sizeof top, "top%zu", r->tally->top);
    cJSON_AddNumberToObject(object, "precision", n->precision);
    cJSON_AddNumberToObject(object, "recall", n->recall);
    cJSON_AddNumberToObject(object, "F1", n->f1);
    cJSON_AddNumberToObject(object, top, n->top);
    cJSON_AddNumberToObject(object, "pictures", (double)n->images);
    cJSON_AddNumberToObject(object, "found", (double)n->found);
}

enum result class_report_json(const struct class_report *r, FILE *out, struct error *err)
{
    const struct class_tally *t = r->tally;
    struct class_numbers all = class_tally_all(t);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "top1", all.recall);
    add_numbers(root, r, &all);
    cJSON_AddNumberToObject(root, "balanced", class_tally_balanced(t));
    if (isfinite(r->loss)) {
        cJSON_AddNumberToObject(root, "loss", r->loss);
    }
    cJSON_AddNumberToObject(root, "images", (double)all.images);
    cJSON_AddNumberToObject(root, "failed", (double)r->failures);
    cJSON *classes = cJSON_AddArrayToObject(root, "classes");
    cJSON *confusion = cJSON_AddArrayToObject(root, "confusion");
    for (size_t k = 0; k < t->class_count; k++) {
        struct class_numbers n = class_tally_class(t, k);
        cJSON *object = cJSON_CreateObject(), *row = cJSON_CreateArray();
        cJSON_AddNumberToObject(object, "id", (double)k);
        cJSON_AddStringToObject(object, "name", r->names[k]);
        add_numbers(object, r, &n);
        cJSON_AddItemToArray(classes, object);
        for (size_t f = 0; f < t->class_count; f++) {
            cJSON_AddItemToArray(row, cJSON_CreateNumber((double)class_tally_count(t, k, f)));
        }
        cJSON_AddItemToArray(confusion, row);
    }
    return json_write(root, true, out, err);
}

/* ---- files ---- */

static enum result put_json(const struct class_report *r, FILE *out, struct error *err)
{
    return class_report_json(r, out, err);
}

static enum result put_csv(const struct class_report *r, FILE *out, struct error *err)
{
    (void)err;
    class_report_csv(r, out);
    return OK;
}

static enum result put_confusion(const struct class_report *r, FILE *out, struct error *err)
{
    size_t count = r->tally->class_count;
    (void)err;
    fputs("true_class", out);
    for (size_t k = 0; k < count; k++) {
        fputc(',', out);
        results_put_csv(out, r->names[k]);
    }
    fputc('\n', out);
    for (size_t t = 0; t < count; t++) {
        results_put_csv(out, r->names[t]);
        for (size_t f = 0; f < count; f++) {
            fprintf(out, ",%zu", class_tally_count(r->tally, t, f));
        }
        fputc('\n', out);
    }
    return OK;
}

static size_t count_of(const void *ctx, size_t truth, size_t found)
{
    return class_tally_count(ctx, truth, found);
}

static enum result draw_confusion(const struct class_report *r, const char *folder,
                                  struct error *err)
{
    char path[PATH_BYTES], note[80];
    struct class_numbers all = class_tally_all(r->tally);
    snprintf(note, sizeof note, "%zu pictures, top-1 %.4f", all.images, fmax(all.recall, 0.0));
    const struct matrix_source source = {.names = r->names,
                                         .class_count = r->tally->class_count,
                                         .note = note,
                                         .column_word = "taken for",
                                         .count = count_of,
                                         .ctx = r->tally};
    TRY(path_in(path, sizeof path, folder, "confusion.png", err));
    return matrix_draw(&source, path, err);
}

enum result class_report_files(const struct class_report *report, const char *folder,
                               struct error *err)
{
    static const struct {
        const char *name;
        enum result (*put)(const struct class_report *r, FILE *out, struct error *err);
    } tables[] = {
        {"metrics.json", put_json}, {"classes.csv", put_csv}, {"confusion.csv", put_confusion}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct atomic_file file;
        TRY(atomic_open_in(&file, folder, tables[i].name, err));
        enum result result = tables[i].put(report, file.stream, err);
        TRY(atomic_end(&file, result, err));
    }
    return draw_confusion(report, folder, err);
}
