#include "report/compare_report.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "results/results.h"

enum { NAME_BYTES = 512, VALUE_BYTES = 256, NAME_WIDTH = 32, VALUE_WIDTH = 40 };

static const enum coco_number coco_numbers[BOOTSTRAP_NUMBERS] = {COCO_AP50, COCO_AP};

static double number_of(const struct comparison *c, size_t run, int number)
{
    return c->runs[run].found.evaluation.all.numbers[coco_numbers[number]];
}

static double difference(const struct comparison *c, size_t run, int number)
{
    return number_of(c, run, number) - number_of(c, 0, number);
}

/* ---- what differs in args.json ---- */

static const cJSON *argument(const struct comparison *c, size_t run, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(c->runs[run].args, key);
}

/* Not what was asked for, but what is told of it. */
static bool is_remark(const char *key)
{
    return strcmp(key, "choices") == 0 || strcmp(key, "isa_changes") == 0;
}

static bool differs(const struct comparison *c, const char *key)
{
    for (size_t r = 1; r < c->count && !is_remark(key); r++) {
        const cJSON *a = argument(c, 0, key), *b = argument(c, r, key);
        if (a != b && !(a && b && cJSON_Compare(a, b, true))) {
            return true;
        }
    }
    return false;
}

static bool is_first(const struct comparison *c, size_t run, const char *key)
{
    for (size_t r = 0; r < run; r++) {
        if (argument(c, r, key)) {
            return false;
        }
    }
    return true;
}

/* For people: "-" where nothing was said, which args.json has as nothing or as a number below 0. */
static const char *value_text(const cJSON *item, char text[VALUE_BYTES])
{
    size_t used = 0;
    if (!item || (cJSON_IsNumber(item) && item->valuedouble < 0.0)) {
        snprintf(text, VALUE_BYTES, "-");
    } else if (cJSON_IsBool(item)) {
        snprintf(text, VALUE_BYTES, "%s", cJSON_IsTrue(item) ? "yes" : "no");
    } else if (cJSON_IsNumber(item)) {
        snprintf(text, VALUE_BYTES, "%.9g", item->valuedouble);
    } else if (cJSON_IsString(item)) {
        text_utf8(item->valuestring, text, VALUE_BYTES);
    } else {
        text[0] = '\0';
        for (const cJSON *at = item->child; at && used < VALUE_BYTES; at = at->next) {
            const char *word = cJSON_GetStringValue(at);
            used += (size_t)snprintf(text + used, VALUE_BYTES - used, "%s\"%s\"", used ? " " : "",
                                     word ? word : "");
        }
    }
    return text_mask(text);
}

/* ---- text ---- */

/* text in `width` columns; of one that is too long, the end, which tells paths apart. The last of a line is not filled
 * up. */
static void put_cell(const char *text, int width, bool is_last, FILE *out)
{
    int columns = text_columns(text);
    const char *mark = "";
    if (columns > width) {
        int drop = columns - width + 3;
        for (; drop > 0; drop--) {
            size_t length = text_utf8_length(text);
            text += length > 0 ? length : 1;
        }
        mark = "...";
        columns = width;
    }
    fprintf(out, "%s%s%*s", mark, text, is_last ? 0 : width - columns, "");
}

static const char *run_name(const struct comparison *c, size_t run, char text[NAME_BYTES])
{
    return text_mask(text_utf8(c->runs[run].folder, text, NAME_BYTES));
}

static int widest_run(const struct comparison *c)
{
    char text[NAME_BYTES];
    int width = 4;
    for (size_t r = 0; r < c->count; r++) {
        int columns = text_columns(run_name(c, r, text));
        width = columns > width ? columns : width;
    }
    return width > NAME_WIDTH ? NAME_WIDTH : width;
}

static void print_number(const struct comparison *c, size_t run, int number, FILE *out)
{
    const struct bootstrap_interval *interval = &c->intervals[run][number];
    double value = number_of(c, run, number);
    if (value < 0.0) {
        fprintf(out, "  %6s%*s", "-", number + 1 < BOOTSTRAP_NUMBERS ? 27 : 0, "");
        return;
    }
    fprintf(out, "  %6.4f", value);
    if (run > 0 && isfinite(interval->low)) {
        fprintf(out, " %+7.4f [%+.4f, %+.4f]", difference(c, run, number), interval->low,
                interval->high);
    } else if (number + 1 < BOOTSTRAP_NUMBERS) {
        fprintf(out, "%*s", 27, "");
    }
}

static void print_runs(const struct comparison *c, FILE *out)
{
    char text[NAME_BYTES];
    int width = widest_run(c);
    put_cell("run", width, false, out);
    fprintf(out, " %8s %8s %7s  %-33s  %s\n", "updates", "minutes", "ms", "mAP@.5", "mAP@.5:.95");
    for (size_t r = 0; r < c->count; r++) {
        const struct compared_run *run = &c->runs[r];
        put_cell(run_name(c, r, text), width, false, out);
        if (isfinite(run->updates) && isfinite(run->seconds)) {
            fprintf(out, " %8.0f %8.1f", run->updates, run->seconds / 60.0);
        } else {
            fprintf(out, " %8s %8s", "-", "-");
        }
        fprintf(out, " %7.1f", run->found.infer_ms);
        print_number(c, r, BOOTSTRAP_AP50, out);
        print_number(c, r, BOOTSTRAP_AP, out);
        fputc('\n', out);
    }
}

static void print_classes(const struct comparison *c, FILE *out)
{
    const struct evaluation *first = &c->runs[0].found.evaluation;
    char text[NAME_BYTES];
    int width = 5;
    for (size_t k = 0; k < first->set->class_count; k++) {
        int columns = text_columns(first->set->names[k]);
        width = columns > width ? columns : width;
    }
    width = width > NAME_WIDTH ? NAME_WIDTH : width;
    fputs("\nAP@.5 by class\n", out);
    put_cell("class", width, false, out);
    fprintf(out, " %7s", "objects");
    for (size_t r = 0; r < c->count; r++) {
        fprintf(out, "  run %*zu", 2, r + 1);
    }
    fputc('\n', out);
    for (size_t k = 0; k < first->set->class_count; k++) {
        if (first->rows[k].truths == 0) {
            continue;
        }
        put_cell(text_mask(text_utf8(first->set->names[k], text, sizeof text)), width, false, out);
        fprintf(out, " %7zu", first->rows[k].truths);
        for (size_t r = 0; r < c->count; r++) {
            fprintf(out, "  %.4f", c->runs[r].found.evaluation.rows[k].numbers[COCO_AP50]);
        }
        fputc('\n', out);
    }
}

static void print_difference(const struct comparison *c, const char *key, FILE *out)
{
    char text[VALUE_BYTES];
    put_cell(key, 18, false, out);
    for (size_t r = 0; r < c->count; r++) {
        fputs("  ", out);
        put_cell(value_text(argument(c, r, key), text), VALUE_WIDTH, r + 1 == c->count, out);
    }
    fputc('\n', out);
}

static void print_differences(const struct comparison *c, FILE *out)
{
    size_t count = 0;
    for (size_t r = 0; r < c->count; r++) {
        for (const cJSON *item = c->runs[r].args->child; item; item = item->next) {
            if (is_first(c, r, item->string) && differs(c, item->string)) {
                fputs(count++ == 0 ? "\nwhat differs in args.json (- = not said), run by run\n"
                                   : "",
                      out);
                print_difference(c, item->string, out);
            }
        }
    }
    if (count == 0) {
        fputs("\nargs.json: nothing differs\n", out);
    }
}

void compare_print_text(const struct comparison *c, FILE *out)
{
    print_runs(c, out);
    fprintf(out,
            "differences to the first run; in brackets where 95 %% of %d draws of %zu pictures lie "
            "(paired bootstrap)\n",
            COMPARE_DRAWS, c->runs[0].found.set.count);
    print_classes(c, out);
    print_differences(c, out);
}

/* ---- CSV ---- */

static void csv_number(double value, FILE *out)
{
    if (isfinite(value)) {
        fprintf(out, ",%.9g", value);
    } else {
        fputc(',', out);
    }
}

void compare_print_csv(const struct comparison *c, FILE *out)
{
    fputs("run,updates,seconds,ms", out);
    for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
        const char *name = coco_number_name(coco_numbers[n]);
        fprintf(out, ",%s,%s_difference,%s_low,%s_high,%s_better", name, name, name, name, name);
    }
    fputc('\n', out);
    for (size_t r = 0; r < c->count; r++) {
        const struct compared_run *run = &c->runs[r];
        results_put_csv(out, run->folder);
        csv_number(run->updates, out);
        csv_number(run->seconds, out);
        csv_number(run->found.infer_ms, out);
        for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
            const struct bootstrap_interval *interval = &c->intervals[r][n];
            bool is_other = r > 0;
            csv_number(number_of(c, r, n), out);
            csv_number(is_other ? difference(c, r, n) : (double)NAN, out);
            csv_number(is_other ? interval->low : (double)NAN, out);
            csv_number(is_other ? interval->high : (double)NAN, out);
            csv_number(is_other ? interval->better : (double)NAN, out);
        }
        fputc('\n', out);
    }
}

/* ---- JSON ---- */

/* null if it is not finite. */
static void add_number(cJSON *object, const char *key, double value)
{
    cJSON_AddItemToObject(object, key,
                          isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static void add_differences(const struct comparison *c, cJSON *root)
{
    cJSON *list = cJSON_AddArrayToObject(root, "differs");
    for (size_t r = 0; r < c->count; r++) {
        for (const cJSON *item = c->runs[r].args->child; item; item = item->next) {
            if (!is_first(c, r, item->string) || !differs(c, item->string)) {
                continue;
            }
            cJSON *entry = cJSON_CreateObject();
            cJSON_AddStringToObject(entry, "argument", item->string);
            cJSON *values = cJSON_AddArrayToObject(entry, "values");
            for (size_t k = 0; k < c->count; k++) {
                const cJSON *value = argument(c, k, item->string);
                cJSON_AddItemToArray(values,
                                     value ? cJSON_Duplicate(value, true) : cJSON_CreateNull());
            }
            cJSON_AddItemToArray(list, entry);
        }
    }
}

static void add_intervals(const struct comparison *c, size_t run, cJSON *object)
{
    cJSON *all = cJSON_AddObjectToObject(object, "difference");
    for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
        const struct bootstrap_interval *interval = &c->intervals[run][n];
        cJSON *one = cJSON_AddObjectToObject(all, coco_number_name(coco_numbers[n]));
        add_number(one, "value", difference(c, run, n));
        add_number(one, "low", interval->low);
        add_number(one, "high", interval->high);
        add_number(one, "better", interval->better);
    }
}

static void add_run(const struct comparison *c, size_t r, cJSON *list)
{
    const struct compared_run *run = &c->runs[r];
    const struct evaluation *e = &run->found.evaluation;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "run", run->folder);
    add_number(object, "updates", run->updates);
    add_number(object, "seconds", run->seconds);
    add_number(object, "ms", run->found.infer_ms);
    for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
        add_number(object, coco_number_name(coco_numbers[n]), number_of(c, r, n));
    }
    if (r > 0) {
        add_intervals(c, r, object);
    }
    cJSON *classes = cJSON_AddArrayToObject(object, "classes");
    for (size_t k = 0; k < e->set->class_count; k++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", e->set->names[k]);
        for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
            add_number(one, coco_number_name(coco_numbers[n]), e->rows[k].numbers[coco_numbers[n]]);
        }
        cJSON_AddItemToArray(classes, one);
    }
    cJSON_AddItemToArray(list, object);
}

enum result compare_print_json(const struct comparison *c, FILE *out, struct error *err)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "data", c->runs[0].found.list);
    cJSON_AddNumberToObject(root, "images", (double)c->runs[0].found.set.count);
    cJSON_AddNumberToObject(root, "draws", COMPARE_DRAWS);
    cJSON_AddNumberToObject(root, "seed", COMPARE_SEED);
    add_differences(c, root);
    cJSON *runs = cJSON_AddArrayToObject(root, "runs");
    for (size_t r = 0; r < c->count; r++) {
        add_run(c, r, runs);
    }
    return json_write(root, true, out, err);
}
