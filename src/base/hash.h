/* Hashes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a (Fowler, Noll, Vo), 64 bits, up to the text's end. */
uint64_t hash_text(const char *text);

/* FNV-1a over words of 32 bits in the host's order, the last one filled up with zeros, so that floats hash alike on
 * any machine; continues from `hash`, 0 at first. Many times quicker than by bytes. */
uint64_t hash_words(uint64_t hash, const void *data, size_t bytes);

#endif
