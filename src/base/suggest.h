/* "Did you mean": the known word nearest to a mistyped one. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/* The name at the smallest edit distance (insert, delete, replace, swap of neighbours; case and '-'
 * against '_' are free), the first one on a tie, or NULL if none is near: at most 1 edit for words
 * of up to 4 letters, 2 up to 8, 3 beyond. Words over 63 bytes have no neighbours. */
const char *suggest(const char *word, const char *const *names, size_t count);

#endif
