/* Drawing on pictures: boxes, lines, anti-aliased text (stb_truetype, DejaVu Sans embedded at build). */
#ifndef REPORT_DRAW_H
#define REPORT_DRAW_H

#include "data/image.h"
#include "layers/box.h"

struct color {
    unsigned char r, g, b;
};

/* A distinct, well-spread colour per class number; the same for the same number for ever. */
struct color draw_class_color(int class_id);

void draw_fill(struct image *image, int x1, int y1, int x2, int y2, struct color color,
               float alpha);
/* Frame of the given width, drawn inwards; clipped. */
void draw_frame(struct image *image, float x1, float y1, float x2, float y2, int width,
                struct color color);
/* Anti-aliased line. */
void draw_line(struct image *image, float x1, float y1, float x2, float y2, float width,
               struct color color);
/* UTF-8 text with its top-left corner at (x, y), height_px from ascent to descent; clipped. Without memory
 * for it the image lacks_text. */
void draw_text(struct image *image, float x, float y, float height_px, const char *text,
               struct color color);
float draw_text_width(float height_px, const char *text);

/* Frame around the part of the box that lies inside the picture, at least one pixel of it; line
 * width by picture size. */
void draw_box(struct image *image, const struct box_xyxy_px *box, struct color color);

enum { DRAW_LABELS_MAX = 400 };

/* The labels of one picture, which leave each other room. Draw all of its boxes first: then no
 * frame cuts through a label. */
struct draw_labels {
    struct image *image;
    float height_px; /* of the text; 0 = by picture size */
    struct draw_rect {
        int left, top, right, bottom;
    } taken[DRAW_LABELS_MAX];
    size_t count;
};

/* A label "dog 0.98" on a filled tab in the colour with readable ink (black or white by luminance),
 * at its box, inside the picture and clear of the labels before it: the most important first. Its
 * text is smaller where a tiny picture or the other labels leave no room; a label that finds no
 * place at all is left out. */
void draw_label(struct draw_labels *labels, const struct box_xyxy_px *box, struct color color,
                const char *text);

#endif
