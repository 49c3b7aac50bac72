#include "base/hash.h"

#include <string.h>

static const uint64_t FNV_START = UINT64_C(0xcbf29ce484222325), FNV_PRIME = UINT64_C(0x100000001b3);

uint64_t hash_text(const char *text)
{
    uint64_t hash = FNV_START;
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    }
    return hash;
}

/* High bits of a product never reach low ones, so they are folded down at the end of a word. */
uint64_t hash_words(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *from = data;
    hash ^= FNV_START;
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word = 0;
        memcpy(&word, from + i, bytes - i < sizeof word ? bytes - i : sizeof word);
        hash = (hash ^ word) * FNV_PRIME;
        hash ^= hash >> 29;
    }
    return hash;
}
