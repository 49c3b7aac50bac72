#include "report/eval_charts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/matrix.h"
#include "report/plot.h"

enum {
    WIDTH = 1240,
    HEIGHT = 860,
    LEFT = 96,
    TOP = 92,
    BOTTOM = 770,
    FIELD_RIGHT = 890, /* of charts with a legend beside them */
    LEGEND = 920,
    LEGEND_ROW = 25,
    NAMED = 24, /* lines that get a name: all, or the best and the worst half of as many */
    LABEL_BYTES = 256,
    KEYS = BOTTOM + 72, /* of a chart without a legend beside it */
    BLANK = 14          /* half the height of what is kept clear of the grid for a text */
};

static const float INK = 17.0f, TITLE = 24.0f;
static const struct color MEAN = {30, 30, 30}, THIN = {205, 205, 205}, TOO_SURE = {240, 195, 160},
                          TOO_MODEST = {160, 220, 190}, BEHIND = {255, 255, 255};

/* ---- figures ---- */

struct ranked {
    double ap;
    size_t class_id;
};

static int by_ap(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    int order = eval_compare_descending(x->ap, y->ap);
    return order ? order : (x->class_id > y->class_id) - (x->class_id < y->class_id);
}

enum result eval_rank(const struct evaluation *evaluation, struct eval_ranking *ranking,
                      struct error *err)
{
    size_t classes = evaluation->set->class_count;
    struct ranked *items = mem_alloc(classes, sizeof *items);
    *ranking = (struct eval_ranking){.classes = mem_alloc(classes, sizeof *ranking->classes)};
    if (!items || !ranking->classes) {
        mem_free(items);
        return mem_error(err, "chart");
    }
    for (size_t k = 0; k < classes; k++) {
        if (evaluation->rows[k].truths > 0) {
            items[ranking->count++] = (struct ranked){evaluation->rows[k].numbers[COCO_AP50], k};
        }
    }
    if (ranking->count > 0) {
        qsort(items, ranking->count, sizeof *items, by_ap);
    }
    for (size_t i = 0; i < ranking->count; i++) {
        ranking->classes[i] = items[i].class_id;
    }
    mem_free(items);
    return OK;
}

enum result eval_confidences(struct evaluation *evaluation, int class_id,
                             struct eval_confidences *out, struct error *err)
{
    struct pr_curve curve;
    enum result result = pr_curve_build(&evaluation->coco, class_id, 0, &curve, err);
    for (int i = 0; result == OK && i < EVAL_CONFIDENCES; i++) {
        out->points[i] = pr_curve_at(&curve, i / 100.0);
    }
    pr_curve_free(&curve);
    return result;
}

/* ---- what the charts share ---- */

struct chart {
    struct image image;
    struct plot_field field;
    struct plot_axis x, y;
};

/* An empty field of 0..1 by 0..1 with its titles. */
static enum result open_chart(struct chart *chart, int right, const char *title,
                              const char *const axis_titles[2], struct error *err)
{
    *chart = (struct chart){.field = {LEFT, TOP, right, BOTTOM},
                            .x = {.high = 1.0, .from = LEFT, .to = right},
                            .y = {.high = 1.0, .from = BOTTOM, .to = TOP}};
    int width = right == FIELD_RIGHT ? WIDTH : right + 60;
    TRY(plot_new(width, HEIGHT, &chart->image, err));
    plot_x_axis(&chart->image, &chart->field, &chart->x, 10, INK);
    plot_y_axis(&chart->image, &chart->field, &chart->y, 10, INK);
    plot_frame(&chart->image, &chart->field);
    plot_x_title(&chart->image, &chart->field, INK, axis_titles[0]);
    plot_y_title(&chart->image, &chart->field, INK, axis_titles[1]);
    draw_text(&chart->image, LEFT, 26, TITLE, title, PLOT_INK);
    return OK;
}

static enum result close_chart(struct chart *chart, enum result result, const char *path,
                               struct error *err)
{
    if (result == OK) {
        result = image_write(path, &chart->image, err);
    }
    image_free(&chart->image);
    return result;
}

/* Is the i-th of the ranking one of those with a name and colour? */
static bool is_named(const struct eval_ranking *ranking, size_t i)
{
    return ranking->count <= NAMED || i < NAMED / 2 || i >= ranking->count - NAMED / 2;
}

/* Its colour: those at the end carry on from those at the front. */
static struct color color_of(const struct eval_ranking *ranking, size_t i)
{
    bool is_late = ranking->count > NAMED && i >= NAMED / 2;
    return is_named(ranking, i) ? plot_color(is_late ? i - (ranking->count - NAMED) : i) : THIN;
}

/* "name 0.123" of each named class, best first. */
static void draw_legend(struct chart *chart, const struct evaluation *e,
                        const struct eval_ranking *ranking, enum coco_number number)
{
    float y = TOP + 3 * LEGEND_ROW + 8;
    for (size_t i = 0; i < ranking->count; i++) {
        char name[LABEL_BYTES], text[LABEL_BYTES + 16];
        if (!is_named(ranking, i)) {
            if (i == NAMED / 2) {
                snprintf(text, sizeof text, "(%zu more, grey)", ranking->count - NAMED);
                plot_text(&chart->image, LEGEND, y, INK, text, PLOT_GREY);
                y += LEGEND_ROW;
            }
            continue;
        }
        size_t k = ranking->classes[i];
        plot_fit_text(INK, WIDTH - LEGEND - 34.0f - 64.0f, e->set->names[k], name, sizeof name);
        snprintf(text, sizeof text, "%s %.3f", name, e->rows[k].numbers[number]);
        plot_key(&chart->image, LEGEND, y, INK, 2.6f, color_of(ranking, i), text);
        y += LEGEND_ROW;
    }
}

/* In place of lines and bars, where no class has an object: the text output says "-". */
static void draw_nothing(struct image *image, const struct plot_field *field)
{
    static const char text[] = "no labelled objects: nothing to measure";
    int x = (field->left + field->right) / 2;
    int y = (field->top + field->bottom) / 2;
    int half = (int)(draw_text_width(INK, text) / 2.0f) + 10;
    draw_fill(image, x - half, y - BLANK, x + half, y + BLANK, BEHIND, 1.0f);
    plot_text_around(image, (float)x, (float)y, INK, text, PLOT_INK);
}

/* ---- precision over recall ---- */

static void fill_recalls(double x[COCO_RECALLS])
{
    for (int i = 0; i < COCO_RECALLS; i++) {
        x[i] = i / (double)(COCO_RECALLS - 1);
    }
}

/* From the last to the first, so that the best lie on top; grey ones below all. */
static void draw_pr_lines(struct chart *chart, struct evaluation *e,
                          const struct eval_ranking *ranking, bool grey, double mean[COCO_RECALLS])
{
    double x[COCO_RECALLS];
    struct coco_curve curve;
    fill_recalls(x);
    for (size_t i = ranking->count; i-- > 0;) {
        if (is_named(ranking, i) == grey) {
            continue;
        }
        coco_metrics_curve(&e->coco, ranking->classes[i], COCO_AREA_ALL, COCO_MAX_DETECTIONS,
                           &curve);
        const struct plot_line line = {.x = x,
                                       .y = curve.precision[0],
                                       .count = COCO_RECALLS,
                                       .width = grey ? 1.2f : 1.8f,
                                       .color = color_of(ranking, i)};
        plot_line_draw(&chart->image, &chart->x, &chart->y, &line);
        for (int r = 0; r < COCO_RECALLS; r++) {
            mean[r] += curve.precision[0][r] / (double)ranking->count;
        }
    }
}

static void draw_pr(struct chart *chart, struct evaluation *e, const struct eval_ranking *ranking)
{
    double x[COCO_RECALLS], mean[COCO_RECALLS] = {0};
    char text[64];
    draw_pr_lines(chart, e, ranking, true, mean);
    draw_pr_lines(chart, e, ranking, false, mean);
    fill_recalls(x);
    if (ranking->count > 1) {
        const struct plot_line line = {
            .x = x, .y = mean, .count = COCO_RECALLS, .width = 4.0f, .color = MEAN};
        plot_line_draw(&chart->image, &chart->x, &chart->y, &line);
        snprintf(text, sizeof text, "mean of %zu: AP50 %.3f", ranking->count,
                 e->all.numbers[COCO_AP50]);
        plot_key(&chart->image, LEGEND, TOP + LEGEND_ROW, INK, 4.0f, MEAN, text);
    }
    plot_text(&chart->image, LEGEND, TOP + 2 * LEGEND_ROW + 8, INK, "AP50 by class", PLOT_GREY);
    draw_legend(chart, e, ranking, COCO_AP50);
}

enum result eval_draw_pr(struct evaluation *evaluation, const struct eval_ranking *ranking,
                         const char *path, struct error *err)
{
    static const char *const titles[2] = {"recall", "precision"};
    struct chart chart;
    enum result result =
        open_chart(&chart, FIELD_RIGHT, "Precision over recall, IoU .50", titles, err);
    if (result == OK && ranking->count > 0) {
        draw_pr(&chart, evaluation, ranking);
    } else if (result == OK) {
        draw_nothing(&chart.image, &chart.field);
    }
    return close_chart(&chart, result, path, err);
}

/* ---- over the confidence threshold ---- */

static void draw_confidences(struct chart *chart, const struct eval_confidences *c, size_t offset,
                             float width, struct color color)
{
    double x[EVAL_CONFIDENCES], y[EVAL_CONFIDENCES];
    for (int i = 0; i < EVAL_CONFIDENCES; i++) {
        const struct pr_point *p = &c->points[i];
        x[i] = i / 100.0;
        memcpy(&y[i], (const char *)p + offset, sizeof y[i]);
        if (p->hits + p->misses == 0 && offset == offsetof(struct pr_point, precision)) {
            y[i] = (double)NAN; /* of nothing */
        }
    }
    const struct plot_line line = {
        .x = x, .y = y, .count = EVAL_CONFIDENCES, .width = width, .color = color};
    plot_line_draw(&chart->image, &chart->x, &chart->y, &line);
}

static void mark_best(struct chart *chart, const struct evaluation *e)
{
    char text[96];
    const struct evaluation_row *all = &e->all;
    float x = plot_at(&chart->x, all->threshold);
    float y = plot_at(&chart->y, all->at.f1);
    draw_line(&chart->image, x, y, x, BOTTOM, 1.4f, PLOT_GREY);
    plot_dot(&chart->image, x, y, 11.0f, MEAN);
    snprintf(text, sizeof text, "%s F1 %.3f at %.3f",
             e->options.threshold >= 0 ? "chosen:" : "best", all->at.f1, all->threshold);
    plot_text(&chart->image, LEGEND, TOP + 6 * LEGEND_ROW, INK, text, PLOT_INK);
    snprintf(text, sizeof text, "precision %.3f, recall %.3f", all->at.precision, all->at.recall);
    plot_text(&chart->image, LEGEND, TOP + 7 * LEGEND_ROW, INK, text, PLOT_INK);
}

static enum result draw_threshold(struct chart *chart, struct evaluation *e,
                                  const struct eval_ranking *ranking, struct error *err)
{
    static const struct {
        const char *name;
        size_t offset;
        float width;
    } lines[] = {{"precision", offsetof(struct pr_point, precision), 3.0f},
                 {"recall", offsetof(struct pr_point, recall), 3.0f},
                 {"F1", offsetof(struct pr_point, f1), 4.0f}};
    const struct color colors[] = {plot_color(0), plot_color(1), MEAN};
    struct eval_confidences c;
    for (size_t i = 0; ranking->count > 1 && i < ranking->count; i++) {
        TRY(eval_confidences(e, (int)ranking->classes[i], &c, err));
        draw_confidences(chart, &c, lines[2].offset, 1.2f, THIN);
    }
    TRY(eval_confidences(e, PR_ALL_CLASSES, &c, err));
    for (int i = 0; i < 3; i++) {
        draw_confidences(chart, &c, lines[i].offset, lines[i].width, colors[i]);
        plot_key(&chart->image, LEGEND, (float)(TOP + (i + 1) * LEGEND_ROW), INK, lines[i].width,
                 colors[i], lines[i].name);
    }
    if (ranking->count > 1) {
        plot_key(&chart->image, LEGEND, TOP + 4 * LEGEND_ROW, INK, 2.0f, THIN, "F1 of each class");
    }
    mark_best(chart, e);
    return OK;
}

enum result eval_draw_confidence(struct evaluation *evaluation, const struct eval_ranking *ranking,
                                 const char *path, struct error *err)
{
    static const char *const titles[2] = {"confidence threshold", "precision, recall, F1"};
    struct chart chart;
    enum result result =
        open_chart(&chart, FIELD_RIGHT, "What the confidence threshold does, IoU .50", titles, err);
    if (result == OK && ranking->count > 0) {
        result = draw_threshold(&chart, evaluation, ranking, err);
    } else if (result == OK) {
        draw_nothing(&chart.image, &chart.field);
    }
    return close_chart(&chart, result, path, err);
}

/* ---- calibration ---- */

static void draw_bin(struct chart *chart, const struct calibration *c, int i)
{
    const struct calibration_bin *bin = &c->bins[i];
    struct image *image = &chart->image;
    int left = (int)plot_at(&chart->x, i / (double)CALIBRATION_BINS) + 4;
    int right = (int)plot_at(&chart->x, (i + 1) / (double)CALIBRATION_BINS) - 3;
    char text[32];
    if (bin->count > 0) {
        int top = (int)plot_at(&chart->y, bin->precision);
        int wanted = (int)plot_at(&chart->y, bin->confidence);
        draw_fill(image, left, top, right, BOTTOM, plot_color(4), 1.0f);
        if (wanted < top) {
            draw_fill(image, left, wanted, right, top, TOO_SURE, 1.0f);
        } else {
            draw_fill(image, left, top, right, wanted, TOO_MODEST, 1.0f);
        }
        draw_fill(image, left, top - 1, right, top + 2, plot_color(0), 1.0f);
    }
    snprintf(text, sizeof text, "%zu", bin->count);
    plot_text_around(image, (float)(left + right) / 2.0f, TOP - 11.0f, INK - 2.0f, text,
                     bin->count ? PLOT_INK : PLOT_GREY);
}

enum result eval_draw_calibration(const struct evaluation *evaluation, const char *path,
                                  struct error *err)
{
    static const char *const titles[2] = {"confidence", "share of detections that are right"};
    const struct calibration *c = &evaluation->calibration;
    struct chart chart;
    char text[128];
    enum result result =
        open_chart(&chart, LEFT + (BOTTOM - TOP), "Can the confidence be believed?", titles, err);
    if (result == OK) {
        for (int i = 0; i < CALIBRATION_BINS; i++) {
            draw_bin(&chart, c, i);
        }
        draw_line(&chart.image, (float)chart.x.from, BOTTOM, (float)chart.x.to, TOP, 2.0f,
                  PLOT_GREY);
        snprintf(text, sizeof text,
                 "%zu detections (counts on top); expected calibration error %.4f, worst bin %.3f",
                 c->count, c->ece, c->mce);
        draw_text(&chart.image, LEFT, 52, INK - 2.0f, text, PLOT_GREY);
        float x = plot_key(&chart.image, LEFT, KEYS, INK, 4.0f, plot_color(0), "share right");
        x = plot_key(&chart.image, x, KEYS, INK, 9.0f, TOO_SURE, "lower than the confidence");
        plot_key(&chart.image, x, KEYS, INK, 9.0f, TOO_MODEST, "higher");
        plot_frame(&chart.image, &chart.field);
    }
    return close_chart(&chart, result, path, err);
}

/* ---- a bar a class ---- */

enum { BAR_ROW = 24, BARS_MAX = 400, BARS_WIDTH = 1000, NAME_WIDTH = 230, BARS_TOP = 84 };

static void draw_bar(struct image *image, const struct evaluation *e, size_t class_id, int y,
                     const struct plot_axis *x)
{
    const struct evaluation_row *row = &e->rows[class_id];
    char name[LABEL_BYTES], text[LABEL_BYTES];
    float middle = (float)y + BAR_ROW / 2.0f;
    int from = x->from;
    int ap50 = (int)plot_at(x, row->numbers[COCO_AP50]);
    plot_fit_text(INK, NAME_WIDTH - 20.0f, e->set->names[class_id], name, sizeof name);
    plot_text_before(image, (float)from - 8.0f, middle, INK, name, PLOT_INK);
    draw_fill(image, from, y + 4, ap50, y + BAR_ROW - 4, plot_color(4), 1.0f);
    draw_fill(image, from, y + 4, (int)plot_at(x, row->numbers[COCO_AP]), y + BAR_ROW - 4,
              plot_color(0), 1.0f);
    snprintf(text, sizeof text, "%.3f  %.3f  (%zu)", row->numbers[COCO_AP50], row->numbers[COCO_AP],
             row->truths);
    plot_text(image, (float)x->to + 14.0f, middle, INK - 2.0f, text, PLOT_GREY);
}

enum result eval_draw_classes(const struct evaluation *evaluation,
                              const struct eval_ranking *ranking, const char *path,
                              struct error *err)
{
    size_t shown = ranking->count < BARS_MAX ? ranking->count : BARS_MAX;
    struct plot_field field = {NAME_WIDTH, BARS_TOP, BARS_WIDTH - 190,
                               BARS_TOP + (shown > 0 ? (int)shown : 2) * BAR_ROW + 8};
    struct plot_axis x = {.high = 1.0, .from = field.left, .to = field.right};
    struct image image = {0};
    enum result result = plot_new(BARS_WIDTH, field.bottom + 44, &image, err);
    if (result != OK) {
        return result;
    }
    draw_text(&image, NAME_WIDTH, 16, TITLE, "Average precision by class", PLOT_INK);
    float behind = plot_key(&image, NAME_WIDTH, 62, INK, 9.0f, plot_color(4), "AP50");
    plot_key(&image, behind, 62, INK, 9.0f, plot_color(0), "AP");
    plot_text(&image, (float)field.right + 14.0f, 62, INK - 2.0f, "AP50   AP   (objects)",
              PLOT_GREY);
    plot_x_axis(&image, &field, &x, 10, INK - 2.0f);
    for (size_t i = 0; i < shown; i++) {
        draw_bar(&image, evaluation, ranking->classes[i], BARS_TOP + 4 + (int)i * BAR_ROW, &x);
    }
    if (shown == 0) {
        draw_nothing(&image, &field);
    }
    plot_frame(&image, &field);
    result = image_write(path, &image, err);
    image_free(&image);
    return result;
}

/* ---- the confusion matrix ---- */

static size_t count_of_confusion(const void *ctx, size_t truth, size_t found)
{
    return confusion_count(ctx, truth, found);
}

enum result eval_draw_confusion(const struct evaluation *evaluation, const struct confusion *matrix,
                                const char *path, struct error *err)
{
    char note[120];
    snprintf(note, sizeof note, "confidence above %.3f, IoU from %.2f", matrix->threshold,
             matrix->iou);
    const struct matrix_source source = {.names = evaluation->set->names,
                                         .class_count = matrix->class_count,
                                         .has_background = true,
                                         .note = note,
                                         .column_word = "detected as",
                                         .count = count_of_confusion,
                                         .ctx = matrix};
    return matrix_draw(&source, path, err);
}
