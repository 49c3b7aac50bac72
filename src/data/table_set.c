#include "data/table_set.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "data/dataset_private.h"
#include "data/npy.h"

enum { SHOWN = 40 };

bool table_is_named(const char *path)
{
    return path_ends_in(path, ".csv") || path_ends_in(path, ".tsv") || path_ends_in(path, ".npy");
}

/* One on its way into the set. */
struct reader {
    struct dataset_build *build;
    const char *path;
    char separator;
    size_t columns; /* of every row; 0: not known yet */
    bool has_class; /* in place of the targets */
    bool has_features_only;
    char **cells; /* [columns], of the line at hand */
    size_t cell_capacity, capacity, value_capacity;
    size_t rows;
};

/* ---- rows, wherever they come from ---- */

/* What the first row says of all. */
static enum result settle_columns(struct reader *r, size_t columns, int line, struct error *err)
{
    const struct dataset_source *s = r->build->source;
    r->columns = columns;
    r->has_class = s->targets > 1 && columns == s->features + 1;
    r->has_features_only = s->needs_no_targets && columns == s->features;
    if (columns == s->features + s->targets || r->has_class || r->has_features_only) {
        return OK;
    }
    char or_class[60] = "";
    if (s->targets > 1) {
        snprintf(or_class, sizeof or_class, ", or %zu with a class", s->features + 1);
    }
    return error_at(err, ERR_FORMAT, r->path, line,
                    "%zu column%s, but the network takes %zu features and gives %zu values: %zu%s",
                    columns, columns == 1 ? "" : "s", s->features, s->targets,
                    s->features + s->targets, or_class);
}

/* Room for one row more, zeroed counts aside; *features and *values point there. */
static enum result add_row(struct reader *r, int line, struct sample **sample, float **features,
                           float **values, struct error *err)
{
    struct dataset *set = r->build->set;
    const struct dataset_source *s = r->build->source;
    char place[4200];
    TRY(mem_grow((void **)&set->features, r->rows, &r->capacity, s->features * sizeof(float), err));
    bool has_values = !r->has_class && !r->has_features_only;
    if (has_values) {
        TRY(mem_grow((void **)&set->values, r->rows, &r->value_capacity, s->targets * sizeof(float),
                     err));
    }
    snprintf(place, sizeof place, "%s:%d", r->path, line);
    *sample = dataset_add(r->build, place, err);
    if (!*sample) {
        return ERR_MEMORY;
    }
    (*sample)->list_line = line;
    *features = set->features + r->rows * s->features;
    *values = !has_values ? NULL : set->values + r->rows * s->targets;
    r->rows++;
    return OK;
}

static enum result check_number(const struct reader *r, int line, size_t column, double value,
                                struct error *err)
{
    return isfinite(value) && isfinite((float)value)
               ? OK
               : error_at(err, ERR_FORMAT, r->path, line,
                          "column %zu is %g: not a number that can be learnt", column + 1, value);
}

static enum result take_class(const struct reader *r, int line, double number,
                              struct sample *sample, struct error *err)
{
    size_t classes = r->build->source->targets;
    if (number < 0 || number != floor(number) || !(number < (double)classes)) {
        return error_at(err, ERR_FORMAT, r->path, line,
                        "column %zu: %g is no class (0 to %zu, or a name)", r->columns, number,
                        classes - 1);
    }
    sample->class_id = (int)number;
    return OK;
}

/* ---- CSV ---- */

/* A cell of the line at `at`, ended and without quotes; *next: the one behind it, or NULL. False: a quote that stays open. */
static bool take_cell(char *at, char separator, char **cell, char **next)
{
    at += strspn(at, separator == '\t' ? " " : " \t");
    if (*at != '"') {
        char *end = strchr(at, separator);
        *next = end ? end + 1 : NULL;
        if (end) {
            *end = 0;
        }
        *cell = text_trim(at);
        return true;
    }
    char *to = *cell = ++at;
    while (*at && (*at != '"' || at[1] == '"')) {
        at += *at == '"';
        *to++ = *at++;
    }
    bool is_closed = *at == '"';
    at += is_closed;
    *to = 0;
    char *end = strchr(at, separator);
    *next = end ? end + 1 : NULL;
    return is_closed;
}

static enum result split(struct reader *r, char *line, int number, size_t *count, struct error *err)
{
    static const char *const separators = ",;\t";
    for (size_t i = 0; !r->separator && separators[i]; i++) {
        r->separator = strchr(line, separators[i]) ? separators[i] : 0;
    }
    *count = 0;
    for (char *at = line; at; ++*count) {
        TRY(mem_grow((void **)&r->cells, *count, &r->cell_capacity, sizeof *r->cells, err));
        if (!take_cell(at, r->separator ? r->separator : ',', &r->cells[*count], &at)) {
            return error_at(err, ERR_FORMAT, r->path, number,
                            "column %zu: a quote that is not closed in its line", *count + 1);
        }
    }
    return OK;
}

static bool read_number(const char *cell, double *value)
{
    char *end;
    *value = strtod(cell, &end);
    return end != cell && *end == 0;
}

static enum result take_number(const struct reader *r, int line, size_t column, double *value,
                               struct error *err)
{
    const char *cell = r->cells[column];
    if (!*cell) {
        return error_at(err, ERR_FORMAT, r->path, line, "column %zu is empty", column + 1);
    }
    if (!read_number(cell, value)) {
        return error_at(err, ERR_FORMAT, r->path, line, "column %zu: \"%.*s\" is no number",
                        column + 1, SHOWN, cell);
    }
    return check_number(r, line, column, *value, err);
}

static enum result take_class_cell(const struct reader *r, int line, struct sample *sample,
                                   struct error *err)
{
    const struct dataset_source *s = r->build->source;
    const char *cell = r->cells[r->columns - 1];
    double number;
    for (size_t i = 0; i < s->name_count; i++) {
        if (strcmp(s->names[i], cell) == 0) {
            sample->class_id = (int)i;
            return OK;
        }
    }
    if (*cell && !read_number(cell, &number)) {
        return error_at(err, ERR_FORMAT, r->path, line, "column %zu: no class is called \"%.*s\"",
                        r->columns, SHOWN, cell);
    }
    TRY(take_number(r, line, r->columns - 1, &number, err));
    return take_class(r, line, number, sample, err);
}

/* A line whose features are all words. Numbers among them: a row with something in it that is none. */
static bool is_header(const struct reader *r, size_t count)
{
    size_t features = r->build->source->features, words = 0, numbers = 0;
    double value;
    for (size_t i = 0; i < count && i < features; i++) {
        bool is_number = read_number(r->cells[i], &value);
        numbers += is_number;
        words += !is_number && r->cells[i][0];
    }
    return words > 0 && numbers == 0;
}

static enum result take_line(struct reader *r, int line, struct error *err)
{
    const struct dataset_source *s = r->build->source;
    struct sample *sample;
    float *features, *values;
    TRY(add_row(r, line, &sample, &features, &values, err));
    size_t numbers = r->has_class ? s->features : r->columns;
    for (size_t i = 0; i < numbers; i++) {
        double value;
        TRY(take_number(r, line, i, &value, err));
        *(i < s->features ? &features[i] : &values[i - s->features]) = (float)value;
    }
    return r->has_class ? take_class_cell(r, line, sample, err) : OK;
}

static enum result read_line(struct reader *r, char *text, int line, bool *is_first,
                             struct error *err)
{
    size_t count;
    text = text_trim(text);
    if (!*text) {
        return OK;
    }
    TRY(split(r, text, line, &count, err));
    bool was_first = *is_first;
    *is_first = false;
    if (r->columns == 0) {
        TRY(settle_columns(r, count, line, err));
    } else if (count != r->columns) {
        return error_at(err, ERR_FORMAT, r->path, line, "%zu column%s, but the rows above have %zu",
                        count, count == 1 ? "" : "s", r->columns);
    }
    return was_first && is_header(r, count) ? OK : take_line(r, line, err);
}

static enum result read_csv(struct reader *r, struct error *err)
{
    char *text;
    size_t size;
    TRY(file_read(r->path, SIZE_MAX / 4, &text, &size, err));
    enum result result = OK;
    if (memchr(text, 0, size)) {
        result = error_at(err, ERR_FORMAT, r->path, 0, "not a text file");
    }
    bool is_first = true;
    int number = 0;
    for (char *line = text + text_mark(text, size); line && result == OK;) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = 0;
        }
        result = read_line(r, line, ++number, &is_first, err);
        line = end ? end + 1 : NULL;
    }
    mem_free(text);
    return result;
}

/* ---- .npy ---- */

static enum result take_array_row(struct reader *r, const float *row, int number, struct error *err)
{
    const struct dataset_source *s = r->build->source;
    struct sample *sample;
    float *features, *values;
    for (size_t i = 0; i < r->columns; i++) {
        TRY(check_number(r, number, i, (double)row[i], err));
    }
    TRY(add_row(r, number, &sample, &features, &values, err));
    memcpy(features, row, s->features * sizeof *row);
    if (r->has_class) {
        return take_class(r, number, (double)row[s->features], sample, err);
    }
    if (values) {
        memcpy(values, row + s->features, s->targets * sizeof *row);
    }
    return OK;
}

static enum result read_array(struct reader *r, struct error *err)
{
    size_t rows, columns;
    float *cells;
    TRY(npy_read_table(r->path, &rows, &columns, &cells, err));
    enum result result = settle_columns(r, columns, 0, err);
    for (size_t i = 0; i < rows && result == OK; i++) {
        result = take_array_row(r, cells + i * columns, (int)i + 1, err);
    }
    mem_free(cells);
    return result;
}

/* ---- the set ---- */

enum result table_set_read(struct dataset_build *build, struct error *err)
{
    const struct dataset_source *source = build->source;
    struct dataset *set = build->set;
    struct reader r = {.build = build, .path = source->path};
    enum result result =
        path_ends_in(source->path, ".npy") ? read_array(&r, err) : read_csv(&r, err);
    mem_free(r.cells);
    TRY(result);
    if (r.rows == 0) {
        return error_at(err, ERR_FORMAT, source->path, 0, "a table without rows");
    }
    set->feature_count = source->features;
    set->value_count = source->targets;
    set->class_count = r.has_class ? source->targets : source->name_count;
    return r.has_class ? class_values_make(source, set, err) : OK;
}

/* ---- scales ---- */

const char feature_scale_name[] = "features.csv";

static enum result alloc_scale(struct feature_scale *scale, size_t count, struct error *err)
{
    *scale = (struct feature_scale){.count = count};
    scale->mean = mem_alloc(count, sizeof *scale->mean);
    scale->deviation = mem_alloc(count, sizeof *scale->deviation);
    return scale->mean && scale->deviation ? OK : mem_error(err, "scales of features");
}

void feature_scale_free(struct feature_scale *scale)
{
    mem_free(scale->mean);
    mem_free(scale->deviation);
    *scale = (struct feature_scale){0};
}

/* Two passes: squares of large values would cancel. */
enum result feature_scale_of(const struct dataset *set, struct feature_scale *scale,
                             struct error *err)
{
    size_t count = set->feature_count;
    double rows = (double)set->sample_count;
    TRY(alloc_scale(scale, count, err));
    for (size_t i = 0; i < set->sample_count * count; i++) {
        scale->mean[i % count] += (double)set->features[i] / rows;
    }
    for (size_t i = 0; i < set->sample_count * count; i++) {
        double d = (double)set->features[i] - scale->mean[i % count];
        scale->deviation[i % count] += d * d / rows;
    }
    for (size_t k = 0; k < count; k++) {
        double d = sqrt(scale->deviation[k]);
        scale->deviation[k] = d > 1e-12 * fabs(scale->mean[k]) && d > 0 ? d : 1;
    }
    return OK;
}

enum result feature_scale_apply(const struct feature_scale *scale, struct dataset *set,
                                struct error *err)
{
    if (scale->count != set->feature_count) {
        return error_set(err, ERR_FORMAT, "scales of %zu features, but the table has %zu",
                         scale->count, set->feature_count);
    }
    for (size_t i = 0; i < set->sample_count * scale->count; i++) {
        size_t k = i % scale->count;
        set->features[i] =
            (float)(((double)set->features[i] - scale->mean[k]) / scale->deviation[k]);
    }
    return OK;
}

enum result feature_scale_write(const struct feature_scale *scale, const char *path,
                                struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    fputs("feature,mean,deviation\n", file.stream);
    for (size_t k = 0; k < scale->count; k++) {
        fprintf(file.stream, "%zu,%.17g,%.17g\n", k, scale->mean[k], scale->deviation[k]);
    }
    return atomic_commit(&file, err);
}

static enum result read_scales(const char *path, char *text, struct feature_scale *scale,
                               struct error *err)
{
    size_t lines = 0;
    for (const char *at = text; *at; at++) {
        lines += *at == '\n';
    }
    TRY(alloc_scale(scale, lines > 0 ? lines - 1 : 0, err));
    char *line = strchr(text, '\n');
    for (size_t k = 0; k < scale->count; k++) {
        size_t number;
        line++;
        if (sscanf(line, "%zu,%lf,%lf", &number, &scale->mean[k], &scale->deviation[k]) != 3 ||
            number != k || !(scale->deviation[k] > 0) || !isfinite(scale->deviation[k]) ||
            !isfinite(scale->mean[k])) {
            return error_at(err, ERR_FORMAT, path, (int)k + 2,
                            "feature,mean,deviation is expected");
        }
        line = strchr(line, '\n');
    }
    return OK;
}

enum result feature_scale_read(const char *path, struct feature_scale *scale, struct error *err)
{
    char *text;
    size_t size;
    *scale = (struct feature_scale){0};
    TRY(file_read(path, SIZE_MAX / 4, &text, &size, err));
    enum result result = read_scales(path, text, scale, err);
    mem_free(text);
    return result;
}
