#include "kernels/fold.h"

#include <stdbool.h>

size_t fold_count(size_t image_pixels, size_t channels)
{
    for (size_t count = 1; channels > 0 && count * channels <= FOLD_CHANNELS; count *= 2) {
        if (count * channels % FOLD_VECTOR == 0) {
            return image_pixels > 0 && image_pixels % count == 0 ? count : 1;
        }
    }
    return 1;
}

static bool is_dense(const struct tensor *t)
{
    return t->stride == (size_t)t->c;
}

size_t fold_of(const struct tensor *a, const struct tensor *b, const struct tensor *c)
{
    if (!is_dense(a) || !is_dense(b) || !is_dense(c)) {
        return 1;
    }
    return fold_count((size_t)a->h * (size_t)a->w, (size_t)a->c);
}

struct tensor fold_tensor(const struct tensor *t, size_t count)
{
    struct tensor folded = *t;
    if (count > 1) {
        folded.w = (int)((size_t)t->h * (size_t)t->w / count);
        folded.h = 1;
        folded.c = t->c * (int)count;
        folded.stride = t->stride * count;
    }
    return folded;
}

const float *fold_repeat(const float *values, size_t channels, size_t count, float *to)
{
    if (!values || count == 1) {
        return values;
    }
    for (size_t i = 0; i < count * channels; i++) {
        to[i] = values[i % channels];
    }
    return to;
}

void fold_sums(double *sums, size_t channels, size_t count)
{
    for (size_t i = channels; i < count * channels; i++) {
        sums[i % channels] += sums[i];
    }
}
