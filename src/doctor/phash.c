#include "doctor/phash.h"

#include <math.h>
#include <string.h>

#include "base/fileio.h"

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t hash = seed ^ size * 0x9e3779b97f4a7c15u;
    while (size > 0) {
        unsigned char last[8] = {0};
        size_t step = size < 8 ? size : 8;
        if (step < 8) {
            memcpy(last, p, step);
        }
        hash = (hash ^ le64(step < 8 ? last : p)) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        p += step;
        size -= step;
    }
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

/* Mean luminance of rows x columns parts; a part has at least one pixel. */
static void shrink(const struct image *image, int columns, int rows, float *out)
{
    for (int y = 0; y < rows; y++) {
        int top = (int)((int64_t)image->h * y / rows);
        int bottom = (int)((int64_t)image->h * (y + 1) / rows);
        bottom = bottom > top ? bottom : top + 1;
        for (int x = 0; x < columns; x++) {
            int left = (int)((int64_t)image->w * x / columns);
            int right = (int)((int64_t)image->w * (x + 1) / columns);
            right = right > left ? right : left + 1;
            uint64_t sum = 0;
            for (int j = top; j < bottom; j++) {
                const unsigned char *p =
                    image->rgb + ((size_t)j * (size_t)image->w + (size_t)left) * 3;
                for (int i = left; i < right; i++, p += 3) {
                    sum += 77u * p[0] + 150u * p[1] + 29u * p[2];
                }
            }
            double pixels = (double)(right - left) * (double)(bottom - top);
            out[y * columns + x] = (float)((double)sum / 256 / pixels);
        }
    }
}

struct look look_at(const struct image *image)
{
    enum { COLUMNS = 9, ROWS = 8 };
    struct look look = {0};
    float small[COLUMNS * ROWS];
    float large[LOOK_SIDE * LOOK_SIDE];
    shrink(image, COLUMNS, ROWS, small);
    for (int y = 0; y < ROWS; y++) {
        for (int x = 0; x < COLUMNS - 1; x++) {
            const float *pair = small + y * COLUMNS + x;
            look.dhash |= (uint64_t)(pair[1] > pair[0]) << (8 * y + x);
        }
    }
    shrink(image, LOOK_SIDE, LOOK_SIDE, large);
    for (int i = 0; i < LOOK_SIDE * LOOK_SIDE; i++) {
        look.luma[i] = (unsigned char)(large[i] + 0.5f);
    }
    return look;
}

int hamming64(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b);
}

double look_correlation(const struct look *a, const struct look *b)
{
    enum { COUNT = LOOK_SIDE * LOOK_SIDE };
    int64_t sum_a = 0, sum_b = 0, sum_aa = 0, sum_bb = 0, sum_ab = 0;
    for (int i = 0; i < COUNT; i++) {
        int64_t x = a->luma[i];
        int64_t y = b->luma[i];
        sum_a += x;
        sum_b += y;
        sum_aa += x * x;
        sum_bb += y * y;
        sum_ab += x * y;
    }
    int64_t var_a = COUNT * sum_aa - sum_a * sum_a;
    int64_t var_b = COUNT * sum_bb - sum_b * sum_b;
    if (var_a == 0 || var_b == 0) {
        return var_a == var_b && sum_a == sum_b;
    }
    return (double)(COUNT * sum_ab - sum_a * sum_b) / (sqrt((double)var_a) * sqrt((double)var_b));
}
