/* A tabletop with its camera, lights and objects: everything that a picture depends on. */
#ifndef SYNTH_SCENE_H
#define SYNTH_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "synth/shapes.h"
#include "synth/request.h"

enum { SCENE_MAX_LIGHTS = 3 };

struct camera {
    struct vec3 eye, right, up, forward;
    float focal;        /* pixels */
    float mid_x, mid_y; /* pixels */
};

struct light {
    struct vec3 position, color; /* colour: what reaches the origin */
    float radius;                /* of a ball; its size makes the shadows soft */
    float distance2;             /* squared, from the origin */
    bool has_shadow;
};

/* A plane's pattern: u, v = the plane's two coordinates turned by (c, s), in tiles. */
struct backdrop {
    struct material material;
    float c, s, shift_u, shift_v;
};

/* What the camera makes of the light. */
struct development {
    float exposure; /* luminance, after it, of the average pixel */
    float vignette, noise, saturation;
    float blur;  /* radius in pixels of what is far behind; 0 = all sharp */
    float focus; /* distance */
    uint32_t seed;
};

/* About an object; apart from the objects, so that all of them fit into a few cache lines. */
struct ball {
    struct vec3 center;
    float radius;
};

struct scene {
    int w, h;
    struct camera camera;
    struct light lights[SCENE_MAX_LIGHTS];
    int light_count;
    struct vec3 sky, bounce; /* light from above and from the table, wherever it is not blocked */
    struct backdrop table, wall;
    float table_edge; /* the table is z = 0, y < table_edge */
    float wall_y;     /* the wall is y = wall_y */
    struct object objects[SYNTH_MAX_OBJECTS];
    int object_count;
    struct ball balls[SYNTH_MAX_OBJECTS]; /* of the objects; set by visibility_find */
    struct development development;
    bool is_painted; /* table and wall take their colours from a painted picture */
    struct rng paint;
};

/* A function of the request alone; *scene need not be set. Objects may hide one another: visibility_find
 * (synth/render.h) takes out what shows too little. Allocates nothing. */
void scene_make(const struct synth_request *request, struct scene *scene);

/* Unit direction of the ray through (x, y), in pixels: the middle of the first is (0.5, 0.5). */
static inline struct vec3 camera_ray(const struct camera *camera, float x, float y)
{
    struct vec3 d = vec_scale(camera->forward, camera->focal);
    d = vec_along(d, camera->right, x - camera->mid_x);
    d = vec_along(d, camera->up, camera->mid_y - y);
    return vec_unit(d);
}

#endif
