/* What the classes look like. */
#ifndef SYNTH_MODELS_H
#define SYNTH_MODELS_H

#include "base/rng.h"
#include "synth/shapes.h"
#include "synth/request.h"

/* An object of the class, about `size` in half its extent, with random proportions, pose and
 * materials, standing on the table's z = 0 at the origin. object->class_id is set; bounds and
 * footprint, too. */
void model_make(enum synth_set set, int class_id, float size, struct rng *rng,
                struct object *object);

/* Move a finished object along the table: the middle of its bound comes to lie above the point. */
void model_put(struct object *object, struct vec3 point);

/* A colour as objects have it, in linear RGB; a third of them muted. */
struct vec3 color_random(struct rng *rng);

/* Hue in turns, saturation and value of the sRGB colour; the result is linear. */
struct vec3 color_hsv(float hue, float saturation, float value);

/* class_id from 0 to SYNTH_CLASSES - 1. */
const char *synth_class_name(enum synth_set set, int class_id);

#endif
