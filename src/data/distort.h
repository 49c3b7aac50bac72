/* What happens to pixel values: colours, blur, noise. */
#ifndef DATA_DISTORT_H
#define DATA_DISTORT_H

#include <stdbool.h>

#include "base/rng.h"
#include "kernels/tensor.h"
#include "layers/box.h"

/* In the HSV cone (Smith 1978): hue is turned, saturation and value multiplied, at most 1. */
struct distortion {
    float hue;                  /* turns, in [-0.5, 0.5]; 0: none */
    float saturation, exposure; /* factors; 1: none */
};

/* One row of planar pixels with values in [0, 1], in place. */
void distort_colors(const struct distortion *d, int count, float *r, float *g, float *b);

/* Such a row as `count` pixels of a dense tensor with 3 channels or 1, clamped to [0, 1]. One channel is weighted as by
 * image_to_input. */
void distort_store_row(const float *r, const float *g, const float *b, int count, int channels,
                       float *out);

/* A rectangle of image n of a dense tensor. */
struct patch {
    const struct tensor *tensor;
    int n, x, y, w, h;
};

/* Floats of scratch that distort_blur needs. */
size_t distort_blur_scratch(const struct patch *patch, int kernel);

/* Gaussian blur with an odd kernel up to DISTORT_MAX_KERNEL wide, sigma = 0.3 ((kernel - 1) / 2 - 1) + 0.8,
 * edges repeated. Pixels whose centre lies in one of the boxes (fractions of the tensor) stay as they are. */
enum { DISTORT_MAX_KERNEL = 127 };
void distort_blur(const struct patch *patch, int kernel, const struct truth *sharp,
                  size_t sharp_count, float *scratch);

/* Adds normal noise of the given deviation to every value, clamped to [0, 1]. scratch: [DISTORT_NOISE_FLOATS] */
enum { DISTORT_NOISE_FLOATS = 4096 };
void distort_noise(const struct patch *patch, float deviation, struct rng *rng, float *scratch);

#endif
