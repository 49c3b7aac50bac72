/* The one place where the stb libraries are compiled: decoders and encoders without stdio, all
 * memory from base/memory.h. image.c and draw.c include the same headers for the declarations only. */
#include "data/stb.h"

#include <limits.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

/* ---- a call ----
 *
 * Decoders leak where memory runs out. Encoders and glyphs do not check all of what they allocate: growing its output, the
 * PNG encoder asserts and then writes; stb_truetype asserts. Decoders assert what a damaged file can break. So a call's
 * blocks are listed, what cannot go on leaves by longjmp, and what is left is freed behind it. */

enum {
    LIVE_MOST = 128, /* far more blocks than any call holds; beyond it, one could leak */
    TABLES_MOST = 1 << 16
};

static _Thread_local struct {
    jmp_buf escape;
    bool refused;
    int count;
    void *live[LIVE_MOST];
} call;

struct stb_outcome stb_call(void *(*work)(void *ctx), void *ctx)
{
    volatile struct stb_outcome outcome = {0};
    call.refused = false;
    call.count = 0;
    if (setjmp(call.escape) == 0) {
        outcome.kept = work(ctx);
        outcome.is_done = true;
    }
    for (int i = 0; i < call.count; i++) {
        if (call.live[i] != outcome.kept) {
            mem_free(call.live[i]);
        }
    }
    call.count = 0;
    outcome.is_refused = call.refused;
    return outcome;
}

static _Noreturn void give_up(void)
{
    longjmp(call.escape, 1);
}

static void *block_is_live(void *block)
{
    call.refused = call.refused || !block;
    if (block && call.count < LIVE_MOST) {
        call.live[call.count++] = block;
    }
    return block;
}

static void block_is_gone(const void *block)
{
    for (int i = call.count - 1; i >= 0; i--) {
        if (call.live[i] == block) {
            call.live[i] = call.live[--call.count];
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

static void *or_give_up(void *block)
{
    if (!block) {
        give_up();
    }
    return block;
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
#define STBI_ASSERT(holds) ((holds) ? (void)0 : give_up())
#ifdef __aarch64__
#define STBI_NEON
#endif

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_MALLOC(size) or_give_up(block_new(size))
#define STBIW_REALLOC(block, size) or_give_up(block_resize(block, size))
#define STBIW_FREE(block) block_free(block)
#define STBIW_ASSERT(holds) ((holds) ? (void)0 : give_up())

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_malloc(size, user) ((void)(user), or_give_up(block_new(size)))
#define STBTT_free(block, user) ((void)(user), block_free(block))
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
