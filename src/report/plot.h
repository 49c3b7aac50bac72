/* Charts: axes with round ticks, grids, lines, text in any place. Everything is drawn on a white
 * picture and in pixels of it. */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "report/draw.h"

enum { PLOT_MAX_TICKS = 64 };

extern const struct color PLOT_INK, PLOT_GREY,
    PLOT_GRID; /* text, its fainter kind, lines of grids */

/* One direction of a field: values to pixels. */
struct plot_axis {
    double low, high; /* of values; of their decimal logarithms if is_log */
    bool is_log;
    int from, to; /* pixels of low and high */
};

/* The inside of a chart, where the lines are. */
struct plot_field {
    int left, top, right, bottom;
};

/* A white picture; image_free. */
NODISCARD enum result plot_new(int w, int h, struct image *image, struct error *err);

/* A colour for the i-th of a few lines: distinct also for the colour-blind (Okabe and Ito); from
 * the eighth on draw_class_color. */
struct color plot_color(size_t i);

/* 1, 2 or 5 times a power of ten: about `count` steps to the range. */
double plot_step(double range, int count);

/* Where a value lies, held within the axis. */
float plot_at(const struct plot_axis *axis, double value);

/* Round values within the axis, about `wanted`; returns how many. */
int plot_ticks(const struct plot_axis *axis, int wanted, double ticks[PLOT_MAX_TICKS]);

/* Lines of the grid across the field, and values left of it. */
void plot_y_axis(struct image *image, const struct plot_field *field, const struct plot_axis *axis,
                 int wanted, float text_px);
/* Values right of the field, in a colour; no lines. */
void plot_y_axis_right(struct image *image, const struct plot_field *field,
                       const struct plot_axis *axis, int wanted, float text_px, struct color color);
/* Lines of the grid down the field; values below it, unless text_px is 0. */
void plot_x_axis(struct image *image, const struct plot_field *field, const struct plot_axis *axis,
                 int wanted, float text_px);
void plot_frame(struct image *image, const struct plot_field *field);

/* What the axes mean: below the values of x; to the left of those of y, turned upwards. */
void plot_x_title(struct image *image, const struct plot_field *field, float text_px,
                  const char *text);
void plot_y_title(struct image *image, const struct plot_field *field, float text_px,
                  const char *text);

/* A line through the points in turn; those that are not finite are passed over. */
struct plot_line {
    const double *x, *y;
    size_t count;
    size_t stride; /* from one value to the next; 0 = 1 */
    float width;
    struct color color;
};
void plot_line_draw(struct image *image, const struct plot_axis *x, const struct plot_axis *y,
                    const struct plot_line *line);
void plot_dot(struct image *image, float x, float y, float diameter, struct color color);

/* Text with its middle height at y; x is its left end, right end, or middle. */
void plot_text(struct image *image, float x, float y, float text_px, const char *text,
               struct color color);
void plot_text_before(struct image *image, float x, float y, float text_px, const char *text,
                      struct color color);
void plot_text_around(struct image *image, float x, float y, float text_px, const char *text,
                      struct color color);
/* Reading upwards from (x, y), x its middle; only the dark parts of it are drawn. */
void plot_text_up(struct image *image, float x, float y, float text_px, const char *text,
                  struct color color);

/* text cut to fit width_px, with "..." at its end if something was cut, into out[size]. */
const char *plot_fit_text(float text_px, float width_px, const char *text, char *out, size_t size);

/* A sample of a line and its name from x on, middle height y; returns the x behind it. */
float plot_key(struct image *image, float x, float y, float text_px, float line_width,
               struct color color, const char *text);

#endif
