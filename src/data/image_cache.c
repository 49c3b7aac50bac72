#include "data/image_cache.h"

#include "base/memory.h"

enum result image_cache_open(struct image_cache *cache, size_t count, size_t limit,
                             struct error *err)
{
    *cache = (struct image_cache){.count = count, .limit = limit};
    cache->images = mem_alloc(count, sizeof *cache->images);
    if (!cache->images) {
        return mem_error(err, "picture cache");
    }
    pthread_mutex_init(&cache->lock, NULL);
    return OK;
}

static bool find(struct image_cache *cache, size_t index, struct image *image)
{
    pthread_mutex_lock(&cache->lock);
    *image = cache->images[index];
    pthread_mutex_unlock(&cache->lock);
    return image->rgb != NULL;
}

enum result image_cache_get(struct image_cache *cache, size_t index, const char *path,
                            struct image *image, struct error *err)
{
    if (find(cache, index, image)) {
        return OK;
    }
    TRY(image_read(path, image, err));
    size_t bytes = (size_t)image->w * (size_t)image->h * 3;
    pthread_mutex_lock(&cache->lock);
    /* Another thread may have been faster: then this copy is the caller's alone. */
    if (!cache->images[index].rgb && bytes <= cache->limit - cache->used) {
        cache->images[index] = *image;
        cache->used += bytes;
    }
    pthread_mutex_unlock(&cache->lock);
    return OK;
}

void image_cache_done(struct image_cache *cache, size_t index, struct image *image)
{
    pthread_mutex_lock(&cache->lock);
    bool is_kept = cache->images[index].rgb == image->rgb;
    pthread_mutex_unlock(&cache->lock);
    if (is_kept) {
        *image = (struct image){0};
    } else {
        image_free(image);
    }
}

void image_cache_close(struct image_cache *cache)
{
    if (!cache->images) {
        return;
    }
    for (size_t i = 0; i < cache->count; i++) {
        image_free(&cache->images[i]);
    }
    mem_free(cache->images);
    pthread_mutex_destroy(&cache->lock);
    *cache = (struct image_cache){0};
}
