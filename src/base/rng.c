#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t drawn = rng_counted(*state, 1);
    *state += RNG_WEYL;
    return drawn;
}

struct rng rng_make(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t state = seed;
    state = splitmix(&state) ^ a;
    state = splitmix(&state) ^ b;
    struct rng rng;
    for (int i = 0; i < 4; i++) {
        rng.s[i] = splitmix(&state);
    }
    return rng;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

float rng_unit(struct rng *rng)
{
    return (float)(rng_next(rng) >> 40) * 0x1p-24f;
}

float rng_uniform(struct rng *rng, float low, float high)
{
    return low + (high - low) * rng_unit(rng);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value;
    do {
        value = rng_next(rng);
    } while (value >= limit);
    return value % bound;
}

float rng_normal(struct rng *rng)
{
    double u = 1.0 - (double)(rng_next(rng) >> 11) * 0x1p-53; /* (0, 1] */
    double v = (double)(rng_next(rng) >> 11) * 0x1p-53;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint64_t rng_permute(uint64_t seed, uint64_t a, uint64_t count, uint64_t index)
{
    enum { ROUNDS = 8 };
    int half = 1;
    while (half < 32 && (UINT64_C(1) << (2 * half)) < count) {
        half++;
    }
    uint64_t mask = (UINT64_C(1) << half) - 1;
    uint64_t key = seed;
    key = splitmix(&key) ^ a;
    key = splitmix(&key) ^ count;
    do { /* less than four times on average: the domain is less than four times the range */
        uint64_t left = index >> half, right = index & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint64_t state = key + (round << 32 | right);
            uint64_t next = left ^ (splitmix(&state) & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >= count);
    return index;
}
