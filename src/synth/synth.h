/* Pictures with exact labels out of nothing: tabletop scenes of simple objects, drawn by a small
 * ray caster.
 *
 * What is labelled: every object of the class set of which at least one pixel shows. So that nobody
 * has to learn from slivers, an object of which less than a quarter shows (the rest hidden or
 * outside the picture), or whose box would be under SYNTH_MIN_SIDE pixels on either side, is taken
 * out of the scene before it is drawn. A box bounds the object's visible pixels, a pixel being what
 * a ray through its middle meets. Distractors (base shapes among the objects of the target set)
 * have no label. */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/image.h"
#include "synth/request.h"
#include "synth/texture.h"

struct synth_box {
    int class_id;
    int x1, y1, x2, y2; /* pixels, half-open */
};

struct synth_picture {
    struct image image;
    struct synth_box boxes[SYNTH_MAX_OBJECTS];
    int box_count;
    unsigned char *ids; /* [h][w]: 1 + the box's number, 0 = nothing labelled */
};

/* Thread-safe; serial. ERR_MEMORY, or ERR_ARG for an impossible size. */
NODISCARD enum result synth_render(const struct textures *textures,
                                   const struct synth_request *request,
                                   struct synth_picture *picture, struct error *err);
void synth_picture_free(struct synth_picture *picture); /* accepts a zeroed struct */

#endif
