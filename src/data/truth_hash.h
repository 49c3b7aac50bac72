/* Which boxes a picture has already. */
#ifndef DATA_TRUTH_HASH_H
#define DATA_TRUTH_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "layers/box.h"

/* Places of truths by a hash of them; zeroed it is empty. The truths are the caller's. */
struct truth_hash {
    size_t *slots; /* [size], place + 1; 0: free */
    size_t size;   /* a power of two, or 0 */
};

/* truths[count] is new behind truths[0..count), which are all in the set: it joins them, unless one
 * of them is of its class with the very same box (*is_there). Takes no longer for more boxes.
 * ERR_MEMORY. */
NODISCARD enum result truth_hash_add(struct truth_hash *set, const struct truth *truths,
                                     size_t count, bool *is_there, struct error *err);
void truth_hash_free(struct truth_hash *set);

#endif
