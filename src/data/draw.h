/* Drawing on pictures: boxes, lines, anti-aliased text (stb_truetype, DejaVu Sans embedded at build). */
#ifndef DATA_DRAW_H
#define DATA_DRAW_H

#include "data/image.h"

struct color {
    unsigned char r, g, b;
};

/* A distinct, well-spread colour per class number; the same for the same number for ever. */
struct color draw_class_color(int class_id);

void draw_fill(struct image *image, int x1, int y1, int x2, int y2, struct color color, float alpha);
/* Frame of the given width, drawn inwards; clipped. */
void draw_frame(struct image *image, float x1, float y1, float x2, float y2, int width,
                struct color color);
/* Anti-aliased line. */
void draw_line(struct image *image, float x1, float y1, float x2, float y2, float width,
               struct color color);
/* UTF-8 text with its top-left corner at (x, y), height_px from ascent to descent; clipped. */
void draw_text(struct image *image, float x, float y, float height_px, const char *text,
               struct color color);
float draw_text_width(float height_px, const char *text);

/* Frame and a label "dog 0.98" (NULL: none) on a filled tab in the colour with readable ink (black or
 * white by luminance), line and text size by picture size, the tab moved inside the picture. */
void draw_labelled_box(struct image *image, float x1, float y1, float x2, float y2,
                       struct color color, const char *label);
/* The same in the colour of the class. */
void draw_detection(struct image *image, float x1, float y1, float x2, float y2, int class_id,
                    const char *label);

#endif
