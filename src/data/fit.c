/* Resampling as Darknet's resize_image and letterbox_image (see image.h), a row at a time.
 *
 *   source row (bytes)  ->  floats  ->  across (lerp in x)  ->  a pair of rows  ->  down (lerp in y)  ->  output
 *
 * Darknet fills a whole intermediate picture; here each source row goes across once, on demand, and
 * only two are alive. The arithmetic of a value is the same: (1 - d) * a + d * b in float, x before y.
 *
 * One difference: where (h_out - 1) * ((h_in - 1) / (h_out - 1)) rounds below h_in - 1 (4 % of all pairs
 * of heights), Darknet's last row comes out almost black. Here the last row always is the last source row. */
#include "data/image.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "base/memory.h"

/* One axis: output i reads source at[i] and at[i] + 1 with weights 1 - part[i] and part[i]. */
struct taps {
    int *at;
    float *part;
};

struct resampler {
    const struct image *image;
    int w, h, c; /* output; c = 3 or 1 */
    int whole_w,
        whole_h; /* the picture's new size, of which the output shows the part from skip on */
    int skip_x, skip_y;
    float divisor; /* 255 for the network, 1 for pictures */
    struct taps x, y;
    float *source;  /* [w_in * c], one row */
    float *rows[2]; /* [w * c]; source row i lives in rows[i & 1] */
    int row_of[2];  /* which one is there, -1 for none */
    void *block;
};

/* `out` taps from number `skip` on, of the `whole` that an axis of length `in` becomes. */
static void fill_taps(struct taps taps, int in, int whole, int skip, int out)
{
    float scale = whole > 1 ? (float)(in - 1) / (float)(whole - 1) : 0.0f;
    for (int i = 0; i < out; i++) {
        float position = (float)(i + skip) * scale;
        int at = (int)position;
        bool last = i + skip == whole - 1 || at >= in - 1;
        taps.at[i] = last ? in - 1 : at;
        taps.part[i] = last ? 0.0f : position - (float)at;
    }
}

static enum result resampler_open(struct resampler *r, struct error *err)
{
    /* One pixel more at each row's end: read with weight 0 by the last tap, written by the 4-wide
     * lerp. */
    size_t source_floats = ((size_t)r->image->w + 2) * (size_t)r->c;
    size_t row_floats = ((size_t)r->w + 2) * (size_t)r->c;
    size_t taps = (size_t)r->w + (size_t)r->h;
    r->block = mem_alloc(source_floats + 2 * row_floats + 2 * taps, sizeof(float));
    if (!r->block) {
        return mem_error(err, "resizing a picture");
    }
    float *next = r->block;
    r->source = next;
    next += source_floats;
    r->rows[0] = next;
    next += row_floats;
    r->rows[1] = next;
    next += row_floats;
    r->x.part = next;
    next += r->w;
    r->y.part = next;
    next += r->h;
    r->x.at = (int *)(void *)next;
    r->y.at = r->x.at + r->w;
    r->row_of[0] = -1;
    r->row_of[1] = -1;
    fill_taps(r->x, r->image->w, r->whole_w, r->skip_x, r->w);
    fill_taps(r->y, r->image->h, r->whole_h, r->skip_y, r->h);
    return OK;
}

/* The source row as floats. One channel is the luma stb makes when asked for grey. */
static void load_row(const struct resampler *r, int y)
{
    size_t w = (size_t)r->image->w;
    const unsigned char *restrict rgb = r->image->rgb + (size_t)y * w * 3;
    float *restrict out = r->source;
    float divisor = r->divisor;
    if (r->c == 3) {
        for (size_t i = 0; i < 3 * w; i++) {
            out[i] = (float)rgb[i] / divisor;
        }
        return;
    }
    for (size_t i = 0; i < w; i++) {
        int luma = (77 * rgb[3 * i] + 150 * rgb[3 * i + 1] + 29 * rgb[3 * i + 2]) >> 8;
        out[i] = (float)luma / divisor;
    }
}

static void across3(const float *restrict in, struct taps taps, int w, float *restrict out)
{
    for (int x = 0; x < w; x++) {
        const float *a = in + 3 * (size_t)taps.at[x];
        float d = taps.part[x];
        float e = 1 - d;
        float *o = out + 3 * (size_t)x;
        /* Four at once: one vector. The fourth is the next pixel's first, written again by its
         * turn. */
        float v0 = e * a[0] + d * a[3];
        float v1 = e * a[1] + d * a[4];
        float v2 = e * a[2] + d * a[5];
        float v3 = e * a[3] + d * a[6];
        o[0] = v0;
        o[1] = v1;
        o[2] = v2;
        o[3] = v3;
    }
}

static void across1(const float *restrict in, struct taps taps, int w, float *restrict out)
{
    for (int x = 0; x < w; x++) {
        const float *a = in + taps.at[x];
        float d = taps.part[x];
        out[x] = (1 - d) * a[0] + d * a[1];
    }
}

/* Source row y at the output's width. */
static const float *wide_row(struct resampler *r, int y)
{
    int slot = y & 1;
    if (r->row_of[slot] != y) {
        load_row(r, y);
        if (r->c == 3) {
            across3(r->source, r->x, r->w, r->rows[slot]);
        } else {
            across1(r->source, r->x, r->w, r->rows[slot]);
        }
        r->row_of[slot] = y;
    }
    return r->rows[slot];
}

/* Output row y, w * c dense floats. */
static void output_row(struct resampler *r, int y, float *restrict out)
{
    size_t count = (size_t)r->w * (size_t)r->c;
    int at = r->y.at[y];
    float d = r->y.part[y];
    float e = 1 - d;
    const float *restrict a = wide_row(r, at);
    if (d == 0.0f) {
        memcpy(out, a, count * sizeof *out);
        return;
    }
    const float *restrict b = wide_row(r, at + 1);
    for (size_t i = 0; i < count; i++) {
        out[i] = e * a[i] + d * b[i];
    }
}

static int at_least(int value, long long other)
{
    return other > value ? (int)(other > INT_MAX ? INT_MAX : other) : value;
}

static struct image_fit make_fit(const struct image *image, enum image_way way, int net_w,
                                 int net_h)
{
    struct image_fit fit = {.image_w = image->w,
                            .image_h = image->h,
                            .net_w = net_w,
                            .net_h = net_h,
                            .inner_w = net_w,
                            .inner_h = net_h};
    if (way == IMAGE_STRETCH) {
        return fit;
    }
    if (way == IMAGE_CROP) {
        fit.inner_w = at_least(net_w, (long long)image->w * net_h / image->h);
        fit.inner_h = at_least(net_h, (long long)image->h * net_w / image->w);
        fit.offset_x = -((fit.inner_w - net_w) / 2);
        fit.offset_y = -((fit.inner_h - net_h) / 2);
        return fit;
    }
    if ((float)net_w / (float)image->w < (float)net_h / (float)image->h) {
        fit.inner_h = (int)((long long)image->h * net_w / image->w);
    } else {
        fit.inner_w = (int)((long long)image->w * net_h / image->h);
    }
    /* A picture thinner than a pixel of the input still gets one; the division in float may round
     * up. */
    fit.inner_w = fit.inner_w < 1 ? 1 : fit.inner_w > net_w ? net_w : fit.inner_w;
    fit.inner_h = fit.inner_h < 1 ? 1 : fit.inner_h > net_h ? net_h : fit.inner_h;
    fit.offset_x = (net_w - fit.inner_w) / 2;
    fit.offset_y = (net_h - fit.inner_h) / 2;
    return fit;
}

static void fill_grey(const struct tensor *t, int n, int y, int x1, int x2)
{
    for (int x = x1; x < x2; x++) {
        float *pixel = tensor_at(t, n, y, x);
        for (int k = 0; k < t->c; k++) {
            pixel[k] = 0.5f;
        }
    }
}

static void store_row(const float *dense, const struct tensor *t, int count, float *out)
{
    for (int x = 0; x < count; x++) {
        for (int k = 0; k < t->c; k++) {
            out[(size_t)x * t->stride + (size_t)k] = dense[x * t->c + k];
        }
    }
}

enum result image_check_channels(int channels, struct error *err)
{
    if (channels != 3 && channels != 1) {
        return error_set(err, ERR_UNSUPPORTED, "pictures have 3 channels or 1, not %d", channels);
    }
    return OK;
}

enum result image_to_input(const struct image *image, enum image_way way,
                           const struct tensor *input, int n, struct image_fit *fit,
                           struct error *err)
{
    assert((input->c == 3 || input->c == 1) && n >= 0 && n < input->n);
    *fit = make_fit(image, way, input->w, input->h);
    bool crops = way == IMAGE_CROP;
    int left = crops ? 0 : fit->offset_x, top = crops ? 0 : fit->offset_y;
    struct resampler r = {.image = image,
                          .w = crops ? input->w : fit->inner_w,
                          .h = crops ? input->h : fit->inner_h,
                          .c = input->c,
                          .whole_w = fit->inner_w,
                          .whole_h = fit->inner_h,
                          .skip_x = left - fit->offset_x,
                          .skip_y = top - fit->offset_y,
                          .divisor = 255.0f};
    TRY(resampler_open(&r, err));
    bool dense = input->stride == (size_t)input->c;
    float *row = NULL;
    if (!dense) {
        row = mem_alloc_raw((size_t)r.w * (size_t)r.c, sizeof *row);
        if (!row) {
            mem_free(r.block);
            return mem_error(err, "resizing a picture");
        }
    }
    for (int y = 0; y < input->h; y++) {
        int inner_y = y - top;
        if (inner_y < 0 || inner_y >= r.h) {
            fill_grey(input, n, y, 0, input->w);
            continue;
        }
        fill_grey(input, n, y, 0, left);
        float *out = tensor_at(input, n, y, left);
        output_row(&r, inner_y, dense ? out : row);
        if (!dense) {
            store_row(row, input, r.w, out);
        }
        fill_grey(input, n, y, left + r.w, input->w);
    }
    mem_free(row);
    mem_free(r.block);
    return OK;
}

enum result image_resize(const struct image *image, int w, int h, struct image *out,
                         struct error *err)
{
    TRY(image_new(w, h, out, err));
    struct resampler r = {
        .image = image, .w = w, .h = h, .c = 3, .whole_w = w, .whole_h = h, .divisor = 1.0f};
    size_t count = (size_t)w * 3;
    float *row = mem_alloc_raw(count, sizeof *row);
    enum result result = row ? resampler_open(&r, err) : mem_error(err, "resizing a picture");
    for (int y = 0; result == OK && y < h; y++) {
        output_row(&r, y, row);
        unsigned char *bytes = out->rgb + (size_t)y * count;
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (unsigned char)(int)(row[i] + 0.5f);
        }
    }
    mem_free(row);
    mem_free(r.block);
    if (result != OK) {
        image_free(out);
    }
    return result;
}
