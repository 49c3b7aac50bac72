#include "synth/texture.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "synth/vec.h"

enum { SIZE_LOG2 = 9, SIZE = 1 << SIZE_LOG2, LEVELS = SIZE_LOG2 + 1 };

struct textures {
    /* Level l is [SIZE >> l][SIZE >> l]; the levels of a texture follow one another. */
    unsigned char *texels[TEXTURE_COUNT][LEVELS];
    unsigned char *block;
};

static uint32_t hash(uint32_t x, uint32_t y, uint32_t salt)
{
    uint32_t h = x * 0x9e3779b1u ^ y * 0x85ebca77u ^ salt * 0xc2b2ae3du;
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    h ^= h >> 12;
    h *= 0x297a2d39u;
    return h ^ h >> 15;
}

static float hash_unit(uint32_t x, uint32_t y, uint32_t salt)
{
    return (float)(hash(x, y, salt) >> 8) * 0x1p-24f;
}

static float fade(float t)
{
    return t * t * t * (t * (t * 6 - 15) + 10);
}

/* One of eight directions of about unit length, times the offset. */
static float corner(uint32_t h, float x, float y)
{
    const float diagonal = 0.70710678f;
    switch (h & 7) {
    case 0:
        return x;
    case 1:
        return -x;
    case 2:
        return y;
    case 3:
        return -y;
    case 4:
        return (x + y) * diagonal;
    case 5:
        return (x - y) * diagonal;
    case 6:
        return (y - x) * diagonal;
    default:
        return -(x + y) * diagonal;
    }
}

/* Gradient noise (Perlin 1985, fade of 2002) in about [-0.7, 0.7], with period (px, py). x, y >= 0. */
static float noise(float x, float y, uint32_t px, uint32_t py, uint32_t salt)
{
    uint32_t ix = (uint32_t)x, iy = (uint32_t)y;
    float fx = x - (float)ix, fy = y - (float)iy;
    uint32_t x0 = ix % px, x1 = (ix + 1) % px, y0 = iy % py, y1 = (iy + 1) % py;
    float u = fade(fx), v = fade(fy);
    float top =
        corner(hash(x0, y0, salt), fx, fy) * (1 - u) + corner(hash(x1, y0, salt), fx - 1, fy) * u;
    float bottom = corner(hash(x0, y1, salt), fx, fy - 1) * (1 - u) +
                   corner(hash(x1, y1, salt), fx - 1, fy - 1) * u;
    return top + (bottom - top) * v;
}

/* Octaves of noise over the unit square, the first with px x py cells. About [-1, 1]. */
static float fractal(float u, float v, uint32_t px, uint32_t py, int octaves, uint32_t salt)
{
    float sum = 0, weight = 1;
    for (int i = 0; i < octaves; i++) {
        sum += weight * noise(u * (float)px, v * (float)py, px, py, salt + (uint32_t)i);
        weight *= 0.5f;
        px *= 2;
        py *= 2;
    }
    return sum;
}

/* ---- the patterns, each over the unit square ---- */

static float wood(float u, float v)
{
    uint32_t board = (uint32_t)(v * 4) & 3;
    float across = v * 4 - (float)board;
    float shift = hash_unit(board, 7, 3);
    uint32_t salt = 100 + board * 16;
    float bend = fractal(u, v, 2, 8, 2, salt);
    float rings = sinf((across * 3 + bend * 1.3f + shift) * TAU);
    float grain = fractal(u, v, 6, 192, 3, salt + 5);
    float pores = noise(u * 24, v * 256, 24, 256, salt + 9);
    float value = 0.45f + 0.16f * rings + 0.28f * grain + 0.25f * (shift - 0.5f);
    value += pores > 0.25f ? 0.5f * (pores - 0.25f) : 0;
    float seam = across < 0.5f ? across : 1 - across;
    float end = u - hash_unit(board, 1, 1);
    end = fabsf(end);
    float gap = lesser(seam, end * 4);
    return gap < 0.018f ? 0.95f : value;
}

static float marble(float u, float v)
{
    float warp = fractal(u, v, 3, 3, 5, 200);
    float vein = fabsf(sinf((u + v + warp * 0.9f) * TAU * 0.5f * 2));
    float thin = fabsf(fractal(u, v, 5, 5, 4, 220) + 0.3f * warp);
    float value = 0.7f * powf(1 - vein, 3) + 0.5f * powf(clamp01(1 - 4 * thin), 2);
    return value + 0.12f * fractal(u, v, 4, 4, 4, 240) + 0.08f;
}

static float cloth(float u, float v)
{
    float x = u * 64, y = v * 64;
    bool over = (((int)x ^ (int)y) & 1) != 0;
    float cx = x - floorf(x) - 0.5f, cy = y - floorf(y) - 0.5f;
    float round = over ? 1 - 2.6f * cx * cx : 1 - 2.6f * cy * cy;
    float thread =
        0.25f * noise(u * 8, v * 128, 8, 128, 300) + 0.25f * noise(u * 128, v * 8, 128, 8, 301);
    return 0.85f - 0.75f * round + thread + 0.25f * fractal(u, v, 4, 4, 3, 310);
}

static float cloud(float u, float v)
{
    return 0.5f + 0.62f * fractal(u, v, 4, 4, 5, 400);
}

static float speckle(float u, float v)
{
    float coarse = fractal(u, v, 24, 24, 3, 500);
    float fine = noise(u * 96, v * 96, 96, 96, 520);
    float value = 0.35f + 0.45f * coarse;
    value += fine > 0.3f ? 0.5f : 0;
    return fine < -0.36f ? 0 : value;
}

static float check(float u, float v)
{
    return ((u < 0.5f) != (v < 0.5f)) ? 1 : 0;
}

static float stripe(float u, float v)
{
    (void)u;
    return v < 0.25f || (v >= 0.5f && v < 0.75f) ? 1 : 0;
}

static float gingham(float u, float v)
{
    float weave = 0.06f * noise(u * 128, v * 128, 128, 128, 600);
    return 0.04f + 0.45f * ((u < 0.5f ? 1.0f : 0.0f) + (v < 0.5f ? 1.0f : 0.0f)) + weave;
}

static float dots(float u, float v)
{
    float y = v * 2;
    float row = floorf(y);
    float x = u * 2 + 0.5f * row;
    float dx = x - floorf(x) - 0.5f, dy = y - row - 0.5f;
    return dx * dx + dy * dy < 0.075f ? 1 : 0;
}

static float tiles(float u, float v)
{
    float x = u * 2, y = v * 2;
    uint32_t ix = (uint32_t)x, iy = (uint32_t)y;
    float fx = x - (float)ix, fy = y - (float)iy;
    float edge = lesser(lesser(fx, 1 - fx), lesser(fy, 1 - fy));
    float glaze = 0.12f * fractal(u, v, 6, 6, 4, 700) + 0.15f * hash_unit(ix & 1, iy & 1, 9);
    return edge < 0.02f ? 1 : 0.05f + glaze;
}

static float (*const patterns[TEXTURE_COUNT])(float u, float v) = {
    [TEXTURE_WOOD] = wood,     [TEXTURE_MARBLE] = marble,   [TEXTURE_CLOTH] = cloth,
    [TEXTURE_CLOUD] = cloud,   [TEXTURE_SPECKLE] = speckle, [TEXTURE_CHECK] = check,
    [TEXTURE_STRIPE] = stripe, [TEXTURE_GINGHAM] = gingham, [TEXTURE_DOTS] = dots,
    [TEXTURE_TILES] = tiles,
};

static void make_row(void *ctx, size_t item, int thread)
{
    (void)thread;
    struct textures *textures = ctx;
    size_t which = item / SIZE, y = item % SIZE;
    if (!patterns[which]) {
        return;
    }
    unsigned char *row = textures->texels[which][0] + y * SIZE;
    for (size_t x = 0; x < SIZE; x++) {
        float value = patterns[which](((float)x + 0.5f) / SIZE, ((float)y + 0.5f) / SIZE);
        row[x] = (unsigned char)(clamp01(value) * 255 + 0.5f);
    }
}

static void make_levels(unsigned char **levels)
{
    for (int l = 1; l < LEVELS; l++) {
        size_t size = (size_t)SIZE >> l;
        for (size_t y = 0; y < size; y++) {
            const unsigned char *from = levels[l - 1] + 2 * y * 2 * size;
            for (size_t x = 0; x < size; x++) {
                int sum = from[2 * x] + from[2 * x + 1] + from[2 * size + 2 * x] +
                          from[2 * size + 2 * x + 1];
                levels[l][y * size + x] = (unsigned char)((sum + 2) / 4);
            }
        }
    }
}

enum result textures_new(struct textures **out, struct error *err)
{
    struct textures *textures = mem_alloc(1, sizeof *textures);
    size_t bytes = 0;
    for (int l = 0; l < LEVELS; l++) {
        bytes += ((size_t)SIZE >> l) * ((size_t)SIZE >> l);
    }
    unsigned char *block = mem_alloc(TEXTURE_COUNT, bytes);
    if (!textures || !block) {
        mem_free(textures);
        mem_free(block);
        return mem_error(err, "textures");
    }
    textures->block = block;
    for (int i = 0; i < TEXTURE_COUNT; i++) {
        for (int l = 0; l < LEVELS; l++) {
            textures->texels[i][l] = block;
            block += ((size_t)SIZE >> l) * ((size_t)SIZE >> l);
        }
    }
    parallel_for((size_t)TEXTURE_COUNT * SIZE, make_row, textures);
    for (int i = 0; i < TEXTURE_COUNT; i++) {
        make_levels(textures->texels[i]);
    }
    *out = textures;
    return OK;
}

void textures_free(struct textures *textures)
{
    if (textures) {
        mem_free(textures->block);
        mem_free(textures);
    }
}

/* Bilinear; u, v in [0, 1). In [0, 255]. */
static float level_at(const unsigned char *texels, int level, float u, float v)
{
    int size = SIZE >> level, mask = size - 1;
    float x = u * (float)size + ((float)size - 0.5f), y = v * (float)size + ((float)size - 0.5f);
    int ix = (int)x, iy = (int)y;
    float fx = x - (float)ix, fy = y - (float)iy;
    const unsigned char *top = texels + (iy & mask) * size,
                        *bottom = texels + ((iy + 1) & mask) * size;
    int x0 = ix & mask, x1 = (ix + 1) & mask;
    float a = (float)top[x0] + (float)(top[x1] - top[x0]) * fx;
    float b = (float)bottom[x0] + (float)(bottom[x1] - bottom[x0]) * fx;
    return a + (b - a) * fy;
}

/* log2, linear between powers of two: the same bits everywhere, and cheap. x > 0. */
static float rough_log2(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (float)bits * 0x1p-23f - 127;
}

/* Beyond this many tiles a float has no fraction left. */
#define FAR_AWAY 1e6f

static float fraction(float x)
{
    x -= (float)(int)x;
    return x < 0 ? x + 1 : x;
}

float texture_at(const struct textures *textures, enum texture which, float u, float v,
                 float footprint)
{
    if (which == TEXTURE_PLAIN) {
        return 0;
    }
    if (!(fabsf(u) < FAR_AWAY && fabsf(v) < FAR_AWAY)) {
        return 0;
    }
    u = fraction(u);
    v = fraction(v);
    float texels = footprint * SIZE;
    float lod = texels > 1 ? rough_log2(texels) : 0;
    unsigned char *const *levels = textures->texels[which];
    if (!(lod < LEVELS - 1)) {
        return (float)levels[LEVELS - 1][0] / 255;
    }
    int level = (int)lod;
    float part = lod - (float)level;
    float value = level_at(levels[level], level, u, v);
    if (part > 0) {
        value += (level_at(levels[level + 1], level + 1, u, v) - value) * part;
    }
    return value * (1 / 255.0f);
}
