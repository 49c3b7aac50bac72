/* Where results of an input go below the output folder: the input tree mirrored, nothing overwritten by a
 * namesake. */
#ifndef RESULTS_PATHS_H
#define RESULTS_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A name given out, and where to begin the search for its next namesake's number. */
struct name_entry {
    uint64_t hash; /* 0 = empty place */
    int last_number;
};

/* The names given out so far, as hashes: some 32 bytes a name. Zeroed = empty; not thread-safe. */
struct name_set {
    struct name_entry *entries; /* open addressing */
    size_t count, capacity;
};

void name_set_free(struct name_set *set);

/* `relative` (an input's name below its folder) as a name not in the set yet, which it then is: "a/b.jpg",
 * or "a/b_2.jpg", "a/b_3.jpg"... for later namesakes, so the same inputs in the same order always get the
 * same names. ERR_IO if it does not fit. */
NODISCARD enum result name_set_add(struct name_set *set, const char *relative, char *name,
                                   size_t size, struct error *err);

/* Is this name in the set? */
bool name_set_has(const struct name_set *set, const char *name);

/* relative with an extension image_write knows: .jpg .jpeg .png .bmp (any case) stay, others become .jpg. */
NODISCARD enum result picture_name(const char *relative, char *name, size_t size,
                                   struct error *err);

/* Create the folder that is to hold the file `path`. */
NODISCARD enum result parent_make(const char *path, struct error *err);

/* Are both one existing file? */
bool is_same_file(const char *a, const char *b);

/* Does the real path of `inner` lie in the folder of the real path `outer`, or equal it? False if either
 * does not exist. */
bool is_inside(const char *inner, const char *outer);

#endif
