#include <stddef.h>

#include "synth/render.h"

enum { CURVE_SIZE = 4096, MAX_TAPS = 24 };

static float luminance(struct vec3 c)
{
    return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z;
}

/* ---- defocus ---- */

/* Radius in pixels of the disc into which a thin lens spreads a point at distance t. */
static float spread_of(const struct development *d, float t)
{
    return lesser(d->blur * fabsf(1 - d->focus / t), 2 * d->blur);
}

struct taps {
    float x[MAX_TAPS], y[MAX_TAPS];
};

static struct vec3 gather(const struct scene *scene, const struct canvas *canvas,
                          const struct taps *taps, int x, int y)
{
    const struct development *d = &scene->development;
    size_t at = (size_t)y * (size_t)canvas->w + (size_t)x;
    float own = canvas->met[at].t, radius = spread_of(d, own);
    struct vec3 sum = canvas->light[at];
    if (!(radius > 0.6f)) {
        return sum;
    }
    float total = 1;
    int step = radius < 1.5f ? 3 : 1;
    for (int i = 0; i < MAX_TAPS; i += step) {
        int tx = (int)floorf((float)x + 0.5f + taps->x[i] * radius);
        int ty = (int)floorf((float)y + 0.5f + taps->y[i] * radius);
        if (tx < 0 || tx >= canvas->w || ty < 0 || ty >= canvas->h) {
            continue;
        }
        size_t there = (size_t)ty * (size_t)canvas->w + (size_t)tx;
        float t = canvas->met[there].t;
        /* What is sharp in front does not spread over what is behind it. */
        if (t < own * 0.97f && spread_of(d, t) < hypotf(taps->x[i], taps->y[i]) * radius) {
            continue;
        }
        sum = vec_add(sum, canvas->light[there]);
        total += 1;
    }
    return vec_scale(sum, 1 / total);
}

static void defocus(const struct scene *scene, struct canvas *canvas)
{
    struct taps taps;
    for (int i = 0; i < MAX_TAPS; i++) {
        float radius = sqrtf(((float)i + 0.5f) / MAX_TAPS), angle = (float)i * 2.3999632f;
        taps.x[i] = radius * cosf(angle);
        taps.y[i] = radius * sinf(angle);
    }
    for (int y = 0; y < canvas->h; y++) {
        for (int x = 0; x < canvas->w; x++) {
            canvas->blurred[(size_t)y * (size_t)canvas->w + (size_t)x] =
                gather(scene, canvas, &taps, x, y);
        }
    }
}

/* ---- tone ---- */

/* By the geometric mean of the luminance: highlights hardly count. */
float find_exposure(const struct scene *scene, const struct vec3 *light)
{
    float sum = 0;
    int count = 0;
    for (int y = 2; y < scene->h; y += 4) {
        for (int x = 2; x < scene->w; x += 4) {
            sum += logf(luminance(light[(size_t)y * (size_t)scene->w + (size_t)x]) + 0.02f);
            count++;
        }
    }
    return scene->development.exposure / expf(sum / (float)count);
}

/* From the shoulder's output in [0, 1] to 8 bits: sRGB's curve (IEC 61966-2-1). */
static void fill_curve(float *curve)
{
    for (int i = 0; i < CURVE_SIZE; i++) {
        float x = (float)i / (CURVE_SIZE - 1);
        float y = x <= 0.0031308f ? 12.92f * x : 1.055f * powf(x, 1 / 2.4f) - 0.055f;
        curve[i] = y * 255;
    }
}

/* A film's shoulder (Narkowicz' fit of the ACES curve). */
static float shoulder(float x)
{
    return clamp01(x * (2.51f * x + 0.03f) / (x * (2.43f * x + 0.59f) + 0.14f));
}

static uint32_t hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

/* Three values of about normal distribution and deviation 1, sharing most of it: grain is mostly
 * grey. */
static void grain(uint32_t seed, float *out)
{
    uint32_t a = hash(seed), b = hash(a ^ 0x9e3779b9u);
    float grey = (float)(a & 0xff) + (float)(a >> 8 & 0xff) + (float)(a >> 16 & 0xff) +
                 (float)(a >> 24) - 510;
    for (int i = 0; i < 3; i++) {
        float own = (float)(b >> (i * 10) & 0x1f) + (float)(b >> (i * 10 + 5) & 0x1f) - 31;
        out[i] = grey * (0.85f / 148) + own * (0.5f / 13);
    }
}

static unsigned char to_byte(float x)
{
    return (unsigned char)(greater(0, lesser(255, x)) + 0.5f);
}

void develop(const struct scene *scene, struct canvas *canvas, struct image *image)
{
    const struct development *d = &scene->development;
    const struct vec3 *light = canvas->light;
    if (d->blur > 0) {
        defocus(scene, canvas);
        light = canvas->blurred;
    }
    float curve[CURVE_SIZE];
    fill_curve(curve);
    float exposure = find_exposure(scene, light);
    float mid_x = (float)scene->w / 2, mid_y = (float)scene->h / 2;
    float corner = 1 / (mid_x * mid_x + mid_y * mid_y);
    for (int y = 0; y < scene->h; y++) {
        for (int x = 0; x < scene->w; x++) {
            size_t at = (size_t)y * (size_t)scene->w + (size_t)x;
            float dx = (float)x + 0.5f - mid_x, dy = (float)y + 0.5f - mid_y;
            float gain = exposure * (1 - d->vignette * (dx * dx + dy * dy) * corner);
            struct vec3 c = vec_scale(light[at], gain);
            float grey = luminance(c);
            c = vec_mix((struct vec3){grey, grey, grey}, c, d->saturation);
            const float rgb[3] = {c.x, c.y, c.z};
            float noise[3];
            grain((uint32_t)at * 0x9e3779b1u ^ d->seed, noise);
            for (int i = 0; i < 3; i++) {
                float tone = shoulder(greater(0, rgb[i])) * (CURVE_SIZE - 1);
                image->rgb[at * 3 + (size_t)i] =
                    to_byte(curve[(int)(tone + 0.5f)] + noise[i] * d->noise * 255);
            }
        }
    }
}
