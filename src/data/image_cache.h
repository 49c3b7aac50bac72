/* Decoded pictures kept in memory: first come, first kept, up to a number of bytes; never evicted.
 * Thread-safe. */
#ifndef DATA_IMAGE_CACHE_H
#define DATA_IMAGE_CACHE_H

#include <pthread.h>

#include "data/image.h"

struct image_cache {
    pthread_mutex_t lock;
    struct image *images; /* [count], zeroed: not here */
    size_t count;
    size_t used, limit; /* bytes */
};

NODISCARD enum result image_cache_open(struct image_cache *cache, size_t count, size_t limit,
                                       struct error *err);
/* Picture `index`, from memory or from the file. image_cache_done gives it back. */
NODISCARD enum result image_cache_get(struct image_cache *cache, size_t index, const char *path,
                                      struct image *image, struct error *err);
void image_cache_done(struct image_cache *cache, size_t index, struct image *image);
void image_cache_close(struct image_cache *cache);

#endif
