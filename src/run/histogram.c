#include "run/histogram.h"

#include <math.h>

enum { HALF = HISTOGRAM_BINS / 2, STEPS = 64 };

/* A full bin stays full. */
static uint32_t sum(uint32_t a, uint32_t b)
{
    return a < UINT32_MAX - b ? a + b : UINT32_MAX;
}

/* Twice the reach: bins are joined in pairs, towards the middle. */
static void widen(struct histogram *h)
{
    for (int i = 0; i < HALF / 2; i++) {
        h->bins[HALF + i] = sum(h->bins[HALF + 2 * i], h->bins[HALF + 2 * i + 1]);
        h->bins[HALF - 1 - i] = sum(h->bins[HALF - 1 - 2 * i], h->bins[HALF - 2 - 2 * i]);
    }
    for (int i = HALF / 2; i < HALF; i++) {
        h->bins[HALF + i] = h->bins[HALF - 1 - i] = 0;
    }
    h->reach *= 2.0f;
}

static void reach_out(struct histogram *h, float size)
{
    if (h->reach <= 0.0f) {
        int exponent;
        frexpf(size, &exponent);
        h->reach = ldexpf(1.0f, exponent); /* above size */
        h->bins[HALF] = h->zeros;
    }
    while (size >= h->reach) {
        widen(h);
    }
}

static void add(struct histogram *h, float x)
{
    float size = fabsf(x);
    if (!(size < 1e30f)) {
        return;
    }
    if (size > 0.0f && size >= h->reach) {
        reach_out(h, size);
    }
    uint32_t *bin = &h->zeros;
    if (h->reach > 0.0f) {
        bin = &h->bins[HALF + (int)floorf(x / h->reach * HALF)];
    }
    *bin = sum(*bin, 1);
    h->least = x < h->least ? x : h->least;
    h->most = x > h->most ? x : h->most;
}

void histogram_add(struct histogram *h, const struct tensor *t)
{
    size_t pixels = tensor_pixels(t);
    for (size_t p = 0; p < pixels; p++) {
        const float *values = t->data + p * t->stride;
        for (int c = 0; c < t->c; c++) {
            add(&h[c], values[c]);
        }
    }
}

static double middle(const struct histogram *h, int bin)
{
    return (bin - HALF + 0.5) * (double)h->reach / HALF;
}

static double error_of(const struct histogram *h, double low, double high)
{
    double step = (high - low) / 255, inside = 0, error = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        double x = middle(h, i), beyond = x < low ? low - x : x > high ? x - high : 0;
        error += h->bins[i] * beyond * beyond;
        inside += h->bins[i];
    }
    return error + inside * step * step / 12;
}

void histogram_range(const struct histogram *h, double *low, double *high)
{
    double least = (double)h->least, most = (double)h->most;
    *low = least;
    *high = most;
    double best = error_of(h, least, most);
    for (int i = 1; i < STEPS; i++) {
        double tried = most * i / STEPS, error = error_of(h, least, tried);
        if (tried > least && error < best) {
            best = error;
            *high = tried;
        }
    }
    for (int i = 0; i < STEPS; i++) {
        double tried = least * i / STEPS, error = error_of(h, tried, *high);
        if (tried < *high && error < best) {
            best = error;
            *low = tried;
        }
    }
}
