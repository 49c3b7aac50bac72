#include <stdbool.h>
#include <stddef.h>

#include "synth/render.h"

/* Of each light BALL_POINTS points of its disc are known; a pixel looks at SAMPLES of them, its
 * neighbours in a 4 x 4 block at the others, and the block's blur puts them together. */
enum { SAMPLES = 2, PATTERNS = 16, BALL_POINTS = SAMPLES * PATTERNS };

struct disc {
    float x[BALL_POINTS], y[BALL_POINTS];
};

/* A sunflower: points k and k + 16 go from the middle to the rim. */
static void fill_disc(struct disc *disc)
{
    for (int k = 0; k < BALL_POINTS; k++) {
        float radius = sqrtf(((float)k + 0.5f) / BALL_POINTS);
        float angle = (float)k * 2.3999632f;
        disc->x[k] = radius * cosf(angle);
        disc->y[k] = radius * sinf(angle);
    }
}

/* Some of the scene's objects. */
struct blockers {
    int objects[SYNTH_MAX_OBJECTS];
    int count;
};

/* Those of `from` that can hide some of the light's ball from some point of `seen`. */
static void find_blockers(const struct scene *scene, const struct light *light,
                          const struct ball *seen, const struct blockers *from,
                          struct blockers *blockers)
{
    struct vec3 to = vec_sub(light->position, seen->center);
    float length = vec_length(to);
    struct vec3 d = vec_scale(to, 1 / length);
    float widening = light->radius / length;
    blockers->count = 0;
    for (int i = 0; i < from->count; i++) {
        const struct ball *ball = &scene->balls[from->objects[i]];
        struct vec3 c = vec_sub(ball->center, seen->center);
        float along = vec_dot(c, d), radius = ball->radius + seen->radius;
        float reach = radius + widening * greater(along, 0);
        if (along >= -radius && vec_dot(c, c) - along * along <= reach * reach) {
            blockers->objects[blockers->count++] = from->objects[i];
        }
    }
}

static int shadow_sampled(const struct scene *scene, const struct light *light, struct vec3 point,
                          const struct blockers *blockers, const float (*offsets)[2])
{
    struct vec3 to = vec_unit(vec_sub(light->position, point));
    struct vec3 other = fabsf(to.z) > 0.9f ? (struct vec3){1, 0, 0} : (struct vec3){0, 0, 1};
    struct vec3 x = vec_unit(vec_cross(other, to)), y = vec_cross(to, x);
    int lit = 0;
    for (int i = 0; i < SAMPLES; i++) {
        struct vec3 target = vec_along(light->position, x, offsets[i][0] * light->radius);
        target = vec_along(target, y, offsets[i][1] * light->radius);
        struct vec3 ray = vec_sub(target, point);
        struct contact contact = {.t = vec_length(ray)};
        ray = vec_scale(ray, 1 / contact.t);
        bool is_blocked = false;
        for (int k = 0; k < blockers->count && !is_blocked; k++) {
            is_blocked =
                object_hit(&scene->objects[blockers->objects[k]], point, ray, 1e-3f, &contact);
        }
        lit += !is_blocked;
    }
    return lit * SHADOW_FULL_LIGHT / SAMPLES;
}

static void pick_offsets(const struct disc *disc, int pattern, float (*offsets)[2])
{
    for (int i = 0; i < SAMPLES; i++) {
        offsets[i][0] = disc->x[pattern + i * PATTERNS];
        offsets[i][1] = disc->y[pattern + i * PATTERNS];
    }
}

/* An object that curves outwards everywhere shades itself only by facing away. */
static void drop_self(const struct scene *scene, int thing, struct blockers *blockers)
{
    if (thing < THING_OBJECT || !scene->objects[thing - THING_OBJECT].is_convex) {
        return;
    }
    int kept = 0;
    for (int i = 0; i < blockers->count; i++) {
        if (blockers->objects[i] != thing - THING_OBJECT) {
            blockers->objects[kept++] = blockers->objects[i];
        }
    }
    blockers->count = kept;
}

struct sampler {
    const struct scene *scene;
    const struct light *light;
    float offsets[PATTERNS][SAMPLES][2];
};

static void sample_tile(const struct sampler *sampler, struct window tile,
                        const struct blockers *blockers, struct canvas *canvas)
{
    static const unsigned char order[PATTERNS] = {0, 8,  2, 10, 12, 4, 14, 6,
                                                  3, 11, 1, 9,  15, 7, 13, 5};
    const float lift = 5e-3f; /* off the surface, so that it does not shade itself */
    const struct scene *scene = sampler->scene;
    for (int y = tile.y1; y < tile.y2; y++) {
        for (int x = tile.x1; x < tile.x2; x++) {
            size_t at = (size_t)y * (size_t)canvas->w + (size_t)x;
            int lit = SHADOW_FULL_LIGHT;
            if (blockers->count > 0) {
                struct vec3 d = camera_ray(&scene->camera, (float)x + 0.5f, (float)y + 0.5f);
                const struct meeting *met = &canvas->met[at];
                struct ball spot = {vec_along(scene->camera.eye, d, met->t - lift), 0};
                struct blockers own;
                find_blockers(scene, sampler->light, &spot, blockers, &own);
                drop_self(scene, met->thing, &own);
                int pattern = order[(y & 3) * 4 + (x & 3)];
                if (own.count > 0) {
                    lit = shadow_sampled(scene, sampler->light, spot.center, &own,
                                         (const float(*)[2])sampler->offsets[pattern]);
                }
            }
            canvas->scratch[at] = (unsigned char)lit;
        }
    }
}

static void sample_light(const struct scene *scene, int index, struct canvas *canvas)
{
    struct disc disc;
    fill_disc(&disc);
    struct sampler sampler = {.scene = scene, .light = &scene->lights[index]};
    for (int i = 0; i < PATTERNS; i++) {
        pick_offsets(&disc, i, sampler.offsets[i]);
    }
    struct blockers all = {.count = scene->object_count};
    for (int i = 0; i < all.count; i++) {
        all.objects[i] = i;
    }
    for (int ty = 0; ty < canvas->tiles_y; ty++) {
        for (int tx = 0; tx < canvas->tiles_x; tx++) {
            struct window tile = tile_window(canvas, tx, ty);
            const struct ball *seen = &canvas->seen[ty * canvas->tiles_x + tx];
            struct blockers blockers;
            find_blockers(scene, sampler.light, seen, &all, &blockers);
            sample_tile(&sampler, tile, &blockers, canvas);
        }
    }
}

/* Weights 1 2 2 2 1 along both axes: each of the 4 x 4 patterns counts the same. Neighbours on
 * another thing, or on another face of the same, are left out. */
static unsigned char blur_pixel(const struct canvas *canvas, int x, int y)
{
    static const int weights[5] = {1, 2, 2, 2, 1};
    const struct meeting *own = &canvas->met[(size_t)y * (size_t)canvas->w + (size_t)x];
    bool is_flat = own->thing < THING_OBJECT;
    int sum = 0, total = 0;
    for (int dy = -2; dy <= 2; dy++) {
        for (int dx = -2; dx <= 2; dx++) {
            if (x + dx < 0 || x + dx >= canvas->w || y + dy < 0 || y + dy >= canvas->h) {
                continue;
            }
            size_t at = (size_t)(y + dy) * (size_t)canvas->w + (size_t)(x + dx);
            const struct meeting *met = &canvas->met[at];
            if (met->thing != own->thing ||
                (!is_flat && (met->part != own->part || fabsf(met->t - own->t) > 0.15f))) {
                continue;
            }
            int weight = weights[dx + 2] * weights[dy + 2];
            sum += weight * canvas->scratch[at];
            total += weight;
        }
    }
    return (unsigned char)((sum + total / 2) / total);
}

/* Nothing to blur within two pixels of the tile? */
static bool is_even(const struct canvas *canvas, struct window tile)
{
    int x1 = tile.x1 > 2 ? tile.x1 - 2 : 0, y1 = tile.y1 > 2 ? tile.y1 - 2 : 0;
    int x2 = tile.x2 + 2 < canvas->w ? tile.x2 + 2 : canvas->w;
    int y2 = tile.y2 + 2 < canvas->h ? tile.y2 + 2 : canvas->h;
    int value = canvas->scratch[(size_t)y1 * (size_t)canvas->w + (size_t)x1];
    int differing = 0;
    for (int y = y1; y < y2; y++) {
        const unsigned char *line = canvas->scratch + (size_t)y * (size_t)canvas->w;
        for (int x = x1; x < x2; x++) {
            differing |= line[x] ^ value;
        }
    }
    return differing == 0;
}

static void blur_tile(const struct canvas *canvas, struct window tile, unsigned char *shadow)
{
    bool is_plain = is_even(canvas, tile);
    for (int y = tile.y1; y < tile.y2; y++) {
        for (int x = tile.x1; x < tile.x2; x++) {
            size_t at = (size_t)y * (size_t)canvas->w + (size_t)x;
            shadow[at] = is_plain ? canvas->scratch[at] : blur_pixel(canvas, x, y);
        }
    }
}

void shadow_find(const struct scene *scene, struct canvas *canvas)
{
    for (int i = 0; i < scene->light_count; i++) {
        if (!canvas->shadow[i]) {
            continue;
        }
        sample_light(scene, i, canvas);
        for (int ty = 0; ty < canvas->tiles_y; ty++) {
            for (int tx = 0; tx < canvas->tiles_x; tx++) {
                blur_tile(canvas, tile_window(canvas, tx, ty), canvas->shadow[i]);
            }
        }
    }
}
