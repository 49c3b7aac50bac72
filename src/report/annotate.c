#include "report/annotate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "results/paths.h"
#include "report/draw.h"

void annotate_draw(struct image *image, const struct result_record *record, char *const *names)
{
    struct draw_labels labels = {.image = image};
    for (size_t i = record->count; i > 0; i--) {
        const struct result_object *o = &record->objects[i - 1];
        draw_box(image, &o->box, draw_class_color(o->class_id));
    }
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        char name[256], label[sizeof name + 16];
        snprintf(label, sizeof label, "%s %.2f", text_utf8(names[o->class_id], name, sizeof name),
                 (double)o->confidence);
        draw_label(&labels, &o->box, draw_class_color(o->class_id), label);
    }
}

/* Whole pixels that the box touches. False if there are none. */
static bool pixel_box(const struct image *image, const struct box_xyxy_px *box, int corners[4])
{
    float x1 = floorf(fmaxf(box->x1, 0)), y1 = floorf(fmaxf(box->y1, 0));
    float x2 = ceilf(fminf(box->x2, (float)image->w)), y2 = ceilf(fminf(box->y2, (float)image->h));
    if (!(x2 > x1) || !(y2 > y1)) {
        return false;
    }
    corners[0] = (int)x1;
    corners[1] = (int)y1;
    corners[2] = (int)x2;
    corners[3] = (int)y2;
    return true;
}

static enum result save_crop(const struct image *image, const int corners[4], const char *path,
                             struct error *err)
{
    struct image crop = {0};
    TRY(parent_make(path, err));
    TRY(image_new(corners[2] - corners[0], corners[3] - corners[1], &crop, err));
    size_t row_bytes = (size_t)crop.w * 3;
    for (int y = 0; y < crop.h; y++) {
        size_t source = ((size_t)(corners[1] + y) * (size_t)image->w + (size_t)corners[0]) * 3;
        memcpy(crop.rgb + (size_t)y * row_bytes, image->rgb + source, row_bytes);
    }
    enum result result = image_write(path, &crop, err);
    image_free(&crop);
    return result;
}

/* A class name as one folder name. */
static void folder_name(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s", name[0] ? name : "_");
    for (char *c = out; *c; c++) {
        bool is_leading_dot = c == out && *c == '.';
        if (*c == '/' || is_leading_dot || (unsigned char)*c < 0x20) {
            *c = '_';
        }
    }
}

enum result annotate_save_crops(const struct image *image, const struct result_record *record,
                                char *const *names, const char *folder, const char *stem,
                                size_t *saved, struct error *err)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        char class_folder[128], path[4096];
        int corners[4];
        if (!pixel_box(image, &o->box, corners)) {
            continue;
        }
        folder_name(names[o->class_id], class_folder, sizeof class_folder);
        int length =
            snprintf(path, sizeof path, "%s/%s/%s_%zu.jpg", folder, class_folder, stem, i + 1);
        if (length < 0 || (size_t)length >= sizeof path) {
            return error_at(err, ERR_IO, stem, 0, "path of its crops is too long");
        }
        TRY(save_crop(image, corners, path, err));
        (*saved)++;
    }
    return OK;
}
