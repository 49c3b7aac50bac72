/* What lies in a folder. */
#ifndef BASE_LISTING_H
#define BASE_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct listing_entry {
    char *name;
    bool is_dir; /* or a link to one */
};

struct listing {
    struct listing_entry *entries; /* [count], by name; without . and .. */
    size_t count, capacity;
};

/* ERR_IO with the path if the folder cannot be read, to the end, too: an unreadable folder is not an empty
 * one. listing_free also after an error. */
NODISCARD enum result listing_read(const char *folder, struct listing *listing, struct error *err);
void listing_free(struct listing *listing);

/* OK where no folder is, or an empty one; ERR_ARG with the hint if something lies in it. Where it is no
 * folder at all, dir_make says so. */
NODISCARD enum result listing_need_empty(const char *folder, const char *hint, struct error *err);

#endif
