#include "report/train_chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "report/plot.h"
#include "train/trainer.h"

enum {
    WIDTH = 1400,
    HEIGHT = 860,
    LEFT = 96,
    RIGHT = 1304,
    TOP = 104,
    MIDDLE = 612, /* end of the losses */
    RATE_TOP = 664,
    BOTTOM = 790,
    MAX_BYTES = 1 << 30
};

static const float INK = 17.0f; /* text height */
static const struct plot_field upper = {LEFT, TOP, RIGHT, MIDDLE},
                               lower = {LEFT, RATE_TOP, RIGHT, BOTTOM};

enum column {
    ITERATION,
    STAGE,
    RATE,
    LOSS,
    BOX,
    OBJECTNESS,
    CLASSES,
    VALIDATION_LOSS,
    MAP50,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    "iteration", "stage", "rate", "loss", "box", "objectness", "classes", "val_loss", "map50"};

/* Line of a column; those of the upper field have a label. */
struct style {
    enum column column;
    const char *label;
    struct color color;
    float width;
};

static const struct style styles[] = {
    {BOX, "box", {230, 159, 0}, 1.6f},
    {OBJECTNESS, "objectness", {86, 180, 233}, 1.6f},
    {CLASSES, "classes", {204, 121, 167}, 1.6f},
    {LOSS, "training loss", {0, 80, 160}, 2.6f},
    {VALIDATION_LOSS, "validation loss", {200, 60, 30}, 2.6f},
    {MAP50, "mAP@.5 (right)", {0, 140, 90}, 2.6f},
};
enum { STYLE_COUNT = sizeof styles / sizeof styles[0] };

/* results.csv, thinned out to about as many rows as there are pixels. */
struct table {
    double *rows; /* [count][COLUMN_COUNT], NaN: empty */
    size_t count, capacity;
};

struct chart {
    struct image image;
    const struct table *table;
    struct plot_axis x;
};

/* ---- reading ---- */

static double *row_at(const struct table *table, size_t row)
{
    return table->rows + row * COLUMN_COUNT;
}

/* Which cell of a line holds which column. */
static enum result read_header(const char *path, char *line, int cells[COLUMN_COUNT],
                               struct error *err)
{
    for (int c = 0; c < COLUMN_COUNT; c++) {
        cells[c] = -1;
    }
    int cell = 0;
    for (char *at = line; at; cell++) {
        char *comma = strchr(at, ',');
        if (comma) {
            *comma = '\0';
        }
        for (int c = 0; c < COLUMN_COUNT; c++) {
            if (strcmp(at, column_names[c]) == 0) {
                cells[c] = cell;
            }
        }
        at = comma ? comma + 1 : NULL;
    }
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (cells[c] < 0) {
            return error_at(err, ERR_FORMAT, path, 1, "no column %s", column_names[c]);
        }
    }
    return OK;
}

static void read_row(const char *line, const int cells[COLUMN_COUNT], double row[COLUMN_COUNT])
{
    for (int c = 0; c < COLUMN_COUNT; c++) {
        row[c] = (double)NAN;
    }
    int cell = 0;
    for (const char *at = line; at; cell++) {
        char *end;
        double value = strtod(at, &end);
        for (int c = 0; c < COLUMN_COUNT; c++) {
            if (cells[c] == cell && end != at) {
                row[c] = value;
            }
        }
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
}

static enum result parse(const char *path, char *text, struct table *table, struct error *err)
{
    int cells[COLUMN_COUNT];
    char *rest = NULL;
    char *line = strtok_r(text, "\r\n", &rest);
    TRY(read_header(path, line ? line : text, cells, err));
    while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL) {
        TRY(mem_grow((void **)&table->rows, table->count, &table->capacity,
                     COLUMN_COUNT * sizeof *table->rows, err));
        double *row = row_at(table, table->count);
        read_row(line, cells, row);
        table->count += isfinite(row[ITERATION]);
    }
    return OK;
}

/* Every `group` rows become one: means of what is not empty. */
static void thin_out(struct table *table)
{
    size_t group = table->count / (RIGHT - LEFT) + 1;
    size_t made = 0;
    for (size_t first = 0; first < table->count; first += group) {
        double means[COLUMN_COUNT];
        for (int c = 0; c < COLUMN_COUNT; c++) {
            double sum = 0.0;
            size_t values = 0;
            for (size_t i = first; i < first + group && i < table->count; i++) {
                double value = row_at(table, i)[c];
                if (isfinite(value)) {
                    sum += value;
                    values++;
                }
            }
            means[c] = values ? sum / (double)values : (double)NAN;
        }
        memcpy(row_at(table, made++), means, sizeof means);
    }
    table->count = made;
}

static enum result read_table(const char *folder, struct table *table, struct error *err)
{
    char path[4096], *text;
    size_t size;
    TRY(path_in(path, sizeof path, folder, "results.csv", err));
    TRY(file_read(path, MAX_BYTES, &text, &size, err));
    enum result result = parse(path, text, table, err);
    mem_free(text);
    return result;
}

/* ---- axes ---- */

static void widen(const struct table *table, enum column column, bool is_positive, double *low,
                  double *high)
{
    for (size_t i = 0; i < table->count; i++) {
        double value = row_at(table, i)[column];
        if (isfinite(value) && (value > 0.0 || !is_positive)) {
            *low = fmin(*low, value);
            *high = fmax(*high, value);
        }
    }
}

static struct plot_axis loss_axis(const struct table *table)
{
    double low = HUGE_VAL, high = 0.0, least = HUGE_VAL, unused = 0.0;
    widen(table, LOSS, true, &low, &high);
    widen(table, VALIDATION_LOSS, true, &low, &high);
    widen(table, BOX, true, &least, &unused);
    widen(table, OBJECTNESS, true, &least, &unused);
    widen(table, CLASSES, true, &least, &unused);
    struct plot_axis axis = {.low = 0.0, .high = 1.0, .from = MIDDLE, .to = TOP};
    if (!(high > 0.0)) {
        return axis;
    }
    axis.is_log = high / low > 8.0;
    if (axis.is_log) { /* parts that vanish do not squeeze the rest */
        low = fmin(low, fmax(least, low / 100.0));
        axis.low = floor(log10(low) * 3.0) / 3.0;
        axis.high = ceil(log10(high) * 3.0 + 0.1) / 3.0;
    } else {
        double step = plot_step(high * 1.05, 6);
        axis.high = ceil(high * 1.05 / step) * step;
    }
    return axis;
}

/* ---- lines ---- */

static bool has_values(const struct table *table, enum column column)
{
    for (size_t i = 0; i < table->count; i++) {
        if (isfinite(row_at(table, i)[column])) {
            return true;
        }
    }
    return false;
}

/* Over empty cells; few values are marked, too. */
static void draw_series(struct chart *chart, const struct style *style,
                        const struct plot_axis *axis)
{
    const struct table *table = chart->table;
    const double *rows = table->rows;
    const struct plot_line line = {.x = rows + ITERATION,
                                   .y = rows + style->column,
                                   .count = table->count,
                                   .stride = COLUMN_COUNT,
                                   .width = style->width,
                                   .color = style->color};
    plot_line_draw(&chart->image, &chart->x, axis, &line);
    bool is_marked = style->column == MAP50 || style->column == VALIDATION_LOSS;
    for (size_t i = 0; i < table->count && is_marked; i++) {
        const double *row = row_at(table, i);
        if (isfinite(row[style->column])) {
            plot_dot(&chart->image, plot_at(&chart->x, row[ITERATION]),
                     plot_at(axis, row[style->column]), 7.0f, style->color);
        }
    }
}

/* Name and latest value; returns where the next one goes. */
static float draw_legend(struct chart *chart, const struct style *style, float x)
{
    double latest = (double)NAN;
    char text[96];
    for (size_t i = 0; i < chart->table->count; i++) {
        double value = row_at(chart->table, i)[style->column];
        latest = isfinite(value) ? value : latest;
    }
    snprintf(text, sizeof text, "%s %.4g", style->label, latest);
    return plot_key(&chart->image, x, TOP - 24, INK, style->width + 1.0f, style->color, text);
}

/* A line where a stage ends, and the name of the next: its last row is written at its end. */
static void draw_stages(struct chart *chart)
{
    for (size_t i = 1; i < chart->table->count; i++) {
        double before = round(row_at(chart->table, i - 1)[STAGE]);
        double now = round(row_at(chart->table, i)[STAGE]);
        if (!(now > before)) {
            continue;
        }
        char text[32];
        float x = plot_at(&chart->x, row_at(chart->table, i - 1)[ITERATION]);
        draw_line(&chart->image, x, (float)TOP, x, (float)MIDDLE, 1.6f, PLOT_GREY);
        draw_line(&chart->image, x, (float)RATE_TOP, x, (float)BOTTOM, 1.6f, PLOT_GREY);
        snprintf(text, sizeof text, "stage %.0f", now);
        plot_text(&chart->image, x + 6.0f, MIDDLE - INK, INK, text, PLOT_GREY);
    }
}

static void draw_title(struct chart *chart, const char *folder)
{
    char text[512];
    double best = -1.0;
    for (size_t i = 0; i < chart->table->count; i++) {
        best = fmax(best, row_at(chart->table, i)[MAP50]);
    }
    const double *last = row_at(chart->table, chart->table->count - 1);
    int n = snprintf(text, sizeof text, "%.200s: %.0f updates", folder, last[ITERATION]);
    if (best >= 0.0 && n > 0 && (size_t)n < sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ", best mAP@.5 %.4f", best);
    }
    draw_text(&chart->image, LEFT, 22, 24.0f, text, PLOT_INK);
    draw_text(&chart->image, LEFT, RATE_TOP - INK - 8, INK, "learning rate", PLOT_INK);
}

static void draw_all(struct chart *chart, const char *folder)
{
    struct plot_axis losses = loss_axis(chart->table);
    struct plot_axis map = {.low = 0.0, .high = 1.0, .from = MIDDLE, .to = TOP};
    double low = 0.0, high = 0.0;
    widen(chart->table, RATE, false, &low, &high);
    struct plot_axis rate = {
        .low = 0.0, .high = high > 0.0 ? high * 1.1 : 1.0, .from = BOTTOM, .to = RATE_TOP};
    struct image *image = &chart->image;
    plot_x_axis(image, &upper, &chart->x, 9, 0.0f);
    plot_x_axis(image, &lower, &chart->x, 9, INK);
    plot_x_title(image, &lower, INK, "updates");
    plot_y_axis(image, &upper, &losses, 6, INK);
    plot_y_axis(image, &lower, &rate, 3, INK);
    plot_frame(image, &upper);
    plot_frame(image, &lower);
    draw_title(chart, folder);
    draw_stages(chart);
    float x = LEFT;
    for (size_t i = 0; i < STYLE_COUNT; i++) {
        const struct style *style = &styles[i];
        if (has_values(chart->table, style->column)) {
            draw_series(chart, style, style->column == MAP50 ? &map : &losses);
            x = draw_legend(chart, style, x);
        }
    }
    if (has_values(chart->table, MAP50)) {
        plot_y_axis_right(image, &upper, &map, 5, INK, styles[5].color);
    }
    const struct style rate_style = {RATE, "", {120, 90, 170}, 2.2f};
    draw_series(chart, &rate_style, &rate);
}

enum result train_chart_draw(const char *folder, struct error *err)
{
    struct table table = {0};
    struct chart chart = {.table = &table};
    char path[4096];
    enum result result = read_table(folder, &table, err);
    if (result == OK && table.count >= 2) {
        thin_out(&table);
        chart.x = (struct plot_axis){
            .high = row_at(&table, table.count - 1)[ITERATION], .from = LEFT, .to = RIGHT};
        result = plot_new(WIDTH, HEIGHT, &chart.image, err);
        if (result == OK) {
            draw_all(&chart, folder);
            result = path_in(path, sizeof path, folder, "chart.png", err);
            result = result == OK ? image_write(path, &chart.image, err) : result;
        }
    }
    image_free(&chart.image);
    mem_free(table.rows);
    return result;
}
