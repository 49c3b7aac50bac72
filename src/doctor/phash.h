/* Fingerprints of pictures: equal content, and content that looks the same. */
#ifndef DOCTOR_PHASH_H
#define DOCTOR_PHASH_H

#include <stddef.h>
#include <stdint.h>

#include "data/image.h"

enum { LOOK_SIDE = 16 };

/* What a picture looks like from afar. */
struct look {
    uint64_t dhash; /* bit 8 y + x: of 9 x 8 mean luminances (y, x + 1) is brighter than (y, x) */
    unsigned char luma[LOOK_SIDE * LOOK_SIDE]; /* mean luminances of 16 x 16 parts */
};

/* A hash of bytes for telling files apart, the same on every machine; not against an adversary. */
uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed);

struct look look_at(const struct image *image);

/* Bits in which two words differ. */
int hamming64(uint64_t a, uint64_t b);

/* Correlation of the luminances in [-1, 1]; if one of them is even, 1 if the other is as even and
 * as bright, else 0. */
double look_correlation(const struct look *a, const struct look *b);

#endif
