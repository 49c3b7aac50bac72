#include "data/distort.h"

#include <math.h>
#include <string.h>

/* ---- colours ---- */

static inline float wrap6(float h)
{
    h = h < 0 ? h + 6 : h;
    return h >= 6 ? h - 6 : h;
}

/* One channel from hue in sixths: value at the top of its trapezium, value * (1 - saturation) at
 * the bottom. */
static inline float channel(float hue, float shift, float value, float chroma)
{
    float k = wrap6(hue + shift);
    float down = 4 - k;
    float t = k < down ? k : down;
    t = t < 1 ? t : 1;
    t = t > 0 ? t : 0;
    return value - chroma * t;
}

/* No branches: the compiler makes vectors of it. */
void distort_colors(const struct distortion *d, int count, float *restrict r, float *restrict g,
                    float *restrict b)
{
    if (d->hue == 0 && d->saturation == 1 && d->exposure == 1) {
        return;
    }
    float turn = 6 * d->hue;
    float more_saturation = d->saturation;
    float more_value = d->exposure;
    for (int i = 0; i < count; i++) {
        float red = r[i];
        float green = g[i];
        float blue = b[i];
        float high = red > green ? red : green;
        high = high > blue ? high : blue;
        float low = red < green ? red : green;
        low = low < blue ? low : blue;
        float chroma = high - low;
        float scale = 1.0f / (chroma > 0 ? chroma : 1.0f);
        float by_red = (green - blue) * scale;
        float by_green = 2 + (blue - red) * scale;
        float by_blue = 4 + (red - green) * scale;
        float hue = high == green ? by_green : by_blue;
        hue = high == red ? by_red : hue;
        hue = wrap6(hue + turn);
        float saturation = chroma / (high > 0 ? high : 1.0f) * more_saturation;
        saturation = saturation < 1 ? saturation : 1;
        float value = high * more_value;
        value = value < 1 ? value : 1;
        chroma = value * saturation;
        r[i] = channel(hue, 5, value, chroma);
        g[i] = channel(hue, 3, value, chroma);
        b[i] = channel(hue, 1, value, chroma);
    }
}

/* Rounding may leave [0, 1] by a digit. */
static inline float unit(float v)
{
    v = v > 0 ? v : 0;
    return v < 1 ? v : 1;
}

void distort_store_row(const float *restrict r, const float *restrict g, const float *restrict b,
                       int count, int channels, float *restrict out)
{
    if (channels == 1) {
        for (int i = 0; i < count; i++) {
            out[i] = unit((77 * r[i] + 150 * g[i] + 29 * b[i]) / 256);
        }
        return;
    }
    for (int i = 0; i < count; i++) {
        out[3 * (size_t)i] = unit(r[i]);
        out[3 * (size_t)i + 1] = unit(g[i]);
        out[3 * (size_t)i + 2] = unit(b[i]);
    }
}

/* ---- blur ---- */

static void fill_kernel(float *weights, int kernel)
{
    double middle = (kernel - 1) / 2;
    double sigma = 0.3 * (middle - 1) + 0.8;
    double sum = 0;
    double values[DISTORT_MAX_KERNEL];
    for (int i = 0; i < kernel; i++) {
        values[i] = exp(-(i - middle) * (i - middle) / (2 * sigma * sigma));
        sum += values[i];
    }
    for (int i = 0; i < kernel; i++) {
        weights[i] = (float)(values[i] / sum);
    }
}

static void add_scaled(float *restrict out, const float *restrict in, float weight, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] += weight * in[i];
    }
}

static float *patch_row(const struct patch *p, int y)
{
    return tensor_at(p->tensor, p->n, p->y + y, p->x);
}

/* Rows of the patch, blurred across, into out[h][w * c]; `wide` holds one row with its repeated
 * edges. */
static void blur_across(const struct patch *p, const float *weights, int kernel, float *wide,
                        float *out)
{
    size_t c = (size_t)p->tensor->c;
    size_t count = (size_t)p->w * c;
    size_t reach = (size_t)kernel / 2;
    memset(out, 0, (size_t)p->h * count * sizeof *out);
    for (int y = 0; y < p->h; y++) {
        const float *row = patch_row(p, y);
        for (size_t i = 0; i < reach; i++) {
            memcpy(wide + i * c, row, c * sizeof *row);
            memcpy(wide + reach * c + count + i * c, row + count - c, c * sizeof *row);
        }
        memcpy(wide + reach * c, row, count * sizeof *row);
        for (int k = 0; k < kernel; k++) {
            add_scaled(out + (size_t)y * count, wide + (size_t)k * c, weights[k], count);
        }
    }
}

/* Write a row where no box keeps it sharp. */
static void store_blurred(const struct patch *p, int y, const float *row, const struct truth *sharp,
                          size_t sharp_count)
{
    const struct tensor *t = p->tensor;
    float cy = ((float)(p->y + y) + 0.5f) / (float)t->h;
    float *out = patch_row(p, y);
    for (int x = 0; x < p->w; x++) {
        float cx = ((float)(p->x + x) + 0.5f) / (float)t->w;
        bool keep = false;
        for (size_t i = 0; i < sharp_count && !keep; i++) {
            const struct box_cxcywh_norm *box = &sharp[i].box;
            keep = fabsf(cx - box->cx) <= box->w / 2 && fabsf(cy - box->cy) <= box->h / 2;
        }
        for (int k = 0; !keep && k < t->c; k++) {
            float v = row[x * t->c + k]; /* >= 0; the weights' sum may be a digit over 1 */
            out[x * t->c + k] = v < 1 ? v : 1;
        }
    }
}

size_t distort_blur_scratch(const struct patch *p, int kernel)
{
    size_t row = (size_t)p->w * (size_t)p->tensor->c;
    return row * ((size_t)p->h + 2) + (size_t)(kernel * p->tensor->c);
}

void distort_blur(const struct patch *p, int kernel, const struct truth *sharp, size_t sharp_count,
                  float *scratch)
{
    float weights[DISTORT_MAX_KERNEL];
    fill_kernel(weights, kernel);
    size_t count = (size_t)p->w * (size_t)p->tensor->c;
    float *across = scratch;
    float *row = across + (size_t)p->h * count;
    float *wide = row + count;
    blur_across(p, weights, kernel, wide, across);
    for (int y = 0; y < p->h; y++) {
        memset(row, 0, count * sizeof *row);
        for (int k = 0; k < kernel; k++) {
            int from = y + k - kernel / 2;
            from = from < 0 ? 0 : from >= p->h ? p->h - 1 : from;
            add_scaled(row, across + (size_t)from * count, weights[k], count);
        }
        store_blurred(p, y, row, sharp, sharp_count);
    }
}

/* ---- noise ---- */

/* Values are picked from a table of normal numbers: an exact one for each would cost more than all
 * the rest of the sample. */
void distort_noise(const struct patch *p, float deviation, struct rng *rng, float *scratch)
{
    for (int i = 0; i < DISTORT_NOISE_FLOATS; i++) {
        scratch[i] = deviation * rng_normal(rng);
    }
    int count = p->w * p->tensor->c;
    for (int y = 0; y < p->h; y++) {
        float *row = patch_row(p, y);
        uint64_t bits = 0;
        for (int i = 0; i < count; i++) {
            bits = i % 5 == 0 ? rng_next(rng)
                              : bits >> 12; /* 12 bits a value: the size of the table */
            float v = row[i] + scratch[bits % DISTORT_NOISE_FLOATS];
            v = v < 0 ? 0 : v;
            row[i] = v > 1 ? 1 : v;
        }
    }
}
