/* --shard I/N: which part of a row of things this process does, where N processes do one part each. */
#ifndef BASE_SHARD_H
#define BASE_SHARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { SHARD_MAX = 1000000 };

/* Share `number`, from 1, of `count`; zeroed: none was asked for, the whole. */
struct shard {
    size_t number, count;
};

/* "I/N", 1 <= I <= N <= SHARD_MAX. text NULL: the whole. ERR_ARG otherwise. */
NODISCARD enum result shard_parse(const char *text, struct shard *shard, struct error *err);

/* The share of `total` things in a row: [*first, *end). Shares are contiguous, disjoint and together the whole; their
 * lengths differ by one at most, the longer ones come first. */
void shard_range(const struct shard *shard, size_t total, size_t *first, size_t *end);

/* "share 2 of 4: pictures 11 to 20 of 40", or "share 5 of 8: none of the 4 pictures". */
void shard_say(const struct shard *shard, size_t total, const char *things, char *out, size_t size);

#endif
