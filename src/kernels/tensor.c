#include "kernels/tensor.h"

/* Channels moved together: a cache line of the channels-last side, few streams on the planar one.
 */
enum { PLANES = 16 };

static int planes_from(const struct tensor *t, int first)
{
    int left = t->c - first;
    return left < PLANES ? left : PLANES;
}

void tensor_to_planar(const struct tensor *t, int image, float *planar)
{
    size_t pixels = (size_t)t->h * (size_t)t->w;
    for (int first = 0; first < t->c; first += PLANES) {
        const float *src = tensor_at(t, image, 0, 0) + first;
        float *dst = planar + (size_t)first * pixels;
        int count = planes_from(t, first);
        for (size_t p = 0; p < pixels; p++) {
            for (int c = 0; c < count; c++) {
                dst[(size_t)c * pixels + p] = src[p * t->stride + (size_t)c];
            }
        }
    }
}

void tensor_from_planar(struct tensor *t, int image, const float *planar)
{
    size_t pixels = (size_t)t->h * (size_t)t->w;
    for (int first = 0; first < t->c; first += PLANES) {
        const float *src = planar + (size_t)first * pixels;
        float *dst = tensor_at(t, image, 0, 0) + first;
        int count = planes_from(t, first);
        for (size_t p = 0; p < pixels; p++) {
            for (int c = 0; c < count; c++) {
                dst[p * t->stride + (size_t)c] = src[(size_t)c * pixels + p];
            }
        }
    }
}
