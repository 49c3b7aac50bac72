/* Random numbers that are a function of where they are drawn: no global state, cheap to fork. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

#define RNG_WEYL 0x9e3779b97f4a7c15u

/* Draw number `count` of splitmix64 (Steele, Lea & Flood 2014) from the state `key`: for draws by the million, in any
 * order. */
static inline uint64_t rng_counted(uint64_t key, uint64_t count)
{
    uint64_t z = key + count * RNG_WEYL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* xoshiro256** (Blackman & Vigna 2018, arXiv:1805.01407), seeded by splitmix64. */
struct rng {
    uint64_t s[4];
};

/* Streams of different (seed, a, b) are independent. */
struct rng rng_make(uint64_t seed, uint64_t a, uint64_t b);

uint64_t rng_next(struct rng *rng);
/* [0, 1), 24 bits: every value exact in float. */
float rng_unit(struct rng *rng);
/* [low, high). */
float rng_uniform(struct rng *rng, float low, float high);
/* [0, bound), without modulo bias; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* Standard normal. */
float rng_normal(struct rng *rng);

/* Where `index` of [0, count) comes in the permutation of (seed, a): a bijection of [0, count) without
 * memory, in constant time. A Feistel network on the next power of four, repeated until the value lies in
 * range (Black & Rogaway 2002, "Ciphers with arbitrary finite domains"). index < count. */
uint64_t rng_permute(uint64_t seed, uint64_t a, uint64_t count, uint64_t index);

#endif
