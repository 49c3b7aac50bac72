#include "report/run_table.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/path.h"

enum { MAX_BYTES = 1 << 30 };

static const char *const column_names[RUN_COLUMNS] = {
    "iteration", "stage", "rate",     "loss", "box",  "objectness", "classes",
    "val_loss",  "map50", "map50_95", "top1", "top5", "seconds"};

/* Every training has these. */
static bool is_needed(int column)
{
    return column == RUN_ITERATION || column == RUN_STAGE || column == RUN_RATE ||
           column == RUN_LOSS || column == RUN_VALIDATION_LOSS || column == RUN_SECONDS;
}

double *run_table_row(const struct run_table *table, size_t row)
{
    return table->rows + row * RUN_COLUMNS;
}

/* Which cell of a line holds which column. */
static enum result read_header(const char *path, char *line, int cells[RUN_COLUMNS],
                               struct error *err)
{
    for (int c = 0; c < RUN_COLUMNS; c++) {
        cells[c] = -1;
    }
    int cell = 0;
    for (char *at = line; at; cell++) {
        char *comma = strchr(at, ',');
        if (comma) {
            *comma = '\0';
        }
        for (int c = 0; c < RUN_COLUMNS; c++) {
            if (strcmp(at, column_names[c]) == 0) {
                cells[c] = cell;
            }
        }
        at = comma ? comma + 1 : NULL;
    }
    for (int c = 0; c < RUN_COLUMNS; c++) {
        if (cells[c] < 0 && is_needed(c)) {
            return error_at(err, ERR_FORMAT, path, 1, "no column %s", column_names[c]);
        }
    }
    return OK;
}

static void read_row(const char *line, const int cells[RUN_COLUMNS], double row[RUN_COLUMNS])
{
    for (int c = 0; c < RUN_COLUMNS; c++) {
        row[c] = (double)NAN;
    }
    int cell = 0;
    for (const char *at = line; at; cell++) {
        char *end;
        double value = strtod(at, &end);
        for (int c = 0; c < RUN_COLUMNS; c++) {
            if (cells[c] == cell && end != at) {
                row[c] = value;
            }
        }
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
}

static enum result parse(const char *path, char *text, struct run_table *table, struct error *err)
{
    int cells[RUN_COLUMNS];
    char *rest = NULL;
    char *line = strtok_r(text, "\r\n", &rest);
    TRY(read_header(path, line ? line : text, cells, err));
    while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL) {
        TRY(mem_grow((void **)&table->rows, table->count, &table->capacity,
                     RUN_COLUMNS * sizeof *table->rows, err));
        double *row = run_table_row(table, table->count);
        read_row(line, cells, row);
        table->count += isfinite(row[RUN_ITERATION]);
    }
    return OK;
}

enum result run_table_read(const char *folder, struct run_table *table, struct error *err)
{
    char path[4096], *text;
    size_t size;
    TRY(path_in(path, sizeof path, folder, "results.csv", err));
    TRY(file_read(path, MAX_BYTES, &text, &size, err));
    enum result result = parse(path, text, table, err);
    mem_free(text);
    return result;
}

void run_table_free(struct run_table *table)
{
    mem_free(table->rows);
    *table = (struct run_table){0};
}

double run_table_latest(const struct run_table *table, enum run_column column)
{
    double latest = (double)NAN;
    for (size_t i = 0; i < table->count; i++) {
        double value = run_table_row(table, i)[column];
        latest = isfinite(value) ? value : latest;
    }
    return latest;
}
