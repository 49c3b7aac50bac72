/* Vectors of three floats: points, directions, linear colours. */
#ifndef SYNTH_VEC_H
#define SYNTH_VEC_H

#include <math.h>

#define TAU 6.2831853f

struct vec3 {
    float x, y, z;
};

static inline struct vec3 vec_add(struct vec3 a, struct vec3 b)
{
    return (struct vec3){a.x + b.x, a.y + b.y, a.z + b.z};
}

static inline struct vec3 vec_sub(struct vec3 a, struct vec3 b)
{
    return (struct vec3){a.x - b.x, a.y - b.y, a.z - b.z};
}

static inline struct vec3 vec_scale(struct vec3 a, float s)
{
    return (struct vec3){a.x * s, a.y * s, a.z * s};
}

/* a + b s */
static inline struct vec3 vec_along(struct vec3 a, struct vec3 b, float s)
{
    return (struct vec3){a.x + b.x * s, a.y + b.y * s, a.z + b.z * s};
}

static inline struct vec3 vec_times(struct vec3 a, struct vec3 b)
{
    return (struct vec3){a.x * b.x, a.y * b.y, a.z * b.z};
}

static inline float vec_dot(struct vec3 a, struct vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct vec3 vec_cross(struct vec3 a, struct vec3 b)
{
    return (struct vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static inline float vec_length(struct vec3 a)
{
    return sqrtf(vec_dot(a, a));
}

static inline struct vec3 vec_unit(struct vec3 a)
{
    return vec_scale(a, 1 / vec_length(a));
}

/* a for t = 0, b for t = 1. */
static inline struct vec3 vec_mix(struct vec3 a, struct vec3 b, float t)
{
    return vec_along(a, vec_sub(b, a), t);
}

/* Turn two directions that are at right angles within their plane, x towards y. */
static inline void vec_turn(struct vec3 *x, struct vec3 *y, float angle)
{
    float c = cosf(angle), s = sinf(angle);
    struct vec3 old = *x;
    *x = vec_along(vec_scale(old, c), *y, s);
    *y = vec_along(vec_scale(*y, c), old, -s);
}

/* As fminf and fmaxf, which are calls; b if either is NaN. */
static inline float lesser(float a, float b)
{
    return a < b ? a : b;
}

static inline float greater(float a, float b)
{
    return a > b ? a : b;
}

static inline float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static inline float smoothstep01(float x)
{
    x = clamp01(x);
    return x * x * (3 - 2 * x);
}

#endif
