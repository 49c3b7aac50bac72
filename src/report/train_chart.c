#include "report/train_chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "report/plot.h"
#include "report/run_table.h"

enum {
    COLUMNS = 3,
    FIELD_W = 384,
    FIELD_H = 248,
    GAP_LEFT = 76, /* room for values */
    GAP_RIGHT = 20,
    GAP_TOP = 50, /* room for the title and what the lines are */
    GAP_BOTTOM = 30,
    HEAD = 58,
    FOOT = 26,
    TICKS = 5,
    MARKED = 60, /* so few values are marked by dots, too */
    MAX_LINES = 2
};

static const float INK = 16.0f; /* text height */

struct chart_line {
    enum run_column column;
    const char *label; /* behind it stands the latest value */
    struct color color;
};

enum scale { SCALE_LOSS, SCALE_SHARE, SCALE_RATE };

struct panel {
    const char *title;
    enum scale scale;
    struct chart_line lines[MAX_LINES]; /* label NULL: none */
};

static const struct panel panels[] = {
    {"whole loss",
     SCALE_LOSS,
     {{RUN_LOSS, "training", {0, 80, 160}}, {RUN_VALIDATION_LOSS, "validation", {200, 60, 30}}}},
    {"box loss", SCALE_LOSS, {{RUN_BOX, "training", {190, 120, 0}}}},
    {"objectness loss", SCALE_LOSS, {{RUN_OBJECTNESS, "training", {40, 140, 200}}}},
    {"class loss", SCALE_LOSS, {{RUN_CLASSES, "training", {190, 90, 150}}}},
    {"mAP on the validation pictures",
     SCALE_SHARE,
     {{RUN_MAP50, "@.5", {0, 140, 90}}, {RUN_MAP, "@.5:.95", {120, 90, 170}}}},
    {"right classes on the validation pictures",
     SCALE_SHARE,
     {{RUN_TOP1, "top-1", {0, 140, 90}}, {RUN_TOP5, "top-5", {120, 90, 170}}}},
    {"learning rate", SCALE_RATE, {{RUN_RATE, "now", {90, 90, 90}}}},
};
enum { PANELS = sizeof panels / sizeof panels[0] };

struct chart {
    struct image image;
    const struct run_table *table; /* thinned out to about as many rows as a field has pixels */
};

/* Every `group` rows become one: means of what is not empty. */
static void thin_out(struct run_table *table)
{
    size_t group = table->count / FIELD_W + 1;
    size_t made = 0;
    for (size_t first = 0; first < table->count; first += group) {
        double means[RUN_COLUMNS];
        for (int c = 0; c < RUN_COLUMNS; c++) {
            double sum = 0.0;
            size_t values = 0;
            for (size_t i = first; i < first + group && i < table->count; i++) {
                double value = run_table_row(table, i)[c];
                if (isfinite(value)) {
                    sum += value;
                    values++;
                }
            }
            means[c] = values ? sum / (double)values : (double)NAN;
        }
        memcpy(run_table_row(table, made++), means, sizeof means);
    }
    table->count = made;
}

/* ---- axes ---- */

/* The least positive and the highest value of a panel's lines; returns how many values there are. */
static size_t find_range(const struct run_table *table, const struct panel *panel, double *low,
                         double *high)
{
    size_t values = 0;
    *low = HUGE_VAL;
    *high = 0.0;
    for (int k = 0; k < MAX_LINES && panel->lines[k].label; k++) {
        for (size_t i = 0; i < table->count; i++) {
            double value = run_table_row(table, i)[panel->lines[k].column];
            if (isfinite(value)) {
                values++;
                *low = value > 0.0 ? fmin(*low, value) : *low;
                *high = fmax(*high, value);
            }
        }
    }
    return values;
}

/* From 0 to a round value above high. */
static void scale_round(struct plot_axis *axis, double high)
{
    axis->high = high * 1.02;
    for (int pass = 0; pass < 2;
         pass++) { /* the second time by the steps of the range that came of it */
        double step = plot_step(axis->high, TICKS);
        axis->high = ceil(axis->high / step - 1e-9) * step;
    }
}

static struct plot_axis axis_of(const struct panel *panel, double low, double high)
{
    struct plot_axis axis = {.high = 1.0};
    if (!(high > 0.0)) {
        return axis;
    }
    axis.is_log = panel->scale == SCALE_LOSS && high / low > 12.0;
    if (axis.is_log) { /* what vanishes does not squeeze the rest */
        axis.low = floor(log10(fmax(low, high / 1e4)) * 3.0) / 3.0;
        axis.high = ceil(log10(high) * 3.0 + 0.1) / 3.0;
    } else {
        scale_round(&axis, high);
    }
    return axis;
}

/* ---- one small chart ---- */

/* Over empty cells. */
static void draw_series(struct chart *chart, const struct chart_line *line,
                        const struct plot_axis *x, const struct plot_axis *y)
{
    const struct run_table *table = chart->table;
    size_t values = 0;
    const struct plot_line drawn = {.x = table->rows + RUN_ITERATION,
                                    .y = table->rows + line->column,
                                    .count = table->count,
                                    .stride = RUN_COLUMNS,
                                    .width = 2.2f,
                                    .color = line->color};
    plot_line_draw(&chart->image, x, y, &drawn);
    for (size_t i = 0; i < table->count; i++) {
        values += isfinite(run_table_row(table, i)[line->column]);
    }
    for (size_t i = 0; i < table->count && values <= MARKED; i++) {
        const double *row = run_table_row(table, i);
        if (isfinite(row[line->column])) {
            plot_dot(&chart->image, plot_at(x, row[RUN_ITERATION]), plot_at(y, row[line->column]),
                     5.0f, line->color);
        }
    }
}

/* A line where a stage ends, and the number of the next: a stage's last row is written at its end. */
static void draw_stages(struct chart *chart, const struct plot_field *field,
                        const struct plot_axis *x)
{
    for (size_t i = 1; i < chart->table->count; i++) {
        const double *row = run_table_row(chart->table, i);
        const double *before = run_table_row(chart->table, i - 1);
        double now = round(row[RUN_STAGE]);
        if (!(now > round(before[RUN_STAGE]))) {
            continue;
        }
        char text[32];
        float at = plot_at(x, before[RUN_ITERATION]);
        draw_line(&chart->image, at, (float)field->top, at, (float)field->bottom, 1.4f, PLOT_GREY);
        snprintf(text, sizeof text, "stage %.0f", now);
        plot_text(&chart->image, at + 4.0f, (float)field->bottom - INK, INK - 2.0f, text,
                  PLOT_GREY);
    }
}

static void draw_keys(struct chart *chart, const struct panel *panel,
                      const struct plot_field *field)
{
    float x = (float)field->left;
    for (int k = 0; k < MAX_LINES && panel->lines[k].label; k++) {
        const struct chart_line *line = &panel->lines[k];
        double latest = run_table_latest(chart->table, line->column);
        char text[64];
        if (isfinite(latest)) {
            snprintf(text, sizeof text, "%s %.4g", line->label, latest);
            x = plot_key(&chart->image, x, (float)field->top - 13.0f, INK - 2.0f, 2.6f, line->color,
                         text);
        }
    }
}

static void draw_panel(struct chart *chart, const struct panel *panel, int place, double last)
{
    struct image *image = &chart->image;
    double low, high;
    find_range(chart->table, panel, &low, &high);
    int left = GAP_LEFT + place % COLUMNS * (GAP_LEFT + FIELD_W + GAP_RIGHT);
    int top = HEAD + GAP_TOP + place / COLUMNS * (GAP_TOP + FIELD_H + GAP_BOTTOM);
    const struct plot_field field = {left, top, left + FIELD_W, top + FIELD_H};
    const struct plot_axis x = {.high = last, .from = field.left, .to = field.right};
    struct plot_axis y = axis_of(panel, low, high);
    y.from = field.bottom;
    y.to = field.top;
    plot_x_axis(image, &field, &x, TICKS, INK - 2.0f);
    plot_y_axis(image, &field, &y, TICKS, INK - 2.0f);
    draw_stages(chart, &field, &x);
    plot_frame(image, &field);
    plot_text(image, (float)left, (float)top - 36.0f, INK, panel->title, PLOT_INK);
    draw_keys(chart, panel, &field);
    for (int k = MAX_LINES - 1; k >= 0; k--) {
        if (panel->lines[k].label) {
            draw_series(chart, &panel->lines[k], &x, &y);
        }
    }
}

/* ---- all of them ---- */

static void draw_title(struct chart *chart, const char *folder, double last)
{
    char text[512];
    double best = -1.0, top = -1.0;
    for (size_t i = 0; i < chart->table->count; i++) {
        best = fmax(best, run_table_row(chart->table, i)[RUN_MAP50]);
        top = fmax(top, run_table_row(chart->table, i)[RUN_TOP1]);
    }
    int n = snprintf(text, sizeof text, "%.200s: %.0f updates", folder, last);
    if (best >= 0.0 && n > 0 && (size_t)n < sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ", best mAP@.5 %.4f", best);
    } else if (top >= 0.0 && n > 0 && (size_t)n < sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ", best top-1 %.4f", top);
    }
    draw_text(&chart->image, GAP_LEFT, 18, 24.0f, text, PLOT_INK);
}

static enum result draw_all(struct chart *chart, const char *folder, double last, struct error *err)
{
    const struct panel *shown[PANELS];
    int count = 0;
    for (int i = 0; i < PANELS; i++) {
        double low, high;
        if (find_range(chart->table, &panels[i], &low, &high) > 0) {
            shown[count++] = &panels[i];
        }
    }
    int rows = (count + COLUMNS - 1) / COLUMNS;
    int height = HEAD + rows * (GAP_TOP + FIELD_H + GAP_BOTTOM) + FOOT;
    TRY(plot_new(COLUMNS * (GAP_LEFT + FIELD_W + GAP_RIGHT), height, &chart->image, err));
    draw_title(chart, folder, last);
    for (int i = 0; i < count; i++) {
        draw_panel(chart, shown[i], i, last);
    }
    plot_text(&chart->image, GAP_LEFT, (float)height - 20.0f, INK - 2.0f,
              "all over updates; with each name the latest value", PLOT_GREY);
    return OK;
}

enum result train_chart_draw(const char *folder, struct error *err)
{
    struct run_table table = {0};
    struct chart chart = {.table = &table};
    char path[4096];
    enum result result = run_table_read(folder, &table, err);
    if (result == OK && table.count >= 2) {
        double last = run_table_row(&table, table.count - 1)[RUN_ITERATION];
        thin_out(&table);
        result = draw_all(&chart, folder, last, err);
        result = result == OK ? path_in(path, sizeof path, folder, "chart.png", err) : result;
        result = result == OK ? image_write(path, &chart.image, err) : result;
    }
    image_free(&chart.image);
    run_table_free(&table);
    return result;
}
