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

/* Move a finished object. */
void model_move(struct object *object, struct vec3 by);

/* A colour as objects have it, in linear RGB; a third of them muted. */
struct vec3 color_random(struct rng *rng);

/* Hue in turns, saturation and value of the sRGB colour; the result is linear. */
struct vec3 color_hsv(float hue, float saturation, float value);

/* Names of a set's classes, class_id from 0. */
int synth_class_count(enum synth_set set);
const char *synth_class_name(enum synth_set set, int class_id);

#endif
