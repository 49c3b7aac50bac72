#include "data/crop.h"

#include <math.h>

struct crop crop_draw(const struct crop_options *options, struct rng *rng, int w, int h, int net_w,
                      int net_h, bool flip)
{
    static const float radian = 0.017453292519943295f;
    float limit = options->aspect > 0 ? fmaxf(options->aspect, 1 / options->aspect) : 1;
    float aspect = rng_uniform(rng, 1, limit);
    aspect = rng_next(rng) >> 63 ? aspect : 1 / aspect;
    int span = options->max_crop - options->min_crop;
    int shorter = options->min_crop + (span > 0 ? (int)rng_below(rng, (uint64_t)span + 1) : 0);
    float angle = rng_uniform(rng, -options->angle, options->angle) * radian;
    float fw = (float)w, fh = (float)h;
    float scale = (float)shorter / fminf(fw * aspect, fh);
    float side = (float)(net_w > net_h ? net_w : net_h);
    float room_x = fmaxf(fw * aspect * scale - side, 0) / 2;
    float room_y = fmaxf(fh * scale - side, 0) / 2;
    float dx = rng_uniform(rng, -room_x, room_x);
    float dy = rng_uniform(rng, -room_y, room_y);
    /* Input pixels to the square around its middle, that turned around the picture's middle. */
    float step_x = side / (float)net_w * (flip ? -1.0f : 1.0f);
    float step_y = side / (float)net_h;
    float first_x = dx + (flip ? side / 2 : -side / 2);
    float first_y = dy - side / 2;
    float c = cosf(angle), s = sinf(angle);
    float wide = scale * aspect;
    return (struct crop){
        {{c * step_x / wide, -s * step_y / wide, (c * first_x - s * first_y) / wide + fw / 2},
         {s * step_x / scale, c * step_y / scale, (s * first_x + c * first_y) / scale + fh / 2}}};
}

size_t crop_scratch(int w)
{
    return 3 * (size_t)w;
}

/* Pixel (x, y), black outside. */
static const unsigned char *pixel_at(const struct image *image, int x, int y)
{
    static const unsigned char black[3];
    bool is_inside = x >= 0 && y >= 0 && x < image->w && y < image->h;
    return is_inside ? image->rgb + 3 * ((size_t)y * (size_t)image->w + (size_t)x) : black;
}

static void sample(const struct image *image, float x, float y, float *r, float *g, float *b)
{
    float *const out[3] = {r, g, b};
    /* Farther out nothing is to be seen, and the numbers may not fit an int. */
    if (!(x > -1) || !(y > -1) || !(x < (float)image->w) || !(y < (float)image->h)) {
        *r = *g = *b = 0;
        return;
    }
    float left = floorf(x), top = floorf(y);
    float right_part = x - left, low_part = y - top;
    const unsigned char *p[4];
    for (int i = 0; i < 4; i++) {
        p[i] = pixel_at(image, (int)left + i % 2, (int)top + i / 2);
    }
    for (int k = 0; k < 3; k++) {
        float high = (1 - right_part) * (float)p[0][k] + right_part * (float)p[1][k];
        float low = (1 - right_part) * (float)p[2][k] + right_part * (float)p[3][k];
        *out[k] = ((1 - low_part) * high + low_part * low) / 255;
    }
}

void crop_render(const struct crop *crop, const struct image *image,
                 const struct distortion *colors, const struct tensor *output, int n,
                 float *scratch)
{
    int w = output->w;
    float *r = scratch, *g = scratch + w, *b = scratch + 2 * (size_t)w;
    for (int row = 0; row < output->h; row++) {
        float v = (float)row + 0.5f;
        for (int i = 0; i < w; i++) {
            float u = (float)i + 0.5f;
            float x = crop->a[0][0] * u + crop->a[0][1] * v + crop->a[0][2];
            float y = crop->a[1][0] * u + crop->a[1][1] * v + crop->a[1][2];
            sample(image, x - 0.5f, y - 0.5f, &r[i], &g[i], &b[i]);
        }
        distort_colors(colors, w, r, g, b);
        distort_store_row(r, g, b, w, output->c, tensor_at(output, n, row, 0));
    }
}
