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
#include "synth/texture.h"

enum synth_set {
    SYNTH_BASE,   /* sphere, cube, cylinder, cone, torus */
    SYNTH_TARGET, /* mug, die, bottle, mushroom, lamp: for transfer from the base set */
};

enum synth_backgrounds {
    SYNTH_ROOMS,  /* a table before a wall */
    SYNTH_PHOTOS, /* what has the statistics of photographs, and nothing labelled */
    /* Of twenty pictures nine are rooms, one is a room without objects, four have objects before
     * what looks like a photograph, six are photographs. More objects lie than in rooms. */
    SYNTH_MIXED,
};

enum { SYNTH_MIN_SIDE = 8, SYNTH_MAX_OBJECTS = 20, SYNTH_SIZE_MIN = 32, SYNTH_SIZE_MAX = 4096 };

int synth_class_count(enum synth_set set);
const char *synth_class_name(enum synth_set set, int class_id);

/* Which picture: its content is a function of these fields alone. */
struct synth_request {
    enum synth_set set;
    uint64_t seed;
    uint64_t part; /* 0 train, 1 validation, ... : pictures of different parts are unrelated */
    uint64_t index;
    int w, h; /* SYNTH_SIZE_MIN .. SYNTH_SIZE_MAX */
    enum synth_backgrounds backgrounds;
};

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
