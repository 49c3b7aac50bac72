#include "run/histogram.h"

#include <math.h>

enum { HALF = HISTOGRAM_BINS / 2, STEPS = 64 };

/* Twice the reach: bins are joined in pairs, towards the middle. */
static void widen(struct histogram *h)
{
    for (int i = 0; i < HALF / 2; i++) {
        h->bins[HALF + i] = h->bins[HALF + 2 * i] + h->bins[HALF + 2 * i + 1];
        h->bins[HALF - 1 - i] = h->bins[HALF - 1 - 2 * i] + h->bins[HALF - 2 - 2 * i];
    }
    for (int i = HALF / 2; i < HALF; i++) {
        h->bins[HALF + i] = h->bins[HALF - 1 - i] = 0.0;
    }
    h->reach *= 2.0f;
}

static void reach_out(struct histogram *h, float size)
{
    if (h->reach <= 0.0f) {
        int exponent;
        frexpf(size, &exponent);
        h->reach = ldexpf(1.0f, exponent); /* above size */
        h->bins[HALF] = h->count;          /* the zeros so far */
    }
    while (size >= h->reach) {
        widen(h);
    }
}

void histogram_add(struct histogram *h, const struct tensor *t)
{
    size_t pixels = tensor_pixels(t);
    for (size_t p = 0; p < pixels; p++) {
        const float *values = t->data + p * t->stride;
        for (int c = 0; c < t->c; c++) {
            float x = values[c], size = fabsf(x);
            if (!(size < 1e30f)) {
                continue;
            }
            if (size > 0.0f && size >= h->reach) {
                reach_out(h, size);
            }
            if (h->reach > 0.0f) {
                int bin = HALF + (int)floorf(x / h->reach * HALF);
                h->bins[bin] += 1.0;
            }
            h->count += 1.0;
            h->least = x < h->least ? x : h->least;
            h->most = x > h->most ? x : h->most;
        }
    }
}

static double middle(const struct histogram *h, int bin)
{
    return (bin - HALF + 0.5) * (double)h->reach / HALF;
}

static double error_of(const struct histogram *h, double low, double high)
{
    double step = (high - low) / 255, inside = 0, sum = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        double x = middle(h, i), beyond = x < low ? low - x : x > high ? x - high : 0;
        sum += h->bins[i] * beyond * beyond;
        inside += h->bins[i];
    }
    return sum + inside * step * step / 12;
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
