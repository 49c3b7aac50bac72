/* Which picture is wanted, and limits of all of them. */
#ifndef SYNTH_REQUEST_H
#define SYNTH_REQUEST_H

#include <stdint.h>

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

enum { SYNTH_CLASSES = 5 /* of each set */ };

enum { SYNTH_MIN_SIDE = 8, SYNTH_MAX_OBJECTS = 20, SYNTH_SIZE_MIN = 32, SYNTH_SIZE_MAX = 4096 };

/* Which picture: its content is a function of these fields alone. */
struct synth_request {
    enum synth_set set;
    uint64_t seed;
    uint64_t part; /* 0 train, 1 validation, ... : pictures of different parts are unrelated */
    uint64_t index;
    int w, h; /* SYNTH_SIZE_MIN .. SYNTH_SIZE_MAX */
    enum synth_backgrounds backgrounds;
};

#endif
