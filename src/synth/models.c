#include "synth/models.h"

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
    object->axes[0] = vec_unit(vec_cross(other, axis));
    object->axes[1] = vec_cross(axis, object->axes[0]);
    object->axes[2] = axis;
    vec_turn(&object->axes[0], &object->axes[1], rng_unit(rng) * TAU);
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

/* Standing or, by this chance, lying on the table: then the frame's origin is `z` above it and the axis, `length` long,
 * drops by an angle. */
static void stand_or_lie(struct object *object, float chance, float drop, float z, float radius,
                         float length, struct rng *rng)
{
    if (rng_unit(rng) >= chance) {
        stand(object, rng);
        object->footprint = radius;
        return;
    }
    struct vec3 axis = heading(rng, drop);
    pose(object, axis, rng);
    object->position = (struct vec3){-axis.x * length / 2, -axis.y * length / 2, z};
    object->footprint = hypotf(radius, length / 2);
    object->view_max = 0.8f;
}

/* A line of a profile. */
#define TO(to_r, to_z, of_material)                                                                \
    {                                                                                              \
        .r = (to_r), .z = (to_z), .material = (of_material)                                        \
    }

#define LATHE(part, ...)                                                                           \
    lathe_make(part, (const struct lathe_step[]){__VA_ARGS__},                                     \
               sizeof((const struct lathe_step[]){__VA_ARGS__}) / sizeof(struct lathe_step))

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

static void make_cylinder(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    float slim = rng_uniform(rng, 0.45f, 1.0f);
    float r = size * 0.9f * slim, h = size * rng_uniform(rng, 1.1f, 2.1f);
    float bevel = lesser(r, h) * 0.06f;
    LATHE(part, TO(0, 0, 0), TO(r - bevel, 0, 0), TO(r, bevel, 0), TO(r, h - bevel, 0),
          TO(r - bevel, h, 0), TO(0, h, 0));
    object->is_convex = true;
    stand_or_lie(object, 0.35f, 0, r, r, h, rng);
}

static void make_cone(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    float r = size * rng_uniform(rng, 0.65f, 1.0f), h = size * rng_uniform(rng, 1.4f, 2.2f);
    float lip = r * 0.04f;
    LATHE(part, TO(0, 0, 0), TO(r - lip, 0, 0), TO(r, lip, 0), TO(0, h, 0));
    object->is_convex = true;
    float half_angle = atan2f(r, h - lip); /* lying on its side */
    stand_or_lie(object, 0.25f, half_angle, h * sinf(half_angle), r, h, rng);
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
    LATHE(body, TO(0, 0, 0), TO(r - foot, 0, 0), TO(r, foot, 0), TO(r + flare, h - wall * 0.5f, 0),
          {r + flare - wall, h - wall * 0.5f, 1, 4, r + flare - wall * 0.5f, h + wall * 0.35f},
          TO(r - wall, wall * 1.5f, 1), TO(0, wall * 1.5f, 1));
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
    float slope = collar - body, cap = neck * 1.25f, edge = neck * 0.12f;
    LATHE(part, TO(0, 0, 0), TO(r - foot, 0, 0), {r, foot, 0, 3, r, 0}, TO(r, label_low, 0),
          TO(r, label_high, has_label ? 1 : 0), TO(r, body, 0),
          {(r + neck) / 2, body + slope * 0.62f, 0, 4, r, body + slope * 0.45f},
          {neck, collar, 0, 4, neck, body + slope * 0.79f}, TO(neck, h * 0.9f, 0),
          TO(cap, h * 0.9f, 2), TO(cap, h - edge, 2), TO(cap - edge, h, 2), TO(0, h, 2));
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
    stand_or_lie(object, 0.18f, 0, r, r, h, rng);
}

static void make_mushroom(float size, struct rng *rng, struct object *object)
{
    struct part *part = part_add(object, PART_LATHE, 0);
    part->has_flat_pattern = true;
    float stem = size * rng_uniform(rng, 0.22f, 0.34f), r = size * rng_uniform(rng, 0.85f, 1.1f);
    float under = size * rng_uniform(rng, 0.75f, 1.1f),
          h = under + size * rng_uniform(rng, 0.55f, 0.85f);
    LATHE(part, TO(0, 0, 0), TO(stem * 1.25f, 0, 0),
          {stem * 0.85f, under, 0, 5, stem * 0.8f, under * 0.5f},
          TO(r * 0.94f, under - size * 0.05f, 0),
          {r, under + (h - under) * 0.25f, 1, 4, r * 1.06f, under - size * 0.02f},
          {0, h, 1, 10, r * 0.8f, h});
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
    LATHE(foot, TO(0, 0, 0), TO(r, 0, 0), TO(r, size * 0.08f, 0),
          {rod, size * 0.3f, 0, 5, rod * 1.5f, size * 0.1f}, TO(rod, h * 0.95f, 0),
          TO(0, h * 0.95f, 0));
    struct part *shade = part_add(object, PART_LATHE, 1);
    float wide = size * rng_uniform(rng, 0.75f, 1.0f), narrow = wide * rng_uniform(rng, 0.4f, 0.7f);
    shade->is_open = true;
    LATHE(shade, TO(wide, low, 0), TO(narrow, h, 0), TO(narrow * 0.4f, h, 1));
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

static const struct {
    const char *name;
    void (*make)(float size, struct rng *rng, struct object *object);
} classes[][SYNTH_CLASSES] = {
    [SYNTH_BASE] = {{"sphere", make_sphere},
                    {"cube", make_cube},
                    {"cylinder", make_cylinder},
                    {"cone", make_cone},
                    {"torus", make_torus}},
    [SYNTH_TARGET] = {{"mug", make_mug},
                      {"die", make_die},
                      {"bottle", make_bottle},
                      {"mushroom", make_mushroom},
                      {"lamp", make_lamp}},
};

const char *synth_class_name(enum synth_set set, int class_id)
{
    return classes[set][class_id].name;
}

void model_make(enum synth_set set, int class_id, float size, struct rng *rng,
                struct object *object)
{
    *object = (struct object){.class_id = class_id, .view_max = 1};
    for (int i = 0; i < OBJECT_MAX_MATERIALS; i++) {
        material_random(rng, &object->materials[i]);
    }
    classes[set][class_id].make(size, rng, object);
    object_bounds(object);
}

void model_put(struct object *object, struct vec3 point)
{
    struct vec3 by = {point.x - object->bound_center.x, point.y - object->bound_center.y, 0};
    object->position = vec_add(object->position, by);
    object->bound_center = vec_add(object->bound_center, by);
}
