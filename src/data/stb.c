/* The one place where the stb libraries are compiled: decoders and encoders without stdio, all
 * memory from base/memory.h. image.c and draw.c include the same headers for the declarations only. */
#include "data/stb.h"

#include <assert.h>
#include <limits.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

/* ---- decoders ---- */

enum {
    LIVE_MOST = 128, /* far more blocks than any decoder holds; beyond it, one could leak */
    TABLES_MOST = 1 << 16
};

static _Thread_local struct {
    jmp_buf escape;
    bool refused;
    int count;
    void *live[LIVE_MOST];
} decoder;

void *stb_decode(void *(*work)(void *ctx), void *ctx, bool *is_refused)
{
    void *volatile kept = NULL;
    decoder.refused = false;
    decoder.count = 0;
    if (setjmp(decoder.escape) == 0) {
        kept = work(ctx);
    }
    for (int i = 0; i < decoder.count; i++) {
        if (decoder.live[i] != kept) {
            mem_free(decoder.live[i]);
        }
    }
    decoder.count = 0;
    *is_refused = decoder.refused;
    return kept;
}

static _Noreturn void give_up_decoding(void)
{
    longjmp(decoder.escape, 1);
}

static void *block_is_live(void *block)
{
    decoder.refused = decoder.refused || !block;
    if (block && decoder.count < LIVE_MOST) {
        decoder.live[decoder.count++] = block;
    }
    return block;
}

static void block_is_gone(const void *block)
{
    for (int i = decoder.count - 1; i >= 0; i--) {
        if (decoder.live[i] == block) {
            decoder.live[i] = decoder.live[--decoder.count];
            return;
        }
    }
}

/* No block that a picture within IMAGE_MAX_PIXELS needs is bigger; what inflates beyond is a bomb. Small blocks hold
 * the decoders' tables, which a damaged file may use without having defined them (stb_image 2.28): they are zeros, so
 * that the same file always ends in the same way. */
static void *block_new(size_t bytes)
{
    void *block = bytes > INT_MAX       ? NULL
                  : bytes > TABLES_MOST ? mem_alloc_raw(bytes, 1)
                                        : mem_alloc(bytes, 1);
    return block_is_live(block);
}

static void *block_resize(void *block, size_t bytes)
{
    void *bigger = bytes <= INT_MAX ? mem_resize(block, bytes, 1) : NULL;
    if (bigger) {
        block_is_gone(block);
    }
    return block_is_live(bigger);
}

static void block_free(void *block)
{
    block_is_gone(block);
    mem_free(block);
}

/* ---- encoders and glyphs ----
 *
 * They do not check all of what they allocate: growing its output, the PNG encoder asserts and then
 * writes; stb_truetype asserts. So a refusal leaves them by longjmp, and their blocks are chained
 * to be freed behind it. */

struct guarded {
    struct guarded *next, *previous;
    size_t bytes;
};

enum { GUARDED_HEAD = 32 };
static_assert(sizeof(struct guarded) <= GUARDED_HEAD, "the block behind it stays aligned");

static _Thread_local struct {
    jmp_buf escape;
    struct guarded first; /* of a ring */
} guard;

static _Noreturn void give_up(void)
{
    longjmp(guard.escape, 1);
}

static void *guarded_new(size_t bytes)
{
    struct guarded *block = bytes <= INT_MAX ? mem_alloc_raw(GUARDED_HEAD + bytes, 1) : NULL;
    if (!block) {
        give_up();
    }
    *block = (struct guarded){.next = guard.first.next, .previous = &guard.first, .bytes = bytes};
    block->next->previous = block;
    guard.first.next = block;
    return (char *)block + GUARDED_HEAD;
}

static void guarded_free(void *memory)
{
    if (memory) {
        struct guarded *block = (struct guarded *)(void *)((char *)memory - GUARDED_HEAD);
        block->next->previous = block->previous;
        block->previous->next = block->next;
        mem_free(block);
    }
}

static void *guarded_resize(void *memory, size_t bytes)
{
    void *bigger = guarded_new(bytes);
    if (memory) {
        size_t old = ((struct guarded *)(void *)((char *)memory - GUARDED_HEAD))->bytes;
        memcpy(bigger, memory, old < bytes ? old : bytes);
        guarded_free(memory);
    }
    return bigger;
}

bool stb_guard(void (*work)(void *ctx), void *ctx)
{
    volatile bool is_done = false;
    guard.first.next = &guard.first;
    guard.first.previous = &guard.first;
    if (setjmp(guard.escape) == 0) {
        work(ctx);
        is_done = true;
    }
    while (guard.first.next != &guard.first) {
        guarded_free((char *)guard.first.next + GUARDED_HEAD);
    }
    return is_done;
}

#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_PIC
#define STBI_NO_PNM
#define STBI_MAX_DIMENSIONS STB_MAX_SIDE
#define STBI_MALLOC(size) block_new(size)
#define STBI_REALLOC(block, size) block_resize(block, size)
#define STBI_FREE(block) block_free(block)
#define STBI_ASSERT(holds) ((holds) ? (void)0 : give_up_decoding())
#ifdef __aarch64__
#define STBI_NEON
#endif

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_MALLOC(size) guarded_new(size)
#define STBIW_REALLOC(block, size) guarded_resize(block, size)
#define STBIW_FREE(block) guarded_free(block)
#define STBIW_ASSERT(holds) ((holds) ? (void)0 : give_up())

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_malloc(size, user) ((void)(user), guarded_new(size))
#define STBTT_free(block, user) ((void)(user), guarded_free(block))
#define STBTT_assert(holds) ((holds) ? (void)0 : give_up())

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
