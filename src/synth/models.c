#include "synth/models.h"

#include <stddef.h>

#define TAU 6.2831853f

static const char *const names[2][5] = {
    [SYNTH_BASE] = {"sphere", "cube", "cylinder", "cone", "torus"},
    [SYNTH_TARGET] = {"mug", "die", "bottle", "mushroom", "lamp"},
};

int synth_class_count(enum synth_set set)
{
    return (int)(sizeof names[set] / sizeof names[set][0]);
}

const char *synth_class_name(enum synth_set set, int class_id)
{
    return names[set][class_id];
}

/* ---- colours and materials ---- */

struct vec3 color_hsv(float hue, float saturation, float value)
{
    float rgb[3];
    for (int i = 0; i < 3; i++) {
        float h = hue + (float)(3 - i) / 3;
        h = fabsf((h - floorf(h)) * 6 - 3) - 1;
        float c = value * (1 + saturation * (clamp01(h) - 1));
        rgb[i] = c * c * (0.3f + 0.7f * c); /* close to sRGB's curve */
    }
    return (struct vec3){rgb[0], rgb[1], rgb[2]};
}

struct vec3 color_random(struct rng *rng)
{
    float hue = rng_unit(rng);
    float kind = rng_unit(rng);
    if (kind < 0.12f) {
        return color_hsv(hue, rng_uniform(rng, 0, 0.12f), rng_uniform(rng, 0.2f, 0.97f));
    }
    if (kind < 0.35f) {
        return color_hsv(hue, rng_uniform(rng, 0.2f, 0.5f), rng_uniform(rng, 0.5f, 0.92f));
    }
    return color_hsv(hue, rng_uniform(rng, 0.5f, 0.88f), rng_uniform(rng, 0.5f, 0.93f));
}

static float difference(struct vec3 a, struct vec3 b)
{
    return fabsf(a.x - b.x) + fabsf(a.y - b.y) + fabsf(a.z - b.z);
}

static void finish_random(struct rng *rng, struct material *m)
{
    float finish = rng_unit(rng);
    m->gloss = 0.04f;
    m->power = 3;
    m->reflect = 0;
    m->is_metal = false;
    if (finish > 0.9f) {
        m->is_metal = true;
        m->reflect = rng_uniform(rng, 0.45f, 0.75f);
        m->gloss = 0.8f;
        m->power = 7;
        m->texture = TEXTURE_PLAIN;
        m->a = vec_mix(m->a, (struct vec3){0.8f, 0.8f, 0.8f}, 0.35f);
    } else if (finish > 0.55f) {
        m->gloss = rng_uniform(rng, 0.45f, 0.9f);
        m->power = 6 + (int)rng_below(rng, 3);
        m->reflect = rng_uniform(rng, 0.03f, 0.08f);
    } else if (finish > 0.3f) {
        m->gloss = rng_uniform(rng, 0.12f, 0.3f);
        m->power = 4 + (int)rng_below(rng, 2);
    }
}

static void material_random(struct rng *rng, struct material *m)
{
    static const enum texture patterns[] = {
        TEXTURE_STRIPE,  TEXTURE_CHECK, TEXTURE_DOTS,  TEXTURE_MARBLE, TEXTURE_WOOD,
        TEXTURE_SPECKLE, TEXTURE_CLOUD, TEXTURE_CLOTH, TEXTURE_STRIPE, TEXTURE_DOTS,
    };
    *m = (struct material){.a = color_random(rng), .repeats = (float)(2 + (int)rng_below(rng, 3))};
    m->b = m->a;
    if (rng_unit(rng) < 0.48f) {
        m->texture = patterns[rng_below(rng, sizeof patterns / sizeof patterns[0])];
        for (int tries = 0; tries < 8 && difference(m->a, m->b) < 0.5f; tries++) {
            m->b = color_random(rng);
        }
        if (m->texture == TEXTURE_CLOTH || m->texture == TEXTURE_WOOD) {
            m->b = vec_scale(m->a, 0.35f);
        }
    }
    finish_random(rng, m);
}

/* One colour, no pattern. */
static void material_plain(struct rng *rng, struct vec3 color, struct material *m)
{
    *m = (struct material){.a = color, .b = color, .repeats = 2};
    finish_random(rng, m);
    if (m->is_metal) {
        m->is_metal = false;
        m->reflect = 0.06f;
        m->a = color;
    }
}

/* ---- poses ---- */

/* The frame's z axis along `axis` (unit), turned about it by a random angle. */
static void pose(struct object *object, struct vec3 axis, struct rng *rng)
{
    struct vec3 other = fabsf(axis.z) > 0.9f ? (struct vec3){1, 0, 0} : (struct vec3){0, 0, 1};
    struct vec3 x = vec_unit(vec_cross(other, axis));
    struct vec3 y = vec_cross(axis, x);
    float angle = rng_unit(rng) * TAU, c = cosf(angle), s = sinf(angle);
    object->axes[0] = vec_along(vec_scale(x, c), y, s);
    object->axes[1] = vec_along(vec_scale(y, c), x, -s);
    object->axes[2] = axis;
}

static void stand(struct object *object, struct rng *rng)
{
    pose(object, (struct vec3){0, 0, 1}, rng);
}

/* A horizontal direction, dropping by the given angle. */
static struct vec3 heading(struct rng *rng, float drop)
{
    float angle = rng_unit(rng) * TAU;
    return (struct vec3){cosf(angle) * cosf(drop), sinf(angle) * cosf(drop), -sinf(drop)};
}

static struct part *part_add(struct object *object, enum part_kind kind, int material)
{
    struct part *part = &object->parts[object->part_count++];
    *part = (struct part){.kind = kind, .material = material, .clip = -1e9f};
    return part;
}

/* ---- base shapes ---- */

static void make_sphere(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_SPHERE, 0);
    part->radius = size;
    part->bound = size * 1.0001f;
    /* Any direction: patterns show from all sides. */
    struct vec3 axis = {rng_normal(rng), rng_normal(rng), rng_normal(rng) + 0.01f};
    pose(object, vec_unit(axis), rng);
    object->position.z = size;
    object->footprint = size;
    object->is_convex = true;
}

static void box_part(struct part *part, float half)
{
    part->half = half;
    part->bevel = half * 0.07f;
    part->bound = half * 1.7322f;
    part->center.z = half;
}

static void make_cube(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_BOX, 0);
    box_part(part, size * 0.85f);
    part->corner = rng_unit(rng) < 0.2f ? part->half * 1.6f : 0;
    stand(object, rng);
    object->footprint = part->half * 1.4143f;
    object->is_convex = true;
}

static void cylinder_profile(struct part *part, float r, float h)
{
    float bevel = lesser(r, h) * 0.06f;
    lathe_start(part, 0, 0);
    lathe_line(part, r - bevel, 0, 0);
    lathe_line(part, r, bevel, 0);
    lathe_line(part, r, h - bevel, 0);
    lathe_line(part, r - bevel, h, 0);
    lathe_line(part, 0, h, 0);
    lathe_finish(part);
}

static void make_cylinder(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    float slim = rng_uniform(rng, 0.45f, 1.0f);
    float r = size * 0.9f * slim, h = size * rng_uniform(rng, 1.1f, 2.1f);
    cylinder_profile(part, r, h);
    object->is_convex = true;
    if (rng_unit(rng) < 0.35f) {
        struct vec3 axis = heading(rng, 0);
        pose(object, axis, rng);
        object->position = (struct vec3){-axis.x * h / 2, -axis.y * h / 2, r};
        object->footprint = hypotf(r, h / 2);
        object->view_max = 0.8f;
    } else {
        stand(object, rng);
        object->footprint = r;
    }
}

static void make_cone(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    float r = size * rng_uniform(rng, 0.65f, 1.0f), h = size * rng_uniform(rng, 1.4f, 2.2f);
    float lip = r * 0.04f;
    lathe_start(part, 0, 0);
    lathe_line(part, r - lip, 0, 0);
    lathe_line(part, r, lip, 0);
    lathe_line(part, 0, h, 0);
    lathe_finish(part);
    object->is_convex = true;
    if (rng_unit(rng) < 0.25f) { /* lying on its side: the axis drops by half the opening angle */
        float half_angle = atan2f(r, h - lip);
        struct vec3 axis = heading(rng, half_angle);
        pose(object, axis, rng);
        object->position = (struct vec3){-axis.x * h / 2, -axis.y * h / 2, h * sinf(half_angle)};
        object->footprint = hypotf(r, h / 2);
        object->view_max = 0.8f;
    } else {
        stand(object, rng);
        object->footprint = r;
    }
}

static void make_torus(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_TORUS, 0);
    part->tube = size * rng_uniform(rng, 0.2f, 0.36f);
    part->radius = size * 1.08f - part->tube;
    part->bound = (part->radius + part->tube) * 1.001f;
    if (rng_unit(rng) < 0.4f) {
        pose(object, heading(rng, 0), rng);
        object->position.z = part->radius + part->tube;
        object->view_min = 0.25f;
    } else {
        stand(object, rng);
        object->position.z = part->tube;
    }
    object->footprint = part->radius + part->tube;
}

/* ---- target objects ---- */

static void make_mug(float size, struct rng *rng, struct object *object)
{
    struct part *body = part_add(object, PART_LATHE, 0);
    float r = size * rng_uniform(rng, 0.62f, 0.78f), h = size * rng_uniform(rng, 1.45f, 1.9f);
    float wall = r * 0.11f, flare = r * rng_uniform(rng, -0.08f, 0.1f), foot = r * 0.06f;
    lathe_start(body, 0, 0);
    lathe_line(body, r - foot, 0, 0);
    lathe_line(body, r, foot, 0);
    lathe_line(body, r + flare, h - wall * 0.5f, 0);
    const float over[2] = {r + flare - wall * 0.5f, h + wall * 0.35f};
    const float rim[2] = {r + flare - wall, h - wall * 0.5f};
    lathe_curve(body, over, rim, 4, 1);
    lathe_line(body, r - wall, wall * 1.5f, 1);
    lathe_line(body, 0, wall * 1.5f, 1);
    lathe_finish(body);
    struct part *handle = part_add(object, PART_TORUS, 2);
    handle->is_upright = true;
    handle->tube = r * rng_uniform(rng, 0.12f, 0.17f);
    handle->radius = h * rng_uniform(rng, 0.2f, 0.25f);
    handle->stretch = h * rng_uniform(rng, 0.03f, 0.1f);
    float at = r + lesser(flare, 0) - wall * 0.5f;
    handle->center = (struct vec3){at + handle->radius * 0.35f, 0, h * 0.52f};
    handle->clip = at - handle->center.x;
    handle->bound = (handle->radius + handle->tube + handle->stretch) * 1.001f;
    stand(object, rng);
    object->footprint = handle->center.x + handle->radius + handle->tube;
    if (rng_unit(rng) < 0.6f) {
        material_plain(rng, color_hsv(rng_unit(rng), 0.05f, 0.93f), &object->materials[1]);
    } else {
        material_plain(rng, object->materials[0].a, &object->materials[1]);
    }
    material_plain(rng, rng_unit(rng) < 0.7f ? object->materials[0].a : object->materials[1].a,
                   &object->materials[2]);
}

static void make_die(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_BOX, 0);
    box_part(part, size * 0.8f);
    part->corner = part->half * rng_uniform(rng, 1.42f, 1.55f);
    part->has_pips = true;
    part->pips_turn = (int)rng_below(rng, 6);
    stand(object, rng);
    object->footprint = part->half * 1.4143f;
    object->is_convex = true;
    struct vec3 pale = {0.85f, 0.85f, 0.8f}, dark = {0.02f, 0.02f, 0.025f};
    bool is_white = rng_unit(rng) < 0.5f;
    struct vec3 color = is_white ? pale : vec_scale(color_random(rng), 0.75f);
    material_plain(rng, color, &object->materials[0]);
    bool is_bright = color.x + color.y + color.z > 0.8f;
    object->materials[0].b = is_bright ? dark : pale;
}

static void bottle_profile(struct part *part, float r, float h, struct rng *rng)
{
    float neck = r * rng_uniform(rng, 0.3f, 0.42f), body = h * rng_uniform(rng, 0.5f, 0.64f);
    float collar = h * rng_uniform(rng, 0.76f, 0.84f), foot = r * 0.12f;
    float label_low = body * 0.22f, label_high = body * rng_uniform(rng, 0.6f, 0.85f);
    bool has_label = rng_unit(rng) < 0.75f;
    lathe_start(part, 0, 0);
    lathe_line(part, r - foot, 0, 0);
    const float heel[2] = {r, 0}, side[2] = {r, foot};
    lathe_curve(part, heel, side, 3, 0);
    lathe_line(part, r, label_low, 0);
    lathe_line(part, r, label_high, has_label ? 1 : 0);
    lathe_line(part, r, body, 0);
    const float shoulder_a[2] = {r, body + (collar - body) * 0.45f};
    const float half_way[2] = {(r + neck) / 2, body + (collar - body) * 0.62f};
    lathe_curve(part, shoulder_a, half_way, 4, 0);
    const float shoulder_b[2] = {neck, body + (collar - body) * 0.79f}, top[2] = {neck, collar};
    lathe_curve(part, shoulder_b, top, 4, 0);
    lathe_line(part, neck, h * 0.9f, 0);
    float cap = neck * 1.25f, edge = neck * 0.12f;
    lathe_line(part, cap, h * 0.9f, 2);
    lathe_line(part, cap, h - edge, 2);
    lathe_line(part, cap - edge, h, 2);
    lathe_line(part, 0, h, 2);
    lathe_finish(part);
}

static void make_bottle(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    float r = size * rng_uniform(rng, 0.42f, 0.58f), h = size * rng_uniform(rng, 2.3f, 2.9f);
    bottle_profile(part, r, h, rng);
    material_random(rng, &object->materials[1]);
    object->materials[1].gloss = 0.05f;
    material_plain(rng, color_random(rng), &object->materials[2]);
    if (rng_unit(rng) < 0.7f) { /* glass or glaze: dark, with clear highlights */
        struct material *body = &object->materials[0];
        *body = (struct material){.repeats = 2, .gloss = 0.9f, .power = 8, .reflect = 0.09f};
        body->a = body->b =
            color_hsv(rng_unit(rng), rng_uniform(rng, 0.5f, 0.95f), rng_uniform(rng, 0.3f, 0.75f));
    }
    if (rng_unit(rng) < 0.18f) {
        struct vec3 axis = heading(rng, 0);
        pose(object, axis, rng);
        object->position = (struct vec3){-axis.x * h / 2, -axis.y * h / 2, r};
        object->footprint = hypotf(r, h / 2);
        object->view_max = 0.8f;
    } else {
        stand(object, rng);
        object->footprint = r;
    }
}

static void make_mushroom(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    part->has_flat_pattern = true;
    float stem = size * rng_uniform(rng, 0.22f, 0.34f), r = size * rng_uniform(rng, 0.85f, 1.1f);
    float under = size * rng_uniform(rng, 0.75f, 1.1f),
          h = under + size * rng_uniform(rng, 0.55f, 0.85f);
    lathe_start(part, 0, 0);
    lathe_line(part, stem * 1.25f, 0, 0);
    const float waist[2] = {stem * 0.8f, under * 0.5f}, neck[2] = {stem * 0.85f, under};
    lathe_curve(part, waist, neck, 5, 0);
    lathe_line(part, r * 0.94f, under - size * 0.05f, 0);
    const float lip[2] = {r * 1.06f, under - size * 0.02f},
                edge[2] = {r, under + (h - under) * 0.25f};
    lathe_curve(part, lip, edge, 4, 1);
    const float dome[2] = {r * 0.8f, h}, top[2] = {0, h};
    lathe_curve(part, dome, top, 10, 1);
    lathe_finish(part);
    stand(object, rng);
    object->footprint = r;
    material_plain(rng, color_hsv(0.11f, rng_uniform(rng, 0.05f, 0.3f), 0.9f),
                   &object->materials[0]);
    material_random(rng, &object->materials[1]);
    if (rng_unit(rng) < 0.6f) {
        struct material *cap = &object->materials[1];
        cap->texture = TEXTURE_DOTS;
        cap->is_metal = false;
        cap->reflect = lesser(cap->reflect, 0.05f);
        cap->repeats = (float)(4 + (int)rng_below(rng, 4));
        cap->b = (struct vec3){0.85f, 0.83f, 0.78f};
    }
}

static void make_lamp(float size, struct rng *rng, struct object *object)
{
    struct part *foot = part_add(object, PART_LATHE, 0);
    float r = size * rng_uniform(rng, 0.5f, 0.65f), rod = size * rng_uniform(rng, 0.06f, 0.1f);
    float h = size * rng_uniform(rng, 2.1f, 2.7f), low = h * rng_uniform(rng, 0.52f, 0.62f);
    lathe_start(foot, 0, 0);
    lathe_line(foot, r, 0, 0);
    lathe_line(foot, r, size * 0.08f, 0);
    const float slope[2] = {rod * 1.5f, size * 0.1f}, joint[2] = {rod, size * 0.3f};
    lathe_curve(foot, slope, joint, 5, 0);
    lathe_line(foot, rod, h * 0.95f, 0);
    lathe_line(foot, 0, h * 0.95f, 0);
    lathe_finish(foot);
    struct part *shade = part_add(object, PART_LATHE, 1);
    float wide = size * rng_uniform(rng, 0.75f, 1.0f), narrow = wide * rng_uniform(rng, 0.4f, 0.7f);
    shade->is_open = true;
    lathe_start(shade, wide, low);
    lathe_line(shade, narrow, h, 0);
    lathe_line(shade, narrow * 0.4f, h, 1);
    lathe_finish(shade);
    stand(object, rng);
    object->footprint = greater(r, wide);
    material_plain(rng, color_random(rng), &object->materials[0]);
    material_random(rng, &object->materials[1]);
    object->materials[1].is_metal = false;
    object->materials[1].reflect = 0;
    object->materials[1].gloss = 0.03f;
    object->materials[1].glow = rng_unit(rng) < 0.6f ? rng_uniform(rng, 0.3f, 1.1f) : 0;
    object->materials[2] = object->materials[1];
}

static void (*const makers[2][5])(float size, struct rng *rng, struct object *object) = {
    [SYNTH_BASE] = {make_sphere, make_cube, make_cylinder, make_cone, make_torus},
    [SYNTH_TARGET] = {make_mug, make_die, make_bottle, make_mushroom, make_lamp},
};

void model_make(enum synth_set set, int class_id, float size, struct rng *rng,
                struct object *object)
{
    *object = (struct object){.class_id = class_id, .view_max = 1};
    for (int i = 0; i < OBJECT_MAX_MATERIALS; i++) {
        material_random(rng, &object->materials[i]);
    }
    makers[set][class_id](size, rng, object);
    object_bounds(object);
}

void model_move(struct object *object, struct vec3 by)
{
    object->position = vec_add(object->position, by);
    object->bound_center = vec_add(object->bound_center, by);
}
