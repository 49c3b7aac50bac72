#include "report/matrix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "report/plot.h"

enum {
    MARGIN = 24,
    TITLE_ROOM = 96,
    NAMES_MIN = 90,
    NAMES_MAX = 240,
    KEY_ROOM = 110,
    CELLS_MAX = 400
};

static const float TITLE = 24.0f, NOTE = 16.0f;

struct matrix {
    const struct matrix_source *source;
    size_t *shown; /* classes that occur, then the background, if there is one */
    size_t count;
    int cell; /* pixels */
    int left, top;
    float text_px; /* of names */
    struct image image;
};

static size_t count_of(const struct matrix *m, size_t truth, size_t found)
{
    return m->source->count(m->source->ctx, truth, found);
}

static size_t rows_of(const struct matrix *m)
{
    return m->source->class_count + m->source->has_background;
}

static size_t row_sum(const struct matrix *m, size_t truth)
{
    size_t sum = 0;
    for (size_t d = 0; d < rows_of(m); d++) {
        sum += count_of(m, truth, d);
    }
    return sum;
}

static size_t column_sum(const struct matrix *m, size_t found)
{
    size_t sum = 0;
    for (size_t t = 0; t < rows_of(m); t++) {
        sum += count_of(m, t, found);
    }
    return sum;
}

static void choose_shown(struct matrix *m)
{
    size_t classes = m->source->class_count;
    for (size_t k = 0; k < classes && m->count < CELLS_MAX; k++) {
        if (row_sum(m, k) > 0 || column_sum(m, k) > 0) {
            m->shown[m->count++] = k;
        }
    }
    if (m->source->has_background || m->count == 0) {
        m->shown[m->count++] = m->source->has_background ? classes : 0;
    }
}

static const char *name_of(const struct matrix *m, size_t i)
{
    size_t k = m->shown[i];
    return k == m->source->class_count ? "background" : m->source->names[k];
}

static int room_for_names(const struct matrix *m)
{
    float width = 0;
    for (size_t i = 0; i < m->count; i++) {
        width = fmaxf(width, draw_text_width(m->text_px, name_of(m, i)));
    }
    int room = (int)width + 16;
    return room < NAMES_MIN ? NAMES_MIN : room > NAMES_MAX ? NAMES_MAX : room;
}

/* Few classes get large cells with numbers, many small ones. */
static enum result lay_out(struct matrix *m, struct error *err)
{
    int count = (int)m->count;
    m->cell = 1000 / count;
    m->cell = m->cell > 84 ? 84 : m->cell < 13 ? 13 : m->cell;
    m->text_px = fminf(17.0f, (float)m->cell - 1.0f);
    int names = room_for_names(m);
    m->left = MARGIN + 26 + names;
    m->top = TITLE_ROOM;
    int width = m->left + count * m->cell + KEY_ROOM;
    int height = m->top + count * m->cell + names + 26 + MARGIN;
    return plot_new(width < 620 ? 620 : width, height, &m->image, err);
}

static struct color shade(double share)
{
    double v = share > 0.0 ? 0.06 + 0.94 * share : 0.0;
    return (struct color){(unsigned char)(255.0 - v * 247.0), (unsigned char)(255.0 - v * 207.0),
                          (unsigned char)(255.0 - v * 148.0)};
}

static void draw_cell(struct matrix *m, size_t row, size_t column)
{
    size_t count = count_of(m, m->shown[row], m->shown[column]);
    size_t sum = row_sum(m, m->shown[row]);
    double share = sum ? (double)count / (double)sum : 0.0;
    int x = m->left + (int)column * m->cell;
    int y = m->top + (int)row * m->cell;
    char text[24];
    draw_fill(&m->image, x, y, x + m->cell, y + m->cell, shade(share), 1.0f);
    draw_frame(&m->image, (float)x, (float)y, (float)(x + m->cell + 1), (float)(y + m->cell + 1), 1,
               PLOT_GRID);
    if (count == 0) {
        return;
    }
    snprintf(text, sizeof text, "%zu", count);
    float px = fminf(20.0f, (float)m->cell * 0.5f);
    float width = draw_text_width(px, text);
    if (width > (float)m->cell - 3.0f) {
        px *= ((float)m->cell - 3.0f) / width;
    }
    if (px >= 7.0f) {
        const struct color white = {255, 255, 255};
        plot_text_around(&m->image, (float)x + (float)m->cell / 2.0f,
                         (float)y + (float)m->cell / 2.0f, px, text,
                         share > 0.45 ? white : PLOT_INK);
    }
}

static void draw_names(struct matrix *m)
{
    char name[256];
    int room = room_for_names(m);
    int bottom = m->top + (int)m->count * m->cell;
    for (size_t i = 0; i < m->count; i++) {
        plot_fit_text(m->text_px, (float)room - 12.0f, name_of(m, i), name, sizeof name);
        float at = ((float)i + 0.5f) * (float)m->cell;
        plot_text_before(&m->image, (float)m->left - 8.0f, (float)m->top + at, m->text_px, name,
                         PLOT_INK);
        plot_text_up(&m->image, (float)m->left + at,
                     (float)bottom + 8.0f + draw_text_width(m->text_px, name), m->text_px, name,
                     PLOT_INK);
    }
    float middle = (float)m->count * (float)m->cell / 2.0f;
    plot_text_around(&m->image, (float)m->left + middle, (float)(bottom + room) + 18.0f, NOTE,
                     m->source->column_word, PLOT_GREY);
    plot_text_up(&m->image, MARGIN,
                 (float)m->top + middle + draw_text_width(NOTE, "true class") / 2.0f, NOTE,
                 "true class", PLOT_GREY);
}

/* What the shades mean. */
static void draw_key(struct matrix *m)
{
    int side = (int)m->count * m->cell;
    int height = side < 220 ? side : 220;
    int x = m->left + side + 26;
    for (int y = 0; y < height; y++) {
        double share = 1.0 - y / (double)(height - 1);
        draw_fill(&m->image, x, m->top + y, x + 18, m->top + y + 1, shade(share), 1.0f);
    }
    const struct plot_axis axis = {.high = 1.0, .from = m->top + height, .to = m->top};
    const struct plot_field field = {x, m->top, x + 18, m->top + height};
    plot_frame(&m->image, &field);
    plot_y_axis_right(&m->image, &field, &axis, 5, NOTE - 2.0f, PLOT_GREY);
}

static void draw_all(struct matrix *m)
{
    char text[200];
    draw_text(&m->image, MARGIN, 20, TITLE, "What was taken for what", PLOT_INK);
    snprintf(text, sizeof text, "%s; shade: share of the row", m->source->note);
    draw_text(&m->image, MARGIN, 54, NOTE, text, PLOT_GREY);
    for (size_t row = 0; row < m->count; row++) {
        for (size_t column = 0; column < m->count; column++) {
            draw_cell(m, row, column);
        }
    }
    draw_names(m);
    draw_key(m);
}

enum result matrix_draw(const struct matrix_source *source, const char *path, struct error *err)
{
    struct matrix m = {.source = source};
    m.shown = mem_alloc(source->class_count + 1, sizeof *m.shown);
    enum result result = m.shown ? OK : mem_error(err, "confusion matrix");
    if (result == OK) {
        choose_shown(&m);
        result = lay_out(&m, err);
    }
    if (result == OK) {
        draw_all(&m);
        result = image_write(path, &m.image, err);
    }
    image_free(&m.image);
    mem_free(m.shown);
    return result;
}
