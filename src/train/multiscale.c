#include "train/multiscale.h"

#include "base/rng.h"

enum { RESIZE_EVERY = 10 };

static float factor_of(const struct multiscale *m)
{
    return m->random == 1.0f ? 1.4f : m->random;
}

static int next_multiple(int base, float r, int step)
{
    return ((int)(r * (float)base / (float)step) + 1) * step;
}

static int scaled_size(int base, float r, float factor, int step)
{
    int size = next_multiple(base, r, step), most = next_multiple(base, factor, step);
    if (r < 1.0f && size > base) {
        size = base;
    }
    size = size > most ? most : size;
    return size < step ? step : size;
}

void multiscale_size(const struct multiscale *m, uint64_t update, int *w, int *h)
{
    *w = m->base_w;
    *h = m->base_h;
    if (!(m->random > 0.0f)) {
        return;
    }
    float factor = factor_of(m);
    struct rng rng = rng_make(m->seed, 0x73697a65 /* "size" */, update / RESIZE_EVERY);
    float r = factor > 1.0f ? rng_uniform(&rng, 1.0f, factor) : rng_uniform(&rng, factor, 1.0f);
    r = rng_next(&rng) >> 63 ? r : 1.0f / r;
    *w = scaled_size(m->base_w, r, factor, m->step);
    *h = scaled_size(m->base_h, r, factor, m->step);
}

double multiscale_growth(const struct multiscale *m)
{
    if (!(m->random > 0.0f)) {
        return 1.0;
    }
    float factor = factor_of(m);
    double pixels = (double)next_multiple(m->base_w, factor, m->step) *
                    (double)next_multiple(m->base_h, factor, m->step);
    double growth = pixels / ((double)m->base_w * (double)m->base_h);
    return growth > 1.0 ? growth : 1.0;
}
