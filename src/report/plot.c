#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct color PLOT_INK = {40, 40, 40}, PLOT_GREY = {110, 110, 110},
                   PLOT_GRID = {226, 226, 226};

enum result plot_new(int w, int h, struct image *image, struct error *err)
{
    TRY(image_new(w, h, image, err));
    draw_fill(image, 0, 0, w, h, (struct color){255, 255, 255}, 1.0f);
    return OK;
}

struct color plot_color(size_t i)
{
    static const struct color few[] = {{0, 114, 178},  {230, 159, 0},   {0, 158, 115}, {213, 94, 0},
                                       {86, 180, 233}, {204, 121, 167}, {150, 140, 30}};
    const size_t count = sizeof few / sizeof few[0];
    return i < count ? few[i] : draw_class_color((int)(i - count));
}

/* ---- axes ---- */

double plot_step(double range, int count)
{
    double rough = range / count;
    double power = pow(10.0, floor(log10(rough)));
    double share = rough / power;
    return power * (share < 1.5 ? 1.0 : share < 3.5 ? 2.0 : share < 7.5 ? 5.0 : 10.0);
}

float plot_at(const struct plot_axis *axis, double value)
{
    double v = axis->is_log ? (value > 0.0 ? log10(value) : axis->low) : value;
    double share = (v - axis->low) / (axis->high - axis->low);
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return (float)(axis->from + share * (axis->to - axis->from));
}

int plot_ticks(const struct plot_axis *axis, int wanted, double ticks[PLOT_MAX_TICKS])
{
    int count = 0;
    if (!axis->is_log) {
        double step = plot_step(axis->high - axis->low, wanted);
        for (double v = ceil(axis->low / step - 1e-9); v * step <= axis->high + step * 1e-6; v++) {
            if (count < PLOT_MAX_TICKS) {
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
            if (is_inside && count < PLOT_MAX_TICKS) {
                ticks[count++] = v;
            }
        }
    }
    return count;
}

void plot_y_axis(struct image *image, const struct plot_field *field, const struct plot_axis *axis,
                 int wanted, float text_px)
{
    double ticks[PLOT_MAX_TICKS];
    int count = plot_ticks(axis, wanted, ticks);
    for (int i = 0; i < count; i++) {
        char text[32];
        float y = plot_at(axis, ticks[i]);
        snprintf(text, sizeof text, "%.6g", ticks[i]);
        draw_line(image, (float)field->left, y, (float)field->right, y, 1.0f, PLOT_GRID);
        plot_text_before(image, (float)field->left - 10.0f, y, text_px, text, PLOT_GREY);
    }
}

void plot_y_axis_right(struct image *image, const struct plot_field *field,
                       const struct plot_axis *axis, int wanted, float text_px, struct color color)
{
    double ticks[PLOT_MAX_TICKS];
    int count = plot_ticks(axis, wanted, ticks);
    for (int i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.6g", ticks[i]);
        plot_text(image, (float)field->right + 10.0f, plot_at(axis, ticks[i]), text_px, text,
                  color);
    }
}

void plot_x_axis(struct image *image, const struct plot_field *field, const struct plot_axis *axis,
                 int wanted, float text_px)
{
    double ticks[PLOT_MAX_TICKS];
    int count = plot_ticks(axis, wanted, ticks);
    for (int i = 0; i < count; i++) {
        char text[32];
        float x = plot_at(axis, ticks[i]);
        snprintf(text, sizeof text, "%.10g", ticks[i]);
        draw_line(image, x, (float)field->top, x, (float)field->bottom, 1.0f, PLOT_GRID);
        if (text_px > 0.0f) {
            plot_text_around(image, x, (float)field->bottom + 8.0f + text_px / 2.0f, text_px, text,
                             PLOT_GREY);
        }
    }
}

void plot_frame(struct image *image, const struct plot_field *field)
{
    draw_frame(image, (float)field->left, (float)field->top, (float)field->right,
               (float)field->bottom, 1, PLOT_GREY);
}

void plot_x_title(struct image *image, const struct plot_field *field, float text_px,
                  const char *text)
{
    float middle = (float)(field->left + field->right) / 2.0f;
    plot_text_around(image, middle, (float)field->bottom + 2.0f * text_px + 9.0f, text_px, text,
                     PLOT_INK);
}

void plot_y_title(struct image *image, const struct plot_field *field, float text_px,
                  const char *text)
{
    float middle = (float)(field->top + field->bottom) / 2.0f;
    plot_text_up(image, (float)field->left - 3.6f * text_px,
                 middle + draw_text_width(text_px, text) / 2.0f, text_px, text, PLOT_INK);
}

/* ---- lines ---- */

void plot_line_draw(struct image *image, const struct plot_axis *x, const struct plot_axis *y,
                    const struct plot_line *line)
{
    float last_x = 0.0f, last_y = 0.0f;
    bool has_last = false;
    size_t stride = line->stride ? line->stride : 1;
    for (size_t i = 0; i < line->count; i++) {
        double vx = line->x[i * stride];
        double vy = line->y[i * stride];
        if (!isfinite(vx) || !isfinite(vy)) {
            continue;
        }
        float px = plot_at(x, vx);
        float py = plot_at(y, vy);
        if (has_last) {
            draw_line(image, last_x, last_y, px, py, line->width, line->color);
        }
        last_x = px;
        last_y = py;
        has_last = true;
    }
}

/* A line with next to no length. */
void plot_dot(struct image *image, float x, float y, float diameter, struct color color)
{
    draw_line(image, x - 0.1f, y, x + 0.1f, y, diameter, color);
}

/* ---- text ---- */

void plot_text(struct image *image, float x, float y, float text_px, const char *text,
               struct color color)
{
    draw_text(image, x, y - text_px / 2.0f, text_px, text, color);
}

void plot_text_before(struct image *image, float x, float y, float text_px, const char *text,
                      struct color color)
{
    plot_text(image, x - draw_text_width(text_px, text), y, text_px, text, color);
}

void plot_text_around(struct image *image, float x, float y, float text_px, const char *text,
                      struct color color)
{
    plot_text(image, x - draw_text_width(text_px, text) / 2.0f, y, text_px, text, color);
}

static void darken(unsigned char *pixel, const unsigned char *by)
{
    for (int k = 0; k < 3; k++) {
        pixel[k] = pixel[k] < by[k] ? pixel[k] : by[k];
    }
}

void plot_text_up(struct image *image, float x, float y, float text_px, const char *text,
                  struct color color)
{
    struct image flat = {0};
    struct error err;
    int w = (int)ceilf(draw_text_width(text_px, text)) + 1;
    int h = (int)ceilf(text_px) + 1;
    if (plot_new(w, h, &flat, &err) != OK) {
        image->lacks_text = true;
        return;
    }
    draw_text(&flat, 0, 0, text_px, text, color);
    image->lacks_text = image->lacks_text || flat.lacks_text;
    int left = (int)lrintf(x - text_px / 2.0f);
    int bottom = (int)lrintf(y);
    for (int row = 0; row < h; row++) {
        for (int column = 0; column < w; column++) {
            int to_x = left + row;
            int to_y = bottom - column;
            if (to_x >= 0 && to_x < image->w && to_y >= 0 && to_y < image->h) {
                size_t to = (size_t)to_y * (size_t)image->w + (size_t)to_x;
                size_t from = (size_t)row * (size_t)w + (size_t)column;
                darken(image->rgb + 3 * to, flat.rgb + 3 * from);
            }
        }
    }
    image_free(&flat);
}

const char *plot_fit_text(float text_px, float width_px, const char *text, char *out, size_t size)
{
    snprintf(out, size, "%s", text);
    size_t length = strlen(out);
    while (length > 1 && draw_text_width(text_px, out) > width_px) {
        do { /* a whole UTF-8 character */
            length--;
        } while (length > 1 && ((unsigned char)text[length] & 0xc0) == 0x80);
        snprintf(out, size, "%.*s...", (int)length, text);
    }
    return out;
}

float plot_key(struct image *image, float x, float y, float text_px, float line_width,
               struct color color, const char *text)
{
    draw_line(image, x, y, x + 26.0f, y, line_width, color);
    plot_text(image, x + 34.0f, y, text_px, text, PLOT_INK);
    return x + 34.0f + draw_text_width(text_px, text) + 26.0f;
}
