/* Solids: a few ray-traceable kinds of parts, and objects made of them.
 *
 * An object's frame is right-handed; parts are given in it at their final size (no scaling). */
#ifndef SYNTH_SHAPES_H
#define SYNTH_SHAPES_H

#include <stdbool.h>
#include <stddef.h>

#include "synth/texture.h"
#include "synth/vec.h"

enum { LATHE_MAX_SEGMENTS = 28, OBJECT_MAX_PARTS = 4, OBJECT_MAX_MATERIALS = 4 };

/* a + (b - a) pattern, lit by a diffuse and a specular term; glow shines by itself. */
struct material {
    struct vec3 a, b; /* linear RGB */
    enum texture texture;
    float repeats; /* tiles around the object; planes: tiles per unit */
    float gloss;   /* strength of highlights, 0 .. 1 */
    int power;     /* their exponent is 2^power */
    float reflect; /* mirror reflection at right angles, 0 .. 1 */
    bool is_metal; /* reflections take the material's colour */
    float glow;
};

/* A line of the profile of a surface of revolution, from (r0, z0) to (r1, z1); the normals (r, z)
 * of its ends differ on rounded profiles. */
struct segment {
    float r0, z0, r1, z1;
    float slope; /* dr / dz; unused if z0 == z1 */
    float n0[2], n1[2];
    int material; /* added to the part's */
};

enum part_kind {
    PART_SPHERE,
    PART_BOX,   /* rounded: edges by shading, corners by a sphere */
    PART_LATHE, /* open or closed surface of revolution about z */
    PART_TORUS, /* ring about the axis, lengthened along the ring plane's second direction */
};

struct part {
    enum part_kind kind;
    int material;
    struct vec3 center; /* origin of the part's frame in the object's frame */
    float bound;        /* radius of a sphere about the center that contains the part */

    float radius;    /* sphere; torus: of the ring */
    float half;      /* box: half an edge */
    float corner;    /* box: radius of the sphere that rounds the corners, 0 = none */
    float bevel;     /* box: width of the shaded edge */
    bool has_pips;   /* box: a die */
    int pips_turn;   /* which of the die's faces is up, 0 .. 5 */
    float tube;      /* torus */
    float stretch;   /* torus: half the straight piece */
    bool is_upright; /* torus: ring in the x-z plane, lengthened along z; else in x-y along y */
    float clip;      /* torus: only x > clip exists */
    struct segment segments[LATHE_MAX_SEGMENTS];
    int segment_count;
    bool is_open;          /* lathe: a sheet without thickness, seen from both sides */
    bool has_flat_pattern; /* lathe: seen from above rather than wound around */
};

struct object {
    int class_id; /* -1: a distractor, without label */
    struct part parts[OBJECT_MAX_PARTS];
    int part_count;
    struct material materials[OBJECT_MAX_MATERIALS];
    bool is_convex; /* cannot shade itself but by facing away */

    struct vec3 position;     /* of the object's frame in the world */
    struct vec3 axes[3];      /* the frame's x, y, z in the world; orthonormal */
    struct vec3 bound_center; /* world */
    float bound;
    float view_min, view_max; /* |cosine| between z and the line of sight at which it can be
                                 told what this is */
    float footprint;          /* radius about (bound_center.x, .y) on the table that it needs */
};

/* Where a ray met an object. */
struct contact {
    float t; /* along the ray; before: the farthest of interest */
    int part;
    int detail; /* lathe: segment; box: face, axis * 2 + (positive), + 8 on a rounded corner */
};

struct surface {
    struct vec3 normal; /* world, unit, towards where the ray came from */
    float u, v;         /* in tiles of the material's pattern */
    float tiles_per_unit;
    float mark; /* 0 .. 1: colour b instead of the pattern (pips); < 0: none */
    int material;
};

/* The next point of a profile and the way to it: a line or, with pieces, a quadratic curve by way of the control point,
 * in so many lines. The first one of a profile is where it starts. */
struct lathe_step {
    float r, z;
    int material;
    int pieces;
    float control_r, control_z;
};

/* The part's profile, with normals and bound. Beside a line more than four times as long, a short one takes over the long
 * one's normal: that is how bevels become round. */
void lathe_make(struct part *part, const struct lathe_step *steps, size_t count);

/* Set bound_center and bound from the parts, position and axes. */
void object_bounds(struct object *object);

/* Nearest hit of the ray origin + t direction (world, unit direction) with t in (nearest,
 * contact->t); false leaves *contact alone. */
bool object_hit(const struct object *object, struct vec3 origin, struct vec3 direction,
                float nearest, struct contact *contact);

/* What there is at the point (world) of a contact. */
void object_surface(const struct object *object, struct vec3 point, struct vec3 direction,
                    const struct contact *contact, struct surface *surface);

#endif
