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

/* Add truths[count] to the set, which holds truths[0..count), unless one of these has its class
 * and the very same box (*is_there). The time does not grow with the number of boxes. ERR_MEMORY. */
NODISCARD enum result truth_hash_add(struct truth_hash *set, const struct truth *truths,
                                     size_t count, bool *is_there, struct error *err);
void truth_hash_free(struct truth_hash *set);

#endif
