/* The one place where the stb libraries are compiled: decoders and encoders without stdio, all
 * memory from base/memory.h. image.c and draw.c include the same headers for the declarations only.
 */
#include "data/stb.h"

#include <limits.h>
#include <stdint.h>

#include "base/memory.h"

static _Thread_local bool refused;

bool stb_memory_refused(void)
{
    bool was = refused;
    refused = false;
    return was;
}

/* No block that a picture within IMAGE_MAX_PIXELS needs is bigger; what inflates beyond is a bomb.
 */
static void *block_new(size_t bytes)
{
    void *block = bytes <= INT_MAX ? mem_alloc_raw(bytes, 1) : NULL;
    refused = refused || !block;
    return block;
}

static void *block_resize(void *block, size_t bytes)
{
    void *bigger = bytes <= INT_MAX ? mem_resize(block, bytes, 1) : NULL;
    refused = refused || !bigger;
    return bigger;
}

static void *scratch_new(struct stb_scratch *scratch, size_t bytes)
{
    size_t rounded = (bytes + 15) / 16 * 16;
    if (!scratch || rounded > scratch->size - scratch->used) {
        return block_new(bytes);
    }
    void *block = scratch->block + scratch->used;
    scratch->used += rounded;
    return block;
}

static void scratch_drop(const struct stb_scratch *scratch, void *block)
{
    uintptr_t at = (uintptr_t)block;
    uintptr_t start = scratch ? (uintptr_t)scratch->block : 0;
    if (!scratch || at < start || at >= start + scratch->size) {
        mem_free(block);
    }
}

#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_PIC
#define STBI_NO_PNM
#define STBI_MALLOC(size) block_new(size)
#define STBI_REALLOC(block, size) block_resize(block, size)
#define STBI_FREE(block) mem_free(block)
#ifdef __aarch64__
#define STBI_NEON
#endif

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_MALLOC(size) block_new(size)
#define STBIW_REALLOC(block, size) block_resize(block, size)
#define STBIW_FREE(block) mem_free(block)

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_malloc(size, user) scratch_new(user, size)
#define STBTT_free(block, user) scratch_drop(user, block)

/* Foreign code: its warnings are not ours (distributions do not always install it as a system
 * header). */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wdouble-promotion"
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#include <stb/stb_truetype.h>
#pragma GCC diagnostic pop
