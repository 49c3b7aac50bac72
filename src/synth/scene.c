#include "synth/scene.h"

#include <stddef.h>

#include "base/rng.h"
#include "synth/models.h"

/* ---- camera ---- */

/* Looks at the origin from the side of negative y; `reach`: half of what is in view there. */
static void place_camera(struct scene *scene, float reach, struct rng *rng)
{
    struct camera *camera = &scene->camera;
    float short_side = (float)(scene->w < scene->h ? scene->w : scene->h);
    float half_view = rng_uniform(rng, 0.2f, 0.5f);
    float distance = reach / tanf(half_view);
    float spread = rng_unit(rng);
    float height = 0.22f + 0.85f * spread * sqrtf(spread); /* low views are the more common ones */
    float side = rng_uniform(rng, -0.35f, 0.35f);
    camera->eye = (struct vec3){distance * cosf(height) * sinf(side),
                                -distance * cosf(height) * cosf(side), distance * sinf(height)};
    struct vec3 target = {rng_uniform(rng, -0.25f, 0.25f), rng_uniform(rng, -0.25f, 0.25f),
                          rng_uniform(rng, 0.1f, 0.5f)};
    camera->forward = vec_unit(vec_sub(target, camera->eye));
    camera->right = vec_unit(vec_cross(camera->forward, (struct vec3){0, 0, 1}));
    camera->up = vec_cross(camera->right, camera->forward);
    vec_turn(&camera->right, &camera->up, rng_uniform(rng, -0.06f, 0.06f));
    camera->focal = short_side / 2 / tanf(half_view);
    camera->mid_x = (float)scene->w / 2;
    camera->mid_y = (float)scene->h / 2;
}

/* ---- light ---- */

static struct vec3 light_color(struct rng *rng)
{
    struct vec3 warm = {1.0f, 0.8f, 0.58f}, cool = {0.8f, 0.9f, 1.0f};
    struct vec3 color = vec_mix(warm, cool, rng_unit(rng));
    if (rng_unit(rng) < 0.1f) {
        color = vec_mix(color, color_hsv(rng_unit(rng), 0.8f, 1), 0.4f);
    }
    return color;
}

static void add_light(struct scene *scene, float strength, bool has_shadow, struct rng *rng)
{
    struct light *light = &scene->lights[scene->light_count++];
    float turn = rng_unit(rng) * TAU, height = rng_uniform(rng, 0.6f, 1.25f);
    float distance = rng_uniform(rng, 6, 13);
    light->position = (struct vec3){distance * cosf(height) * cosf(turn),
                                    distance * cosf(height) * sinf(turn), distance * sinf(height)};
    light->position.y = lesser(light->position.y, scene->wall_y - 1.2f);
    light->distance2 = vec_dot(light->position, light->position);
    light->radius = rng_uniform(rng, 0.25f, 1.4f);
    light->color = vec_scale(light_color(rng), strength);
    light->has_shadow = has_shadow;
}

static void place_lights(struct scene *scene, struct rng *rng)
{
    add_light(scene, 1, true, rng);
    int more = (int)rng_below(rng, 3);
    for (int i = 0; i < more; i++) {
        add_light(scene, rng_uniform(rng, 0.2f, 0.6f), i == 0, rng);
    }
    if (more == 0) {
        /* Something from the camera's side, or backlit objects look cut out of paper. */
        add_light(scene, rng_uniform(rng, 0.08f, 0.25f), false, rng);
        scene->lights[1].position.y = -fabsf(scene->lights[1].position.y) - 2;
        scene->lights[1].distance2 = vec_dot(scene->lights[1].position, scene->lights[1].position);
    }
    float ambient = rng_uniform(rng, 0.14f, 0.4f);
    scene->sky = vec_scale(vec_mix(light_color(rng), (struct vec3){0.9f, 0.95f, 1}, 0.5f), ambient);
    struct vec3 table = vec_mix(scene->table.material.a, scene->table.material.b, 0.4f);
    scene->bounce = vec_scale(vec_times(table, vec_add(scene->sky, scene->lights[0].color)), 0.4f);
}

/* ---- table and wall ---- */

struct look {
    enum texture texture;
    float repeats;    /* tiles a unit */
    float a[3], b[3]; /* hue, saturation, value */
    float hue_spread;
    float reflect;
};

static const struct look table_looks[] = {
    {TEXTURE_WOOD, 0.22f, {0.085f, 0.52f, 0.86f}, {0.06f, 0.65f, 0.45f}, 0.02f, 0.02f},
    {TEXTURE_WOOD, 0.2f, {0.06f, 0.6f, 0.62f}, {0.04f, 0.7f, 0.25f}, 0.02f, 0.04f},
    {TEXTURE_WOOD, 0.25f, {0.1f, 0.18f, 0.92f}, {0.09f, 0.25f, 0.68f}, 0.02f, 0},
    {TEXTURE_MARBLE, 0.22f, {0.6f, 0.03f, 0.95f}, {0.6f, 0.08f, 0.5f}, 0.5f, 0.06f},
    {TEXTURE_MARBLE, 0.2f, {0.4f, 0.3f, 0.22f}, {0.4f, 0.08f, 0.75f}, 0.5f, 0.06f},
    {TEXTURE_SPECKLE, 0.3f, {0.6f, 0.05f, 0.75f}, {0.6f, 0.08f, 0.3f}, 0.5f, 0.04f},
    {TEXTURE_CHECK, 0.55f, {0.1f, 0.1f, 0.92f}, {0.05f, 0.3f, 0.3f}, 0.5f, 0.04f},
    {TEXTURE_GINGHAM, 0.8f, {0, 0.02f, 0.96f}, {0, 0.85f, 0.75f}, 0.5f, 0},
    {TEXTURE_CLOTH, 0.45f, {0.6f, 0.5f, 0.75f}, {0.6f, 0.6f, 0.4f}, 0.5f, 0},
    {TEXTURE_CLOTH, 0.45f, {0.1f, 0.12f, 0.93f}, {0.1f, 0.2f, 0.7f}, 0.2f, 0},
    {TEXTURE_TILES, 0.4f, {0.5f, 0.25f, 0.85f}, {0.1f, 0.05f, 0.9f}, 0.5f, 0.05f},
    {TEXTURE_CLOUD, 0.2f, {0.58f, 0.3f, 0.75f}, {0.58f, 0.35f, 0.6f}, 0.5f, 0.02f},
    {TEXTURE_CLOUD, 0.15f, {0.1f, 0.08f, 0.9f}, {0.1f, 0.1f, 0.8f}, 0.5f, 0.01f},
    {TEXTURE_STRIPE, 0.5f, {0.1f, 0.06f, 0.95f}, {0.55f, 0.5f, 0.65f}, 0.5f, 0},
    {TEXTURE_DOTS, 0.9f, {0.9f, 0.35f, 0.85f}, {0.1f, 0.04f, 0.95f}, 0.5f, 0},
};

static const struct look wall_looks[] = {
    {TEXTURE_CLOUD, 0.06f, {0.1f, 0.1f, 0.88f}, {0.1f, 0.12f, 0.8f}, 0.5f, 0},
    {TEXTURE_CLOUD, 0.06f, {0.55f, 0.3f, 0.7f}, {0.55f, 0.32f, 0.6f}, 0.5f, 0},
    {TEXTURE_CLOUD, 0.05f, {0.55f, 0.35f, 0.35f}, {0.55f, 0.35f, 0.25f}, 0.5f, 0},
    {TEXTURE_STRIPE, 0.35f, {0.1f, 0.1f, 0.85f}, {0.12f, 0.22f, 0.78f}, 0.5f, 0},
    {TEXTURE_TILES, 0.3f, {0.5f, 0.12f, 0.85f}, {0.1f, 0.03f, 0.75f}, 0.5f, 0},
    {TEXTURE_WOOD, 0.13f, {0.08f, 0.35f, 0.7f}, {0.06f, 0.5f, 0.4f}, 0.03f, 0},
    {TEXTURE_DOTS, 0.4f, {0.6f, 0.2f, 0.8f}, {0.6f, 0.12f, 0.88f}, 0.5f, 0},
    {TEXTURE_PLAIN, 1, {0.6f, 0.15f, 0.8f}, {0.6f, 0.15f, 0.8f}, 0.5f, 0},
};

static struct vec3 look_color(const float hsv[3], float hue)
{
    return color_hsv(hsv[0] + hue, hsv[1], hsv[2]);
}

static void dress(struct backdrop *plane, const struct look *look, struct rng *rng)
{
    float hue = look->hue_spread * rng_uniform(rng, -1, 1);
    float dim = rng_uniform(rng, 0.75f, 1);
    struct material *m = &plane->material;
    *m = (struct material){.texture = look->texture, .power = 6};
    m->a = vec_scale(look_color(look->a, hue), dim);
    m->b = vec_scale(look_color(look->b, hue), dim);
    m->repeats = look->repeats * rng_uniform(rng, 0.75f, 1.35f);
    m->reflect = look->reflect > 0 && rng_unit(rng) < 0.7f ? look->reflect : 0;
    m->gloss = m->reflect > 0 ? 0.25f : 0;
    plane->shift_u = rng_unit(rng);
    plane->shift_v = rng_unit(rng);
}

static void place_backdrop(struct scene *scene, struct rng *rng)
{
    size_t looks = sizeof table_looks / sizeof table_looks[0];
    dress(&scene->table, &table_looks[rng_below(rng, looks)], rng);
    float turn = rng_uniform(rng, -0.6f, 0.6f) + (rng_unit(rng) < 0.3f ? TAU / 4 : 0);
    scene->table.c = cosf(turn);
    scene->table.s = sinf(turn);
    looks = sizeof wall_looks / sizeof wall_looks[0];
    const struct look *look = &wall_looks[rng_below(rng, looks)];
    dress(&scene->wall, look, rng);
    bool is_upright = look->texture == TEXTURE_STRIPE || rng_unit(rng) < 0.3f;
    scene->wall.c = is_upright ? 0 : 1;
    scene->wall.s = is_upright ? 1 : 0;
    scene->wall_y = rng_uniform(rng, 4.5f, 11);
    scene->table_edge =
        rng_unit(rng) < 0.5f ? scene->wall_y : rng_uniform(rng, 3.2f, scene->wall_y);
}

/* ---- objects ---- */

/* The table's point behind a point of the picture; false if there is none at a sensible distance. */
static bool unproject(const struct scene *scene, float x, float y, struct vec3 *point)
{
    const struct camera *camera = &scene->camera;
    struct vec3 d = camera_ray(camera, x * (float)scene->w, y * (float)scene->h);
    float usual = vec_length(camera->eye);
    float t = -camera->eye.z / d.z;
    if (!(d.z < 0 && t > 0.6f * usual && t < 2.6f * usual)) {
        return false;
    }
    *point = vec_along(camera->eye, d, t);
    return true;
}

/* A cone seen from below its base is a disc, and so is a cylinder. */
static bool is_telling(const struct scene *scene, const struct object *object)
{
    struct vec3 sight = vec_unit(vec_sub(scene->camera.eye, object->bound_center));
    float facing = fabsf(vec_dot(sight, object->axes[2]));
    return facing >= object->view_min && facing <= object->view_max;
}

static bool is_free(const struct scene *scene, const struct object *object)
{
    if (object->bound_center.y + object->footprint > scene->table_edge - 0.05f) {
        return false;
    }
    for (int i = 0; i < scene->object_count; i++) {
        const struct object *other = &scene->objects[i];
        float dx = object->bound_center.x - other->bound_center.x;
        float dy = object->bound_center.y - other->bound_center.y;
        float room = (object->footprint + other->footprint) * 1.01f;
        if (dx * dx + dy * dy < room * room) {
            return false;
        }
    }
    return true;
}

/* Try some places; only the first object is put down without a fitting one, in the middle, so that no picture
 * is empty. */
static void place_object(struct scene *scene, enum synth_set set, int class_id, float size,
                         bool more_lying, struct rng *rng)
{
    struct object *object = &scene->objects[scene->object_count];
    bool is_first = scene->object_count == 0;
    float margin = is_first ? -0.25f : 0.04f;
    for (int tries = 0; tries < 40; tries++) {
        struct vec3 point;
        float x = rng_uniform(rng, -margin, 1 + margin), y = rng_uniform(rng, -margin, 1 + margin);
        if (!unproject(scene, x, y, &point)) {
            continue;
        }
        model_make(set, class_id, size, rng, object);
        if (more_lying && object->axes[2].z > 0.99f && rng_unit(rng) < 0.35f) {
            model_make(set, class_id, size, rng, object);
        }
        model_put(object, point);
        if (is_free(scene, object) && is_telling(scene, object)) {
            scene->object_count++;
            return;
        }
    }
    if (is_first) {
        model_make(set, class_id, size, rng, object);
        model_put(object, (struct vec3){0});
        scene->object_count++;
    }
}

static void place_objects(struct scene *scene, enum synth_set set, bool more_lying, struct rng *rng)
{
    int count = 1 + (int)rng_below(rng, rng_unit(rng) < 0.25f ? 12 : 7);
    float crowd = 1.25f / sqrtf(sqrtf((float)count));
    for (int i = 0; i < count; i++) {
        float size = crowd * 0.32f * powf(3.2f, rng_unit(rng));
        place_object(scene, set, (int)rng_below(rng, SYNTH_CLASSES), size, more_lying, rng);
    }
    int others = set == SYNTH_TARGET && rng_unit(rng) < 0.6f ? 1 + (int)rng_below(rng, 4) : 0;
    for (int i = 0; i < others; i++) {
        int before = scene->object_count;
        int class_id = (int)rng_below(rng, SYNTH_CLASSES);
        place_object(scene, SYNTH_BASE, class_id, crowd * 0.3f * powf(2.5f, rng_unit(rng)),
                     more_lying, rng);
        if (scene->object_count > before) {
            scene->objects[before].class_id = -1;
        }
    }
}

static void choose_development(struct scene *scene, struct rng *rng)
{
    struct development *d = &scene->development;
    float unit = (float)(scene->w < scene->h ? scene->w : scene->h) / 416;
    d->exposure = rng_uniform(rng, 0.24f, 0.42f);
    d->vignette = rng_uniform(rng, 0, 0.35f);
    d->noise = 0.003f + 0.016f * powf(rng_unit(rng), 3);
    d->saturation = rng_uniform(rng, 0.8f, 1.15f);
    d->blur = rng_unit(rng) < 0.55f ? rng_uniform(rng, 1.5f, 5) * unit : 0;
    d->focus = vec_length(scene->camera.eye) * rng_uniform(rng, 0.85f, 1.1f);
    d->seed = (uint32_t)rng_next(rng);
}

void scene_make(const struct synth_request *request, struct scene *scene)
{
    struct rng rng = rng_make(request->seed, request->part, request->index);
    *scene = (struct scene){.w = request->w, .h = request->h};
    /* As if the sets were different seeds: the target's pictures are no base pictures redressed. */
    for (int i = 0; i < (int)request->set; i++) {
        rng = rng_make(rng_next(&rng), request->part, request->index);
    }
    place_backdrop(scene, &rng);
    place_camera(scene, rng_uniform(&rng, 1.5f, 2.7f), &rng);
    place_lights(scene, &rng);
    choose_development(scene, &rng);
    if (request->backgrounds == SYNTH_ROOMS) {
        place_objects(scene, request->set, false, &rng);
        return;
    }
    scene->paint = rng_make(rng_next(&rng), request->part, request->index);
    float kind = request->backgrounds == SYNTH_PHOTOS ? 1 : rng_unit(&scene->paint);
    scene->is_painted = kind >= 0.5f;
    if (kind < 0.45f || (kind >= 0.5f && kind < 0.7f)) {
        place_objects(scene, request->set, true, &rng);
    } else if (scene->is_painted) {
        scene->development.blur = 0;
    }
}
