/* A hash of text. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

/* FNV-1a (Fowler, Noll, Vo), 64 bits, up to the text's end. */
uint64_t hash_text(const char *text);

#endif
