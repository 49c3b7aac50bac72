#include "cli/train_chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "data/draw.h"
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
    MAX_TICKS = 64,
    MAX_BYTES = 1 << 30
};

static const float INK = 17.0f; /* text height */
static const struct color BLACK = {40, 40, 40}, GREY = {110, 110, 110}, GRID = {226, 226, 226};

enum column {
    ITERATION,
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
    "iteration", "rate", "loss", "box", "objectness", "classes", "val_loss", "map50"};

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

/* One direction of a field: values to pixels. */
struct axis {
    double low, high; /* of values; of their logarithms if is_log */
    bool is_log;
    int from, to; /* pixels */
};

struct chart {
    struct image image;
    const struct table *table;
    struct axis x;
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
    if (!path_join(path, sizeof path, folder, "results.csv")) {
        return error_at(err, ERR_IO, folder, 0, "path too long");
    }
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

/* 1, 2 or 5 times a power of ten: about `count` steps to the range. */
static double nice_step(double range, int count)
{
    double rough = range / count;
    double power = pow(10.0, floor(log10(rough)));
    double share = rough / power;
    return power * (share < 1.5 ? 1.0 : share < 3.5 ? 2.0 : share < 7.5 ? 5.0 : 10.0);
}

static struct axis loss_axis(const struct table *table)
{
    double low = HUGE_VAL, high = 0.0, least = HUGE_VAL, unused = 0.0;
    widen(table, LOSS, true, &low, &high);
    widen(table, VALIDATION_LOSS, true, &low, &high);
    widen(table, BOX, true, &least, &unused);
    widen(table, OBJECTNESS, true, &least, &unused);
    widen(table, CLASSES, true, &least, &unused);
    struct axis axis = {.low = 0.0, .high = 1.0, .from = MIDDLE, .to = TOP};
    if (!(high > 0.0)) {
        return axis;
    }
    axis.is_log = high / low > 8.0;
    if (axis.is_log) { /* parts that vanish do not squeeze the rest */
        low = fmin(low, fmax(least, low / 100.0));
        axis.low = floor(log10(low) * 3.0) / 3.0;
        axis.high = ceil(log10(high) * 3.0 + 0.1) / 3.0;
    } else {
        double step = nice_step(high * 1.05, 6);
        axis.high = ceil(high * 1.05 / step) * step;
    }
    return axis;
}

static float at(const struct axis *axis, double value)
{
    double v = axis->is_log ? (value > 0.0 ? log10(value) : axis->low) : value;
    double share = (v - axis->low) / (axis->high - axis->low);
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return (float)(axis->from + share * (axis->to - axis->from));
}

/* Round values within the axis. */
static int ticks_of(const struct axis *axis, int wanted, double ticks[MAX_TICKS])
{
    int count = 0;
    if (!axis->is_log) {
        double step = nice_step(axis->high - axis->low, wanted);
        for (double v = ceil(axis->low / step - 1e-9); v * step <= axis->high + step * 1e-6; v++) {
            if (count < MAX_TICKS) {
                ticks[count++] = v * step + 0.0; /* no negative zero */
            }
        }
        return count;
    }
    static const double steps[] = {1.0, 2.0, 5.0};
    int used = axis->high - axis->low > 4.0 ? 1 : 3;
    for (int power = (int)floor(axis->low); power <= (int)ceil(axis->high); power++) {
        for (int i = 0; i < used; i++) {
            double v = steps[i] * pow(10.0, power);
            bool is_inside = log10(v) >= axis->low - 1e-9 && log10(v) <= axis->high + 1e-9;
            if (is_inside && count < MAX_TICKS) {
                ticks[count++] = v;
            }
        }
    }
    return count;
}

static void write_right(struct image *image, float x, float y, const char *text, struct color color)
{
    draw_text(image, x - draw_text_width(INK, text), y - INK / 2.0f, INK, text, color);
}

static void draw_y_axis(struct chart *chart, const struct axis *axis, int wanted, bool is_right)
{
    double ticks[MAX_TICKS];
    int count = ticks_of(axis, wanted, ticks);
    for (int i = 0; i < count; i++) {
        char text[32];
        float y = at(axis, ticks[i]);
        snprintf(text, sizeof text, "%.6g", ticks[i]);
        if (is_right) {
            draw_text(&chart->image, RIGHT + 10, y - INK / 2.0f, INK, text, styles[5].color);
        } else {
            draw_line(&chart->image, LEFT, y, RIGHT, y, 1.0f, GRID);
            write_right(&chart->image, LEFT - 10, y, text, GREY);
        }
    }
}

static void draw_x_axis(struct chart *chart)
{
    double ticks[MAX_TICKS];
    int count = ticks_of(&chart->x, 9, ticks);
    for (int i = 0; i < count; i++) {
        char text[32];
        float x = at(&chart->x, ticks[i]);
        snprintf(text, sizeof text, "%.10g", ticks[i]);
        draw_line(&chart->image, x, TOP, x, MIDDLE, 1.0f, GRID);
        draw_line(&chart->image, x, RATE_TOP, x, BOTTOM, 1.0f, GRID);
        draw_text(&chart->image, x - draw_text_width(INK, text) / 2.0f, BOTTOM + 8, INK, text,
                  GREY);
    }
    draw_text(&chart->image, (LEFT + RIGHT) / 2 - draw_text_width(INK, "updates") / 2.0f,
              BOTTOM + 34, INK, "updates", BLACK);
}

static void draw_borders(struct chart *chart)
{
    draw_frame(&chart->image, LEFT, TOP, RIGHT, MIDDLE, 1, GREY);
    draw_frame(&chart->image, LEFT, RATE_TOP, RIGHT, BOTTOM, 1, GREY);
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
static void draw_series(struct chart *chart, const struct style *style, const struct axis *axis)
{
    const struct table *table = chart->table;
    float last_x = 0.0f, last_y = 0.0f;
    bool has_last = false;
    bool is_marked = style->column == MAP50 || style->column == VALIDATION_LOSS;
    for (size_t i = 0; i < table->count; i++) {
        const double *row = row_at(table, i);
        if (!isfinite(row[style->column])) {
            continue;
        }
        float x = at(&chart->x, row[ITERATION]);
        float y = at(axis, row[style->column]);
        if (has_last) {
            draw_line(&chart->image, last_x, last_y, x, y, style->width, style->color);
        }
        if (is_marked) { /* a dot: a line with next to no length */
            draw_line(&chart->image, x - 0.1f, y, x + 0.1f, y, 7.0f, style->color);
        }
        last_x = x;
        last_y = y;
        has_last = true;
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
    draw_line(&chart->image, x, TOP - 24, x + 26.0f, TOP - 24, style->width + 1.0f, style->color);
    draw_text(&chart->image, x + 34.0f, TOP - 24 - INK / 2.0f, INK, text, BLACK);
    return x + 34.0f + draw_text_width(INK, text) + 26.0f;
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
    draw_text(&chart->image, LEFT, 22, 24.0f, text, BLACK);
    draw_text(&chart->image, LEFT, RATE_TOP - INK - 8, INK, "learning rate", BLACK);
}

static void draw_all(struct chart *chart, const char *folder)
{
    struct axis losses = loss_axis(chart->table);
    struct axis map = {.low = 0.0, .high = 1.0, .from = MIDDLE, .to = TOP};
    double low = 0.0, high = 0.0;
    widen(chart->table, RATE, false, &low, &high);
    struct axis rate = {
        .low = 0.0, .high = high > 0.0 ? high * 1.1 : 1.0, .from = BOTTOM, .to = RATE_TOP};
    draw_fill(&chart->image, 0, 0, WIDTH, HEIGHT, (struct color){255, 255, 255}, 1.0f);
    draw_x_axis(chart);
    draw_y_axis(chart, &losses, 6, false);
    draw_y_axis(chart, &rate, 3, false);
    draw_borders(chart);
    draw_title(chart, folder);
    float x = LEFT;
    for (size_t i = 0; i < STYLE_COUNT; i++) {
        const struct style *style = &styles[i];
        if (has_values(chart->table, style->column)) {
            draw_series(chart, style, style->column == MAP50 ? &map : &losses);
            x = draw_legend(chart, style, x);
        }
    }
    if (has_values(chart->table, MAP50)) {
        draw_y_axis(chart, &map, 5, true);
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
        chart.x = (struct axis){
            .high = row_at(&table, table.count - 1)[ITERATION], .from = LEFT, .to = RIGHT};
        result = image_new(WIDTH, HEIGHT, &chart.image, err);
        if (result == OK) {
            draw_all(&chart, folder);
            result = path_join(path, sizeof path, folder, "chart.png")
                         ? image_write(path, &chart.image, err)
                         : error_at(err, ERR_IO, folder, 0, "path too long");
        }
    }
    image_free(&chart.image);
    mem_free(table.rows);
    return result;
}
