/* The stages between a scene and its picture. All are serial and touch only their own canvas. */
#ifndef SYNTH_RENDER_H
#define SYNTH_RENDER_H

#include <stdint.h>

#include "data/image.h"
#include "synth/scene.h"

/* What the ray through the middle of a pixel met; objects are THING_OBJECT + index. */
enum { THING_WALL = 0, THING_TABLE = 1, THING_OBJECT = 2 };

struct meeting {
    float t;
    unsigned char thing, part, detail;
};

/* Pixels; x2, y2 are beyond the end. */
struct window {
    int x1, y1, x2, y2;
};

/* The picture is cut into squares of TILE pixels; what can matter in one is found once. */
enum { TILE = 8 };

struct canvas {
    int w, h;
    int tiles_x, tiles_y;
    struct window windows[SYNTH_MAX_OBJECTS]; /* no pixel outside can show the object */
    struct ball *seen;    /* [tiles_y][tiles_x]: contains all that is met in the tile */
    uint32_t *near;       /* [tiles_y][tiles_x], bit i: object i takes light from all around */
    struct meeting *met;  /* [h][w] */
    struct vec3 *light;   /* [h][w], linear */
    struct vec3 *blurred; /* [h][w] */
    struct vec3 *paint; /* [h][w], linear: the colours of table and wall; NULL: their materials' */
    unsigned char
        *shadow[SCENE_MAX_LIGHTS]; /* [h][w], how much of the light arrives; NULL: all of it */
    unsigned char *scratch;        /* [h][w] */
};

enum { SHADOW_FULL_LIGHT = 240 };

/* visibility.c: which thing shows at each pixel; objects that show too little are removed from the
 * scene (synth.h), the rest renumbered. */
void visibility_find(struct scene *scene, struct canvas *canvas);

/* First thing along the camera's ray through (x, y). */
void scene_meet_pixel(const struct scene *scene, const struct canvas *canvas, float x, float y,
                      struct vec3 direction, struct meeting *meeting);

/* First thing along any ray with t > 0. */
void scene_meet(const struct scene *scene, struct vec3 origin, struct vec3 direction,
                struct meeting *meeting);

/* The pixels of a tile. */
static inline struct window tile_window(const struct canvas *canvas, int tile_x, int tile_y)
{
    struct window window = {tile_x * TILE, tile_y * TILE, (tile_x + 1) * TILE, (tile_y + 1) * TILE};
    window.x2 = window.x2 < canvas->w ? window.x2 : canvas->w;
    window.y2 = window.y2 < canvas->h ? window.y2 : canvas->h;
    return window;
}

/* shadow.c: fill canvas->shadow for each light that has one. */
void shadow_find(const struct scene *scene, struct canvas *canvas);

/* shade.c: canvas->light, edges anti-aliased. */
void shade_all(const struct scene *scene, const struct textures *textures, struct canvas *canvas);

/* develop.c: the factor by which the camera will take the light, for the average to come out as
 * wanted. */
float find_exposure(const struct scene *scene, const struct vec3 *light);

/* develop.c: defocus, exposure, tone curve, grain; into 8-bit sRGB. May overwrite canvas->light. */
void develop(const struct scene *scene, struct canvas *canvas, struct image *image);

#endif
