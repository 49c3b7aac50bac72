#include "report/batch_draw.h"

#include <stdio.h>

#include "report/draw.h"

static unsigned char to_byte(float v)
{
    v = v * 255 + 0.5f;
    return v >= 255 ? 255 : v > 0 ? (unsigned char)v : 0;
}

static void draw_pixels(const struct tensor *input, int n, struct image *out)
{
    for (int y = 0; y < input->h; y++) {
        for (int x = 0; x < input->w; x++) {
            const float *pixel = tensor_at(input, n, y, x);
            unsigned char *rgb = out->rgb + ((size_t)y * (size_t)out->w + (size_t)x) * 3;
            for (int k = 0; k < 3; k++) {
                rgb[k] = to_byte(pixel[input->c == 3 ? k : 0]);
            }
        }
    }
}

static struct box_xyxy_px box_on(const struct image *image, const struct box_cxcywh_norm *box)
{
    float w = (float)image->w;
    float h = (float)image->h;
    return (struct box_xyxy_px){(box->cx - box->w / 2) * w, (box->cy - box->h / 2) * h,
                                (box->cx + box->w / 2) * w, (box->cy + box->h / 2) * h};
}

static void draw_truths(struct image *out, const struct truth_set *truths, const char *const *names,
                        size_t name_count)
{
    struct draw_labels labels = {.image = out};
    for (size_t k = 0; k < truths->count; k++) {
        const struct box_xyxy_px box = box_on(out, &truths->items[k].box);
        draw_box(out, &box, draw_class_color(truths->items[k].class_id));
    }
    for (size_t k = 0; k < truths->count; k++) {
        const struct box_xyxy_px box = box_on(out, &truths->items[k].box);
        int id = truths->items[k].class_id;
        char number[16];
        snprintf(number, sizeof number, "%d", id);
        bool has_name = names && (size_t)id < name_count;
        draw_label(&labels, &box, draw_class_color(id), has_name ? names[id] : number);
    }
}

enum result batch_draw(const struct batch *batch, const char *const *names, size_t name_count,
                       const char *prefix, struct error *err)
{
    for (int i = 0; i < batch->images; i++) {
        char path[4096];
        int length = snprintf(path, sizeof path, "%s%02d.jpg", prefix, i);
        if (length < 0 || (size_t)length >= sizeof path) {
            return error_set(err, ERR_IO, "%.200s: path too long", prefix);
        }
        struct image picture;
        TRY(image_new(batch->input.w, batch->input.h, &picture, err));
        draw_pixels(&batch->input, i, &picture);
        draw_truths(&picture, &batch->truths[i], names, name_count);
        enum result result = image_write(path, &picture, err);
        image_free(&picture);
        TRY(result);
    }
    return OK;
}

enum result batch_tensor_picture(const struct tensor *input, int n, struct image *out,
                                 double *scale, struct error *err)
{
    struct image whole;
    TRY(image_new(input->w, input->h, &whole, err));
    draw_pixels(input, n, &whole);
    enum result result = sheet_scale(&whole, out, scale, err);
    image_free(&whole);
    return result;
}

enum result batch_sheet_picture(const struct batch *batch, int n, const char *const *names,
                                size_t name_count, struct sheet_picture *out, struct error *err)
{
    double scale;
    enum result result = batch_tensor_picture(&batch->input, n, &out->image, &scale, err);
    if (result == OK) {
        draw_truths(&out->image, &batch->truths[n], names, name_count);
    }
    return result;
}
