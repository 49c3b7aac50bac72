#include "report/value_report.h"

#include <math.h>

#include "base/fileio.h"
#include "base/json.h"

enum { SHOWN_VALUES = 64 }; /* as text; further ones are in CSV and JSON */

static size_t rows(const struct value_report *r)
{
    return r->is_one_kind ? 0 : r->tally->count;
}

/* ---- text ---- */

static void print_number(FILE *out, double value)
{
    if (isfinite(value)) {
        fprintf(out, " %12.6g", value);
    } else {
        fprintf(out, " %12s", "-");
    }
}

static void print_row(const char *name, const struct value_numbers *n, FILE *out)
{
    fprintf(out, "%-8s", name);
    print_number(out, n->mae);
    print_number(out, n->rmse);
    print_number(out, n->r2);
    fprintf(out, "\n");
}

void value_report_text(const struct value_report *r, FILE *out)
{
    struct value_numbers n = value_tally_all(r->tally);
    fprintf(out, "%-8s %7.6g  mean of the %s\n\n", "loss", r->loss,
            r->is_table ? "rows" : "pictures");
    fprintf(out, "%-8s %12s %12s %12s\n", "value", "MAE", "RMSE", "R2");
    print_row("all", &n, out);
    size_t count = rows(r) > 1 ? rows(r) : 0;
    for (size_t k = 0; k < count && k < SHOWN_VALUES; k++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", k + 1);
        n = value_tally_value(r->tally, k);
        print_row(name, &n, out);
    }
    if (count > SHOWN_VALUES) {
        fprintf(out, "(%zu more with --format csv or json)\n", count - SHOWN_VALUES);
    }
}

/* ---- CSV ---- */

static void csv_row(const char *name, const struct value_numbers *n, FILE *out)
{
    fprintf(out, "%s,%.9g,%.9g,%.9g", name, n->mae, n->rmse, n->r2);
}

void value_report_csv(const struct value_report *r, FILE *out)
{
    struct value_numbers n = value_tally_all(r->tally);
    fprintf(out, "value,MAE,RMSE,R2,samples,failed,loss\n");
    csv_row("all", &n, out);
    fprintf(out, ",%zu,%zu,%.9g\n", r->samples, r->failures, r->loss);
    for (size_t k = 0; k < rows(r); k++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", k + 1);
        n = value_tally_value(r->tally, k);
        csv_row(name, &n, out);
        fprintf(out, ",,,\n");
    }
}

/* ---- JSON ---- */

/* null where there is nothing to measure. */
static void add_numbers(cJSON *object, const struct value_numbers *n)
{
    cJSON_AddNumberToObject(object, "MAE", n->mae);
    cJSON_AddNumberToObject(object, "RMSE", n->rmse);
    cJSON_AddNumberToObject(object, "R2", n->r2);
}

enum result value_report_json(const struct value_report *r, FILE *out, struct error *err)
{
    struct value_numbers n = value_tally_all(r->tally);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "loss", r->loss);
    cJSON_AddNumberToObject(root, "samples", (double)r->samples);
    cJSON_AddNumberToObject(root, "failed", (double)r->failures);
    add_numbers(root, &n);
    cJSON *values = rows(r) > 0 ? cJSON_AddArrayToObject(root, "values") : NULL;
    for (size_t k = 0; values && k < rows(r); k++) {
        cJSON *object = cJSON_CreateObject();
        n = value_tally_value(r->tally, k);
        add_numbers(object, &n);
        cJSON_AddItemToArray(values, object);
    }
    return json_write(root, true, out, err);
}

enum result value_report_files(const struct value_report *r, const char *folder, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, folder, "metrics.json", err));
    enum result result = value_report_json(r, file.stream, err);
    return atomic_end(&file, result, err);
}
