#include "report/picture_sheet.h"

#include <math.h>

#include "report/plot.h"

enum { GAP = 12, HEAD = 54, CAPTION = 26 };

static const float TITLE = 22.0f, INK = 15.0f;

enum result sheet_scale(const struct image *picture, struct image *out, double *scale,
                        struct error *err)
{
    int side = picture->w > picture->h ? picture->w : picture->h;
    *scale = (double)SHEET_CELL / side;
    int w = (int)lrint(picture->w * *scale), h = (int)lrint(picture->h * *scale);
    return image_resize(picture, w > 0 ? w : 1, h > 0 ? h : 1, out, err);
}

/* The height of the row that begins with picture `first`. */
static int row_height(const struct sheet_picture *pictures, size_t first, size_t count, int columns)
{
    int height = 0;
    for (size_t i = first; i < count && i < first + (size_t)columns; i++) {
        height = pictures[i].image.h > height ? pictures[i].image.h : height;
    }
    return height;
}

enum result sheet_write(const char *path, const char *title, const struct sheet_picture *pictures,
                        size_t count, int columns, struct error *err)
{
    struct image page;
    char caption[sizeof pictures->caption + 4];
    int height = HEAD;
    for (size_t i = 0; i < count; i += (size_t)columns) {
        height += CAPTION + row_height(pictures, i, count, columns) + GAP;
    }
    TRY(plot_new(GAP + columns * (SHEET_CELL + GAP), height, &page, err));
    draw_text(&page, GAP, 14, TITLE, title, PLOT_INK);
    int y = HEAD;
    for (size_t i = 0; i < count; i++) {
        int column = (int)(i % (size_t)columns);
        int x = GAP + column * (SHEET_CELL + GAP);
        if (column == 0 && i > 0) {
            y += CAPTION + row_height(pictures, i - (size_t)columns, count, columns) + GAP;
        }
        plot_fit_text(INK, SHEET_CELL, pictures[i].caption, caption, sizeof caption);
        plot_text(&page, (float)x, (float)y + CAPTION / 2.0f, INK, caption, PLOT_GREY);
        image_paste(&page, &pictures[i].image, x, y + CAPTION);
    }
    enum result result = image_write(path, &page, err);
    image_free(&page);
    return result;
}

void sheet_free(struct sheet_picture *pictures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        image_free(&pictures[i].image);
    }
}
