/* A view of a picture: a rectangle of it (which may reach outside), perhaps mirrored, stretched over the
 * network's input; and a region of the input that shows a part of the view.
 *
 *   picture            view stretched to net_w x net_h       output
 *   +---------------+  +-----------+                         +-----+-----+
 *   |   +-------+   |  |     +.....|  (from_x, from_y)       |     |     |
 *   |   | view  |   |  |     :     |  ------------------>    +-----+.....|  region at (x, y), w x h
 *   |   +-------+   |  |     :     |                         |     :     |
 *   +---------------+  +-----------+                         +-----+-----+
 *
 * Pixel centres stand at half integers: input pixel i of n shows left + (i + 0.5) * w / n of the picture. */
#ifndef DATA_VIEW_H
#define DATA_VIEW_H

#include <stdbool.h>

#include "base/error.h"
#include "data/distort.h"
#include "data/image.h"
#include "kernels/tensor.h"
#include "layers/box.h"

struct view {
    int image_w, image_h;
    int net_w, net_h;
    float left, top, w, h; /* pixels of the picture */
    bool flip;
};

struct region {
    int x, y, w, h;
    int from_x, from_y;
};

/* The box of a picture as fractions of the output, clipped to the region. False if nothing is left of it:
 * less than a pixel wide or high. */
bool view_box(const struct view *view, const struct region *region,
              const struct box_cxcywh_norm *box, struct box_cxcywh_norm *out);

/* Floats of scratch that view_render needs. */
size_t view_scratch(const struct view *view, const struct region *region);

/* Fill the region of image n of the dense output (c = 3 or 1) with values in [0, 1]: bilinear, colours distorted;
 * outside of the picture its mean colour (over a grid of its pixels). */
void view_render(const struct view *view, const struct region *region, const struct image *image,
                 const struct distortion *colors, const struct tensor *output, int n,
                 float *scratch);

#endif
