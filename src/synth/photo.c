#include "synth/photo.h"

#include <stdbool.h>
#include <stddef.h>

#include "synth/models.h"

/* Beyond this many sizes no leaf goes. */
#define REACH 1.8f

enum { PALETTE = 6, WAVES = 5, RADII = 64, POLYGON_MAX = 7, LIMBS_MAX = 9 };

struct painter {
    const struct textures *textures;
    int w, h;
    float unit; /* the shorter side */
    struct rng *rng;
    struct vec3 palette[PALETTE];
    struct vec3 *out; /* square roots of light while painting: about what the eye sees */
};

static float below(struct painter *p, float low, float high)
{
    return rng_uniform(p->rng, low, high);
}

static bool chance(struct painter *p, float share)
{
    return rng_unit(p->rng) < share;
}

/* ---- colours ---- */

static struct vec3 root(struct vec3 c)
{
    return (struct vec3){sqrtf(c.x), sqrtf(c.y), sqrtf(c.z)};
}

/* As photographs have them: mostly muted; browns, then blues, then greens. */
static struct vec3 natural_color(struct painter *p)
{
    float kind = rng_unit(p->rng), hue = rng_unit(p->rng), value = below(p, 0.06f, 0.95f);
    if (kind < 0.08f) {
        return root(color_random(p->rng));
    }
    if (kind < 0.48f) {
        hue = 0.085f + 0.03f * rng_normal(p->rng);
    } else if (kind < 0.7f) {
        hue = 0.58f + 0.03f * rng_normal(p->rng);
    } else if (kind < 0.9f) {
        hue = 0.25f + 0.05f * rng_normal(p->rng);
    }
    float saturation = lesser(0.85f, 0.28f * fabsf(rng_normal(p->rng)));
    return root(color_hsv(hue, saturation, value));
}

static struct vec3 palette_color(struct painter *p)
{
    struct vec3 color = p->palette[rng_below(p->rng, PALETTE)];
    return vec_scale(color, below(p, 0.75f, 1.25f));
}

/* ---- surfaces ---- */

/* Colour of a patch: two colours by a texture, a gradient, rounded or not. */
struct surface_look {
    struct vec3 a, b;
    enum texture texture;
    float turn_c, turn_s, repeats, shift_u, shift_v; /* tiles over the picture's shorter side */
    float slope_x, slope_y;                          /* of the brightness, over the patch */
    float round;                                     /* how much darker the rim is */
};

static enum texture random_texture(struct painter *p)
{
    static const enum texture often[] = {TEXTURE_CLOUD,   TEXTURE_CLOUD, TEXTURE_CLOUD,
                                         TEXTURE_SPECKLE, TEXTURE_WOOD,  TEXTURE_MARBLE,
                                         TEXTURE_CLOTH,   TEXTURE_PLAIN};
    if (chance(p, 0.12f)) {
        return (enum texture)rng_below(p->rng, TEXTURE_COUNT);
    }
    return often[rng_below(p->rng, sizeof often / sizeof often[0])];
}

static struct surface_look random_look(struct painter *p, struct vec3 color)
{
    float turn = below(p, 0, TAU), tone = 0.25f * powf(7, rng_unit(p->rng));
    struct surface_look look = {.a = color, .texture = random_texture(p)};
    look.b = vec_mix(vec_scale(color, tone), palette_color(p), below(p, 0, 0.35f));
    look.turn_c = cosf(turn);
    look.turn_s = sinf(turn);
    look.repeats = 0.3f * powf(20, rng_unit(p->rng));
    look.shift_u = rng_unit(p->rng);
    look.shift_v = rng_unit(p->rng);
    look.slope_x = below(p, -0.3f, 0.3f);
    look.slope_y = below(p, -0.3f, 0.3f);
    look.round = chance(p, 0.5f) ? below(p, 0, 0.6f) : 0;
    return look;
}

/* x, y in shorter sides; footprint: a pixel's width there. */
static struct vec3 look_at(const struct painter *p, const struct surface_look *look, float x,
                           float y, float footprint)
{
    float u = (x * look->turn_c + y * look->turn_s) * look->repeats + look->shift_u;
    float v = (y * look->turn_c - x * look->turn_s) * look->repeats + look->shift_v;
    return vec_mix(look->a, look->b,
                   texture_at(p->textures, look->texture, u, v, footprint * look->repeats));
}

/* ---- leaves: things that hide what is behind them ---- */

enum leaf_kind { LEAF_BLOB, LEAF_POLYGON, LEAF_STRIP, LEAF_RING };

struct leaf {
    enum leaf_kind kind;
    float x, y, size;        /* pixels; size: about half the extent */
    float c, s, flat;        /* turned; flat: height over width */
    float radius[RADII + 1]; /* of blobs, in sizes, all around from the left */
    float edge_c[POLYGON_MAX], edge_s[POLYGON_MAX], edge[POLYGON_MAX];
    int edges;
    float thick, taper, bend; /* of strips and rings, in sizes */
    int spokes;
    float soft, opacity;
    struct surface_look look;
};

static float blob_depth(const struct leaf *leaf, float u, float v)
{
    float turn = (atan2f(v, u) / TAU + 0.5f) * RADII;
    int at = (int)turn < RADII - 1 ? (int)turn : RADII - 1;
    float part = turn - (float)at;
    return leaf->radius[at] + (leaf->radius[at + 1] - leaf->radius[at]) * part - hypotf(u, v);
}

static float polygon_depth(const struct leaf *leaf, float u, float v)
{
    float depth = 1e9f;
    for (int i = 0; i < leaf->edges; i++) {
        depth = lesser(depth, leaf->edge[i] - u * leaf->edge_c[i] - v * leaf->edge_s[i]);
    }
    return depth;
}

static float strip_depth(const struct leaf *leaf, float u, float v)
{
    float across = fabsf(v - leaf->bend * (u * u - 0.5f));
    return lesser(leaf->thick * (1 + leaf->taper * u) - across, 1 - fabsf(u));
}

static float ring_depth(const struct leaf *leaf, float u, float v)
{
    float r = hypotf(u, v), depth = leaf->thick - fabsf(r - 1 + leaf->thick);
    if (leaf->spokes > 0 && r < 1) {
        float turn = atan2f(v, u) / TAU * (float)leaf->spokes + 0.5f;
        float off = fabsf(turn - floorf(turn) - 0.5f) * TAU / (float)leaf->spokes * r;
        depth = greater(depth, 0.012f - off);
    }
    return depth;
}

/* How deep (x, y) lies inside the leaf, in sizes; *u, *v: where on it. */
static float leaf_depth(const struct leaf *leaf, float x, float y, float *u, float *v)
{
    float dx = (x - leaf->x) / leaf->size, dy = (y - leaf->y) / leaf->size;
    *u = dx * leaf->c + dy * leaf->s;
    *v = (dy * leaf->c - dx * leaf->s) / leaf->flat;
    if (*u * *u + *v * *v > REACH * REACH) {
        return -1;
    }
    switch (leaf->kind) {
    case LEAF_BLOB:
        return blob_depth(leaf, *u, *v);
    case LEAF_POLYGON:
        return polygon_depth(leaf, *u, *v);
    case LEAF_STRIP:
        return strip_depth(leaf, *u, *v);
    default:
        return ring_depth(leaf, *u, *v);
    }
}

static int clamp_pixel(float at, int end)
{
    return at < 0 ? 0 : at > (float)end ? end : (int)at;
}

static void paint_leaf(struct painter *p, const struct leaf *leaf)
{
    float reach = REACH * leaf->size + leaf->soft;
    int x1 = clamp_pixel(leaf->x - reach, p->w), x2 = clamp_pixel(leaf->x + reach, p->w);
    int y1 = clamp_pixel(leaf->y - reach, p->h), y2 = clamp_pixel(leaf->y + reach, p->h);
    float sharp = leaf->size * lesser(1, leaf->flat) / leaf->soft;
    for (int y = y1; y < y2; y++) {
        for (int x = x1; x < x2; x++) {
            float u, v, depth = leaf_depth(leaf, (float)x, (float)y, &u, &v);
            float cover = clamp01(depth * sharp + 0.5f) * leaf->opacity;
            if (!(cover > 0)) {
                continue;
            }
            struct vec3 *to = &p->out[(size_t)y * (size_t)p->w + (size_t)x];
            const struct surface_look *look = &leaf->look;
            struct vec3 color =
                look_at(p, look, (float)x / p->unit, (float)y / p->unit, 1 / p->unit);
            float rim = 1 - clamp01(2 * depth);
            float light =
                (1 + look->slope_x * u + look->slope_y * v) * (1 - look->round * rim * rim);
            *to = vec_mix(*to, vec_scale(color, light), cover);
        }
    }
}

static void start_leaf(struct painter *p, enum leaf_kind kind, float x, float y, float size,
                       struct leaf *leaf)
{
    float turn = below(p, 0, TAU);
    *leaf = (struct leaf){.kind = kind, .x = x, .y = y, .size = size, .flat = 1, .opacity = 1};
    leaf->c = cosf(turn);
    leaf->s = sinf(turn);
    leaf->soft = 1 + (chance(p, 0.3f) ? below(p, 0, 0.012f) * p->unit : 0);
}

static void point_leaf(struct leaf *leaf, float turn)
{
    leaf->c = cosf(turn);
    leaf->s = sinf(turn);
}

static void shape_blob(struct painter *p, float rough, struct leaf *leaf)
{
    leaf->flat = below(p, 0.35f, 1);
    float wave[WAVES], phase[WAVES];
    for (int i = 0; i < WAVES; i++) {
        wave[i] = rough * rng_normal(p->rng) / (float)(i + 2);
        phase[i] = below(p, 0, TAU);
    }
    for (int k = 0; k <= RADII; k++) {
        float angle = ((float)k / RADII - 0.5f) * TAU, r = 1;
        for (int i = 0; i < WAVES; i++) {
            r += wave[i] * sinf((float)(i + 2) * angle + phase[i]);
        }
        leaf->radius[k] = r;
    }
}

static void shape_polygon(struct painter *p, struct leaf *leaf)
{
    bool is_upright = chance(p, 0.5f);
    leaf->edges = chance(p, 0.6f) ? 4 : 3 + (int)rng_below(p->rng, POLYGON_MAX - 2);
    leaf->flat = below(p, 0.25f, 1);
    float loose = chance(p, 0.5f) ? 0.08f : 0.3f;
    for (int i = 0; i < leaf->edges; i++) {
        float turn = ((float)i + below(p, -loose, loose)) * TAU / (float)leaf->edges;
        leaf->edge_c[i] = cosf(turn);
        leaf->edge_s[i] = sinf(turn);
        leaf->edge[i] = below(p, 0.6f, 1);
    }
    if (is_upright) {
        point_leaf(leaf, below(p, -0.08f, 0.08f) + (chance(p, 0.5f) ? TAU / 4 : 0));
    }
}

static void shape_strip(struct painter *p, float thick, struct leaf *leaf)
{
    leaf->thick = thick;
    leaf->taper = below(p, -0.5f, 0.5f);
    leaf->bend = chance(p, 0.5f) ? 0.25f * rng_normal(p->rng) : 0;
}

static void shape_ring(struct painter *p, struct leaf *leaf)
{
    leaf->flat = below(p, 0.3f, 1);
    leaf->thick = below(p, 0.015f, 0.09f);
    leaf->spokes = chance(p, 0.5f) ? 5 + (int)rng_below(p->rng, 30) : 0;
    leaf->look.round = 0;
}

static void random_leaf(struct painter *p, float x, float y, float size, struct leaf *leaf)
{
    float kind = rng_unit(p->rng);
    start_leaf(p, LEAF_BLOB, x, y, size, leaf);
    leaf->look = random_look(p, palette_color(p));
    if (kind < 0.45f) {
        shape_blob(p, below(p, 0.05f, 0.45f), leaf);
    } else if (kind < 0.72f) {
        leaf->kind = LEAF_POLYGON;
        shape_polygon(p, leaf);
    } else if (kind < 0.95f) {
        leaf->kind = LEAF_STRIP;
        shape_strip(p, below(p, 0.02f, 0.25f), leaf);
    } else {
        leaf->kind = LEAF_RING;
        shape_ring(p, leaf);
    }
}

/* The leaf with, sometimes, the shadow that it throws. */
static void put_leaf(struct painter *p, const struct leaf *leaf)
{
    if (chance(p, 0.3f)) {
        struct leaf shadow = *leaf;
        shadow.look = (struct surface_look){.texture = TEXTURE_PLAIN};
        shadow.x += below(p, -0.3f, 0.3f) * leaf->size;
        shadow.y += below(p, 0, 0.3f) * leaf->size;
        shadow.soft = leaf->soft + 0.15f * leaf->size;
        shadow.opacity = below(p, 0.2f, 0.6f);
        paint_leaf(p, &shadow);
    }
    paint_leaf(p, leaf);
}

/* Sizes s with a density of s^-3, as things in photographs have: most are small. */
static float leaf_size(struct painter *p, float least, float most)
{
    float a = 1 / (least * least), b = 1 / (most * most);
    return p->unit / sqrtf(a + (b - a) * rng_unit(p->rng));
}

static void paint_leaves(struct painter *p, int count, float top)
{
    float least = 0.012f * powf(10, rng_unit(p->rng));
    for (int i = 0; i < count; i++) {
        struct leaf leaf;
        float size = leaf_size(p, least, 0.6f);
        float x = below(p, -0.1f, 1.1f) * (float)p->w, y = below(p, top, 1.1f) * (float)p->h;
        random_leaf(p, x, y, size, &leaf);
        put_leaf(p, &leaf);
    }
}

/* Foliage, gravel, a crowd: many of one kind about a place. */
static void paint_cluster(struct painter *p)
{
    struct vec3 color = palette_color(p);
    float x = below(p, 0, 1) * (float)p->w, y = below(p, 0, 1) * (float)p->h;
    float spread = below(p, 0.05f, 0.3f) * p->unit, size = below(p, 0.008f, 0.05f) * p->unit;
    float rough = below(p, 0.05f, 0.5f);
    int count = 30 + (int)rng_below(p->rng, 150);
    bool is_strips = chance(p, 0.3f);
    for (int i = 0; i < count; i++) {
        struct leaf leaf;
        float at_x = x + spread * rng_normal(p->rng), at_y = y + 0.7f * spread * rng_normal(p->rng);
        start_leaf(p, LEAF_BLOB, at_x, at_y, size * below(p, 0.5f, 1.5f), &leaf);
        leaf.look = random_look(p, vec_scale(color, below(p, 0.5f, 1.3f)));
        if (is_strips) {
            leaf.kind = LEAF_STRIP;
            leaf.size *= 2;
            shape_strip(p, 0.12f, &leaf);
        } else {
            shape_blob(p, rough, &leaf);
        }
        paint_leaf(p, &leaf);
    }
}

/* Fences, columns, windows: one thing again and again, each smaller by the same part. */
static void paint_row(struct painter *p)
{
    struct leaf leaf;
    float size = below(p, 0.03f, 0.2f) * p->unit, shrink = below(p, 0.85f, 1);
    float x = below(p, 0, 0.6f) * (float)p->w, y = below(p, 0.1f, 0.9f) * (float)p->h;
    start_leaf(p, chance(p, 0.5f) ? LEAF_STRIP : LEAF_POLYGON, x, y, size, &leaf);
    leaf.look = random_look(p, palette_color(p));
    if (leaf.kind == LEAF_STRIP) {
        shape_strip(p, below(p, 0.04f, 0.3f), &leaf);
    } else {
        shape_polygon(p, &leaf);
    }
    if (chance(p, 0.7f)) {
        point_leaf(&leaf, TAU / 4);
    }
    float step = size * below(p, 0.4f, 2.2f), turn = below(p, -0.4f, 0.4f);
    int count = 3 + (int)rng_below(p->rng, 15);
    for (int i = 0; i < count; i++) {
        paint_leaf(p, &leaf);
        leaf.x += step * cosf(turn);
        leaf.y += step * sinf(turn);
        leaf.size *= shrink;
        step *= shrink;
    }
}

/* ---- figures: a body with limbs and a head ---- */

static void paint_limb(struct painter *p, const struct leaf *body, float x, float y, float length,
                       float turn)
{
    struct leaf limb;
    float thick = below(p, 0.08f, 0.22f);
    start_leaf(p, LEAF_STRIP, x + 0.9f * length * cosf(turn), y + 0.9f * length * sinf(turn),
               length, &limb);
    point_leaf(&limb, turn);
    shape_strip(p, thick, &limb);
    limb.taper = below(p, -0.5f, 0);
    limb.look = body->look;
    limb.look.a = vec_scale(limb.look.a, below(p, 0.7f, 1.1f));
    paint_leaf(p, &limb);
}

static void paint_figure(struct painter *p)
{
    struct leaf body, head;
    float size = p->unit * 0.03f * powf(9, rng_unit(p->rng));
    float x = below(p, 0, 1) * (float)p->w, y = below(p, 0.2f, 0.95f) * (float)p->h;
    bool is_upright = chance(p, 0.5f);
    start_leaf(p, LEAF_BLOB, x, y, size, &body);
    point_leaf(&body, below(p, -0.25f, 0.25f) + (is_upright ? TAU / 4 : 0));
    body.look = random_look(p, palette_color(p));
    body.look.round = below(p, 0.1f, 0.6f);
    shape_blob(p, 0.2f, &body);
    body.flat = below(p, 0.35f, 0.6f);
    int limbs = 2 + (int)rng_below(p->rng, LIMBS_MAX - 1);
    for (int i = 0; i < limbs; i++) {
        float along = below(p, -0.8f, 0.8f) * size;
        float turn = TAU / 4 + (chance(p, 0.75f) ? 0.3f : 1.5f) * rng_normal(p->rng);
        paint_limb(p, &body, x + along * body.c, y + along * body.s, size * below(p, 0.5f, 1),
                   turn);
    }
    put_leaf(p, &body);
    float side = is_upright || chance(p, 0.5f) ? -1 : 1;
    start_leaf(p, LEAF_BLOB, x + side * 1.25f * size * body.c,
               y + side * 1.25f * size * body.s - 0.2f * size, size * below(p, 0.25f, 0.42f),
               &head);
    head.look = chance(p, 0.6f) ? body.look : random_look(p, palette_color(p));
    shape_blob(p, 0.2f, &head);
    head.flat = below(p, 0.55f, 0.9f);
    paint_leaf(p, &head);
}

/* ---- what lies behind it all ---- */

/* Octaves of noise, halved in height as they double in frequency, over a gradient. */
static void paint_field(struct painter *p)
{
    struct surface_look looks[3];
    for (int i = 0; i < 3; i++) {
        looks[i] = random_look(p, palette_color(p));
        looks[i].texture = chance(p, 0.8f) ? TEXTURE_CLOUD : random_texture(p);
    }
    looks[0].repeats = below(p, 0.1f, 0.5f);
    float part = chance(p, 0.2f) ? 0 : below(p, 0.1f, 0.6f);
    struct vec3 low = palette_color(p), high = palette_color(p);
    float turn = below(p, 0, TAU);
    for (int y = 0; y < p->h; y++) {
        for (int x = 0; x < p->w; x++) {
            float fx = (float)x / p->unit, fy = (float)y / p->unit;
            float along = 0.5f + 0.6f * ((fx - 0.5f) * cosf(turn) + (fy - 0.5f) * sinf(turn));
            struct vec3 color = vec_mix(low, high, clamp01(along));
            for (int i = 0; i < 3; i++) {
                color = vec_mix(color, look_at(p, &looks[i], fx, fy, 1 / p->unit),
                                i == 0 ? part : part / 2);
            }
            p->out[(size_t)y * (size_t)p->w + (size_t)x] = color;
        }
    }
}

/* Ground in perspective below `horizon` (in pixels), the end of it hazy. */
static void paint_ground(struct painter *p, float horizon)
{
    struct surface_look look = random_look(p, palette_color(p));
    look.repeats *= 0.15f;
    float slope = 0.08f * rng_normal(p->rng), haze = below(p, 0, 0.5f);
    float wave = below(p, 0, 0.06f) * p->unit, wave_turn = below(p, 0, TAU),
          pace = below(p, 3, 12) / p->unit;
    for (int x = 0; x < p->w; x++) {
        float fx = (float)x - (float)p->w / 2;
        float line = horizon + slope * fx + wave * sinf(pace * fx + wave_turn);
        for (int y = clamp_pixel(line, p->h); y < p->h; y++) {
            float below_line = ((float)y - line) / p->unit + 0.02f, far = 1 / below_line;
            struct vec3 color = look_at(p, &look, fx / p->unit * far, far, far * far / p->unit);
            struct vec3 *to = &p->out[(size_t)y * (size_t)p->w + (size_t)x];
            *to = vec_mix(color, *to, haze * lesser(1, 0.05f * far));
        }
    }
}

/* Hills or a skyline: from a broken line downwards. */
static void paint_ridge(struct painter *p, float height)
{
    struct surface_look look = random_look(p, palette_color(p));
    bool is_skyline = chance(p, 0.4f);
    float rough = below(p, 0.02f, 0.25f) * p->unit, scale = below(p, 0.3f, 3),
          shift = rng_unit(p->rng);
    for (int x = 0; x < p->w; x++) {
        float u = (float)x / p->unit * scale;
        u = is_skyline ? floorf(u * 8) / 8 * 1.7f : u;
        float line =
            height +
            rough * (texture_at(p->textures, TEXTURE_CLOUD, u * 0.3f, shift, 0) - 0.5f) * 2;
        for (int y = clamp_pixel(line, p->h); y < p->h; y++) {
            p->out[(size_t)y * (size_t)p->w + (size_t)x] =
                look_at(p, &look, (float)x / p->unit, (float)y / p->unit, 1 / p->unit);
        }
    }
}

static void paint_landscape(struct painter *p)
{
    float horizon = below(p, 0.1f, 0.85f) * (float)p->h;
    int ridges = (int)rng_below(p->rng, 4);
    for (int i = 0; i < ridges; i++) {
        paint_ridge(p, horizon - below(p, 0, 0.25f) * (float)p->h);
    }
    paint_ground(p, horizon);
}

/* ---- the whole ---- */

/* A box filter's pass along rows (step 1) or columns (step w), `lines` of `count` pixels. */
static void smooth(struct vec3 *data, int lines, size_t line_step, int count, size_t step)
{
    for (int l = 0; l < lines; l++) {
        struct vec3 *line = data + (size_t)l * line_step, before = line[0];
        for (int i = 0; i < count; i++) {
            struct vec3 own = line[(size_t)i * step],
                        after = i + 1 < count ? line[(size_t)(i + 1) * step] : own;
            line[(size_t)i * step] =
                vec_scale(vec_add(vec_add(before, after), vec_scale(own, 2)), 0.25f);
            before = own;
        }
    }
}

/* Fine structure everywhere: what is flat in paint is seldom flat in a photograph. */
static void roughen(struct painter *p)
{
    struct surface_look looks[3];
    float depth = below(p, 0, 0.7f);
    for (int i = 0; i < 3; i++) {
        looks[i] = random_look(p, (struct vec3){0, 0, 0});
        looks[i].texture = i == 2 ? random_texture(p) : TEXTURE_CLOUD;
        looks[i].b = (struct vec3){1, 1, 1};
        looks[i].repeats = (0.5f + (float)(3 * i)) * below(p, 0.6f, 1.6f);
    }
    for (int y = 0; y < p->h; y++) {
        for (int x = 0; x < p->w; x++) {
            float fx = (float)x / p->unit, fy = (float)y / p->unit, sum = 0;
            for (int i = 0; i < 3; i++) {
                sum += look_at(p, &looks[i], fx, fy, 1 / p->unit).x;
            }
            struct vec3 *to = &p->out[(size_t)y * (size_t)p->w + (size_t)x];
            *to = vec_scale(*to, 1 + depth * (sum - 1.5f));
        }
    }
}

static void finish(struct painter *p)
{
    int times = chance(p, 0.6f) ? 0 : 1 + (int)rng_below(p->rng, 3);
    for (int i = 0; i < times; i++) {
        smooth(p->out, p->h, (size_t)p->w, p->w, 1);
        smooth(p->out, p->w, 1, p->h, (size_t)p->w);
    }
    float contrast = below(p, 0.7f, 1.3f), lift = below(p, 0, 0.1f);
    size_t pixels = (size_t)p->w * (size_t)p->h;
    for (size_t i = 0; i < pixels; i++) {
        struct vec3 c = p->out[i];
        float x = clamp01(lift + contrast * c.x), y = clamp01(lift + contrast * c.y),
              z = clamp01(lift + contrast * c.z);
        p->out[i] = (struct vec3){x * x, y * y, z * z};
    }
}

void photo_paint(const struct textures *textures, int w, int h, struct rng *rng, struct vec3 *out)
{
    struct painter p = {.textures = textures, .w = w, .h = h, .rng = rng, .out = out};
    p.unit = (float)(w < h ? w : h);
    for (int i = 0; i < PALETTE; i++) {
        p.palette[i] = natural_color(&p);
    }
    paint_field(&p);
    bool is_landscape = chance(&p, 0.5f);
    if (is_landscape) {
        paint_landscape(&p);
    }
    float busy = rng_unit(rng);
    paint_leaves(&p, (int)(300 * busy * busy), is_landscape && chance(&p, 0.6f) ? 0.4f : -0.1f);
    int clusters = (int)rng_below(rng, 5) - 2;
    for (int i = 0; i < clusters; i++) {
        paint_cluster(&p);
    }
    int rows = (int)rng_below(rng, 4) - 1;
    for (int i = 0; i < rows; i++) {
        paint_row(&p);
    }
    int figures = (int)rng_below(rng, 8) - 2;
    for (int i = 0; i < figures; i++) {
        paint_figure(&p);
    }
    roughen(&p);
    finish(&p);
}
