/* A classifier's view of a picture: a square of it, scaled, turned, perhaps mirrored, from which the network's input is
 * sampled. Ranges are Darknet's (darknet-spec 8.7). Differences: the aspect multiplies the width both where the scale
 * is settled and where pixels are fetched (Darknet divides at the second place, so crops of wide pictures may show
 * what lies outside); pixel centres stand at half integers; the square is sampled at the input's size at once. */
#ifndef DATA_CROP_H
#define DATA_CROP_H

#include <stdbool.h>

#include "base/rng.h"
#include "data/distort.h"
#include "data/image.h"
#include "kernels/tensor.h"

struct crop_options {
    float angle;  /* degrees, either way */
    float aspect; /* the width is stretched by up to so much, or as much less */
    int min_crop,
        max_crop; /* pixels that the shorter side of the stretched picture gets; 1 or more */
};

/* Pixel centre (x, y) of the input shows picture place a * (x, y, 1). */
struct crop {
    float a[2][3];
};

/* Draw one for a picture of w x h and an input of net_w x net_h, mirrored or not. */
struct crop crop_draw(const struct crop_options *options, struct rng *rng, int w, int h, int net_w,
                      int net_h, bool flip);

/* Floats of scratch that crop_render needs for rows of w pixels. */
size_t crop_scratch(int w);

/* Fill image n of the dense output (c = 3 or 1) with values in [0, 1]: bilinear, colours distorted, 0 outside of the
 * picture. */
void crop_render(const struct crop *crop, const struct image *image,
                 const struct distortion *colors, const struct tensor *output, int n,
                 float *scratch);

#endif
