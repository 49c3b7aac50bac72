/* Pictures that have the statistics of photographs and nothing on them: amplitudes that fall as 1/f
 * over a picture, edges of things that hide one another at all sizes ("dead leaves", Lee, Mumford &
 * Huang 2001), muted colours about orange and blue, skies, grounds in perspective, foliage, limbed
 * figures, spoked rings, grids. For a detector to learn what its classes are not. */
#ifndef SYNTH_PHOTO_H
#define SYNTH_PHOTO_H

#include "base/rng.h"
#include "synth/texture.h"
#include "synth/vec.h"

/* Fills out[h][w] with linear light in 0 .. 1. A function of w, h and the state of rng. */
void photo_paint(const struct textures *textures, int w, int h, struct rng *rng, struct vec3 *out);

#endif
