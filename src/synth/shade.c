#include <stdbool.h>
#include <stddef.h>

#include "synth/render.h"

/* A point to be lit, and what is known about it. */
struct spot {
    struct vec3 point, normal, view; /* view: the ray's direction, towards the point */
    const struct material *material;
    struct vec3 color;
    int thing;
    uint32_t near; /* objects that may darken it: canvas->near */
};

struct shader {
    const struct scene *scene;
    const struct textures *textures;
    const struct vec3 *paint; /* canvas->paint */
    float pixel;              /* width of a pixel at distance 1 */
    float exposure;           /* once the middles are known */
};

static float square(float x)
{
    return x * x;
}

static float luminance(struct vec3 c)
{
    return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z;
}

/* ---- what is there ---- */

static void find_backdrop(const struct shader *shader, const struct meeting *met, struct spot *spot)
{
    const struct scene *scene = shader->scene;
    const struct backdrop *plane = met->thing == THING_TABLE ? &scene->table : &scene->wall;
    float a = spot->point.x, b = met->thing == THING_TABLE ? spot->point.y : spot->point.z;
    spot->normal = met->thing == THING_TABLE ? (struct vec3){0, 0, 1} : (struct vec3){0, -1, 0};
    const struct material *m = spot->material = &plane->material;
    float u = (a * plane->c + b * plane->s) * m->repeats + plane->shift_u;
    float v = (b * plane->c - a * plane->s) * m->repeats + plane->shift_v;
    float slant = greater(0.03f, fabsf(vec_dot(spot->normal, spot->view)));
    float footprint = met->t * shader->pixel * m->repeats / sqrtf(slant);
    spot->color = vec_mix(m->a, m->b, texture_at(shader->textures, m->texture, u, v, footprint));
}

/* The painted pixel where the camera sees the point; what lies outside the picture has the colour
 * of its rim. */
static struct vec3 paint_color(const struct shader *shader, struct vec3 point)
{
    const struct scene *scene = shader->scene;
    const struct camera *camera = &scene->camera;
    struct vec3 to = vec_sub(point, camera->eye);
    float depth = greater(1e-3f, vec_dot(to, camera->forward));
    float x = camera->mid_x + camera->focal * vec_dot(to, camera->right) / depth;
    float y = camera->mid_y - camera->focal * vec_dot(to, camera->up) / depth;
    size_t column = (size_t)greater(0, lesser(x, (float)(scene->w - 1)));
    size_t row = (size_t)greater(0, lesser(y, (float)(scene->h - 1)));
    return shader->paint[row * (size_t)scene->w + column];
}

static void find_object(const struct shader *shader, const struct meeting *met, struct spot *spot)
{
    const struct object *object = &shader->scene->objects[met->thing - THING_OBJECT];
    struct contact contact = {met->t, met->part, met->detail};
    struct surface surface;
    object_surface(object, spot->point, spot->view, &contact, &surface);
    const struct material *m = spot->material = &object->materials[surface.material];
    spot->normal = surface.normal;
    float mix = surface.mark;
    if (!(mix >= 0)) {
        float slant = greater(0.1f, -vec_dot(spot->normal, spot->view));
        float footprint = met->t * shader->pixel * surface.tiles_per_unit / sqrtf(slant);
        mix = texture_at(shader->textures, m->texture, surface.u, surface.v, footprint);
    }
    spot->color = vec_mix(m->a, m->b, mix);
}

static void find_spot(const struct shader *shader, struct vec3 origin, struct vec3 d,
                      const struct meeting *met, struct spot *spot)
{
    *spot = (struct spot){.point = vec_along(origin, d, met->t), .view = d, .thing = met->thing};
    if (met->thing < THING_OBJECT) {
        find_backdrop(shader, met, spot);
        if (shader->paint) {
            spot->color = paint_color(shader, spot->point);
        }
    } else {
        find_object(shader, met, spot);
    }
}

/* ---- light ---- */

/* An object fills about this part of the ball about it; farther away than this times that, it is
 * ignored. */
#define BALL_PART 0.85f
#define NEAR_REACH 4.0f

/* How much of the light from all around arrives, with the objects as balls: a ball of radius r in
 * distance d takes r^2 / d^2 times the cosine; faded out at NEAR_REACH. */
static float openness(const struct scene *scene, const struct spot *spot)
{
    float open = 1;
    for (int i = 0; spot->near >> i; i++) {
        if (!(spot->near >> i & 1)) {
            continue;
        }
        struct vec3 to = vec_sub(scene->balls[i].center, spot->point);
        float r = BALL_PART * scene->balls[i].radius;
        float d2 = vec_dot(to, to), reach = square(NEAR_REACH * r);
        if (d2 >= reach || i == spot->thing - THING_OBJECT) {
            continue;
        }
        float cosine = vec_dot(to, spot->normal) / sqrtf(d2);
        if (cosine > 0) {
            open *= 1 - 0.85f * lesser(1, cosine * r * r / d2 * square(1 - d2 / reach));
        }
    }
    return open;
}

static struct vec3 ambient_light(const struct scene *scene, const struct spot *spot, bool is_exact)
{
    float up = 0.5f + 0.5f * spot->normal.z;
    struct vec3 light = vec_mix(scene->bounce, scene->sky, up);
    if (spot->thing == THING_WALL) {
        light = vec_scale(light, 1.2f);
    } else if (spot->thing >= THING_OBJECT) { /* low parts see the dark where they stand */
        light = vec_scale(light, 0.55f + 0.45f * smoothstep01(spot->point.z * 2.5f + 0.5f * up));
    }
    return is_exact ? vec_scale(light, openness(scene, spot)) : light;
}

static float raise(float x, int power)
{
    for (int i = 0; i < power; i++) {
        x *= x;
    }
    return x;
}

/* Lambert's diffuse and Blinn's specular term of all lights; arrives[i] in 0 .. SHADOW_FULL_LIGHT. */
static void add_lights(const struct scene *scene, const struct spot *spot, const int *arrives,
                       struct vec3 *diffuse, struct vec3 *highlight)
{
    const struct material *m = spot->material;
    for (int i = 0; i < scene->light_count; i++) {
        const struct light *light = &scene->lights[i];
        struct vec3 to = vec_sub(light->position, spot->point);
        float cosine = vec_dot(to, spot->normal);
        if (!(cosine > 0) || arrives[i] == 0) {
            continue;
        }
        float d2 = vec_dot(to, to), inverse = 1 / sqrtf(d2);
        to = vec_scale(to, inverse);
        float strength = light->distance2 / d2 * (float)arrives[i] * (1.0f / SHADOW_FULL_LIGHT);
        *diffuse = vec_along(*diffuse, light->color, strength * cosine * inverse);
        if (!(m->gloss > 0)) {
            continue;
        }
        /* (cosine of the half vector)^(2^power), from its square: no root, and mostly no division.
         */
        struct vec3 half = vec_sub(to, spot->view);
        float facing = vec_dot(half, spot->normal), half2 = vec_dot(half, half);
        if (!(facing > 0) || (m->power >= 5 && facing * facing < 0.7f * half2)) {
            continue;
        }
        float shine = raise(facing * facing / half2, m->power - 1);
        float peak = m->gloss * (float)(1 << m->power) * 0.03f;
        *highlight = vec_along(*highlight, light->color, strength * peak * shine);
    }
}

/* What a mirror sees where there is nothing: a bright room with a window around each light. */
static struct vec3 surroundings(const struct scene *scene, struct vec3 d)
{
    struct vec3 color = vec_scale(scene->sky, 0.7f + 0.5f * d.z);
    for (int i = 0; i < scene->light_count; i++) {
        struct vec3 to = vec_unit(scene->lights[i].position);
        float near = smoothstep01((vec_dot(to, d) - 0.93f) * 25);
        color = vec_along(color, scene->lights[i].color, 2.5f * near);
    }
    return color;
}

/* Schlick's approximation: grazing rays are reflected whole. */
static float mirror_part(const struct spot *spot)
{
    float cosine = clamp01(-vec_dot(spot->normal, spot->view)), grazing = 1 - cosine;
    float r = spot->material->reflect, rest = spot->material->is_metal ? 1 - r : 0.6f * (1 - r);
    return r + rest * square(square(grazing)) * grazing;
}

/* Without shadows and further mirrors: good enough for what is seen in a mirror. */
static struct vec3 reflection(const struct shader *shader, const struct spot *spot)
{
    const struct scene *scene = shader->scene;
    struct vec3 d = vec_along(spot->view, spot->normal, -2 * vec_dot(spot->view, spot->normal));
    struct vec3 origin = vec_along(spot->point, spot->normal, 3e-3f);
    struct meeting met;
    scene_meet(scene, origin, d, &met);
    float height = origin.z + met.t * d.z;
    if (met.thing == THING_WALL && (d.y <= 0 || height > 6)) {
        return surroundings(scene, d);
    }
    const int all[SCENE_MAX_LIGHTS] = {SHADOW_FULL_LIGHT, SHADOW_FULL_LIGHT, SHADOW_FULL_LIGHT};
    struct spot other;
    find_spot(shader, origin, d, &met, &other);
    struct vec3 light = ambient_light(scene, &other, false), highlight = {0, 0, 0};
    add_lights(scene, &other, all, &light, &highlight);
    light = vec_times(light, other.color);
    return other.material->is_metal ? vec_scale(light, 0.7f) : light;
}

static struct vec3 shade(const struct shader *shader, struct vec3 d, const struct meeting *met,
                         const int *arrives, uint32_t near)
{
    const struct scene *scene = shader->scene;
    struct spot spot;
    find_spot(shader, scene->camera.eye, d, met, &spot);
    spot.near = near;
    const struct material *m = spot.material;
    struct vec3 light = ambient_light(scene, &spot, true), highlight = {0, 0, 0};
    add_lights(scene, &spot, arrives, &light, &highlight);
    struct vec3 result = vec_times(spot.color, light);
    if (m->reflect > 0) {
        float part = mirror_part(&spot);
        struct vec3 mirrored = reflection(shader, &spot);
        if (m->is_metal) {
            mirrored = vec_times(mirrored, spot.color);
            highlight = vec_times(highlight, spot.color);
        }
        result = vec_add(vec_scale(result, 1 - part), vec_scale(mirrored, part));
    }
    result = vec_add(result, highlight);
    return vec_along(result, spot.color, m->glow);
}

/* ---- the whole picture ---- */

static uint32_t find_near(const struct scene *scene, const struct ball *seen)
{
    uint32_t near = 0;
    for (int i = 0; i < scene->object_count; i++) {
        float reach = NEAR_REACH * BALL_PART * scene->balls[i].radius + seen->radius;
        struct vec3 to = vec_sub(scene->balls[i].center, seen->center);
        near |= (uint32_t)(vec_dot(to, to) < reach * reach) << i;
    }
    return near;
}

static void shade_tile(const struct shader *shader, struct window tile, uint32_t near,
                       struct canvas *canvas)
{
    const struct scene *scene = shader->scene;
    for (int y = tile.y1; y < tile.y2; y++) {
        for (int x = tile.x1; x < tile.x2; x++) {
            size_t at = (size_t)y * (size_t)canvas->w + (size_t)x;
            int arrives[SCENE_MAX_LIGHTS];
            for (int i = 0; i < scene->light_count; i++) {
                arrives[i] = canvas->shadow[i] ? canvas->shadow[i][at] : SHADOW_FULL_LIGHT;
            }
            struct vec3 d = camera_ray(&scene->camera, (float)x + 0.5f, (float)y + 0.5f);
            canvas->light[at] = shade(shader, d, &canvas->met[at], arrives, near);
        }
    }
}

static void shade_middles(const struct shader *shader, struct canvas *canvas)
{
    for (int ty = 0; ty < canvas->tiles_y; ty++) {
        for (int tx = 0; tx < canvas->tiles_x; tx++) {
            struct window tile = tile_window(canvas, tx, ty);
            int at = ty * canvas->tiles_x + tx;
            uint32_t near = find_near(shader->scene, &canvas->seen[at]);
            canvas->near[at] = near;
            shade_tile(shader, tile, near, canvas);
        }
    }
}

static bool is_edge(const struct canvas *canvas, size_t a, size_t b)
{
    const struct meeting *ma = &canvas->met[a], *mb = &canvas->met[b];
    if (ma->thing != mb->thing || ma->part != mb->part) {
        return true;
    }
    float la = luminance(canvas->light[a]), lb = luminance(canvas->light[b]);
    return fabsf(la - lb) > 0.2f * (la + lb) + 0.02f;
}

/* canvas->scratch: 1 where the middle of the pixel is not all there is to it. */
static void mark_edges(struct canvas *canvas)
{
    size_t w = (size_t)canvas->w, h = (size_t)canvas->h;
    for (size_t i = 0; i < w * h; i++) {
        canvas->scratch[i] = 0;
    }
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            size_t at = y * w + x;
            if (x + 1 < w && is_edge(canvas, at, at + 1)) {
                canvas->scratch[at] = canvas->scratch[at + 1] = 1;
            }
            if (y + 1 < h && is_edge(canvas, at, at + w)) {
                canvas->scratch[at] = canvas->scratch[at + w] = 1;
            }
        }
    }
}

/* Shadows are known at the middles of pixels; take the neighbour's that met the same. */
static void nearby_shadows(const struct scene *scene, const struct canvas *canvas, int x, int y,
                           const struct meeting *met, int *arrives)
{
    long best = -1;
    int best_score = 0;
    for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++) {
            if (x + dx < 0 || x + dx >= canvas->w || y + dy < 0 || y + dy >= canvas->h) {
                continue;
            }
            long at = (long)(y + dy) * canvas->w + x + dx;
            const struct meeting *other = &canvas->met[at];
            int score = other->thing != met->thing
                            ? 0
                            : 2 + (other->part == met->part) + (dx == 0 && dy == 0);
            if (score > best_score) {
                best_score = score;
                best = at;
            }
        }
    }
    for (int i = 0; i < scene->light_count; i++) {
        arrives[i] = best >= 0 && canvas->shadow[i] ? canvas->shadow[i][best] : SHADOW_FULL_LIGHT;
    }
}

/* Four rays, at the middles of the pixel's quarters. */
static struct vec3 shade_quarters(const struct shader *shader, const struct canvas *canvas, int x,
                                  int y)
{
    struct vec3 sum = {0, 0, 0};
    float total = 0;
    uint32_t near = canvas->near[y / TILE * canvas->tiles_x + x / TILE];
    for (int i = 0; i < 4; i++) {
        float at_x = (float)x + 0.25f + 0.5f * (float)(i & 1);
        float at_y = (float)y + 0.25f + 0.5f * (float)(i >> 1);
        struct vec3 d = camera_ray(&shader->scene->camera, at_x, at_y);
        struct meeting met;
        int arrives[SCENE_MAX_LIGHTS];
        scene_meet_pixel(shader->scene, canvas, at_x, at_y, d, &met);
        nearby_shadows(shader->scene, canvas, x, y, &met, arrives);
        struct vec3 light = shade(shader, d, &met, arrives, near);
        /* Weighted so that what will be far beyond white does not outshine the rest: its edge would
         * stay jagged. */
        float weight = 1 / (1 + luminance(light) * shader->exposure);
        sum = vec_along(sum, light, weight);
        total += weight;
    }
    return vec_scale(sum, 1 / total);
}

void shade_all(const struct scene *scene, const struct textures *textures, struct canvas *canvas)
{
    struct shader shader = {scene, textures, canvas->paint, 1 / scene->camera.focal, 1};
    shade_middles(&shader, canvas);
    shader.exposure = 3 * find_exposure(scene, canvas->light);
    mark_edges(canvas);
    for (int y = 0; y < canvas->h; y++) {
        for (int x = 0; x < canvas->w; x++) {
            size_t at = (size_t)y * (size_t)canvas->w + (size_t)x;
            if (canvas->scratch[at]) {
                canvas->light[at] = shade_quarters(&shader, canvas, x, y);
            }
        }
    }
}
