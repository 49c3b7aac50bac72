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
 * blocks are listed (the PNG encoder alone holds tens of thousands), what cannot go on leaves by longjmp, and what is left
 * is freed behind it. */

enum { TABLES_MOST = 1 << 16 };

struct link {
    _Alignas(MEM_ALIGN) struct link *prev, *next;
    size_t bytes; /* of the block, which follows */
};

static _Thread_local struct {
    jmp_buf escape;
    bool refused;
    struct link *live; /* the newest first */
} call;

static struct link *link_of(void *block)
{
    return (struct link *)block - 1;
}

static void *list(struct link *link, size_t bytes)
{
    if (!link) {
        call.refused = true;
        return NULL;
    }
    *link = (struct link){.next = call.live, .bytes = bytes};
    if (link->next) {
        link->next->prev = link;
    }
    call.live = link;
    return link + 1;
}

static void unlist(const struct link *link)
{
    if (link->next) {
        link->next->prev = link->prev;
    }
    if (link->prev) {
        link->prev->next = link->next;
    } else {
        call.live = link->next;
    }
}

static void block_free(void *block)
{
    if (block) {
        unlist(link_of(block));
        mem_free(link_of(block));
    }
}

/* A plain block of base/memory.h, which nobody lists. */
static void *to_caller(void *block)
{
    struct link *link = link_of(block);
    unlist(link);
    return memmove(link, block, link->bytes);
}

struct stb_outcome stb_call(void *(*work)(void *ctx), void *ctx)
{
    volatile struct stb_outcome outcome = {0};
    call.refused = false;
    call.live = NULL;
    if (setjmp(call.escape) == 0) {
        outcome.kept = work(ctx);
        outcome.is_done = true;
    }
    if (outcome.kept) {
        outcome.kept = to_caller(outcome.kept);
    }
    while (call.live) {
        block_free(call.live + 1);
    }
    outcome.is_refused = call.refused;
    return outcome;
}

static _Noreturn void give_up(void)
{
    longjmp(call.escape, 1);
}

/* No block that a picture within IMAGE_MAX_PIXELS needs is bigger; what inflates beyond is a bomb. Small blocks hold
 * the decoders' tables, which a damaged file may use without having defined them (stb_image 2.28): they are zeros, so
 * that the same file always ends in the same way. */
static void *block_new(size_t bytes)
{
    if (bytes > INT_MAX) {
        return list(NULL, 0);
    }
    size_t whole = sizeof(struct link) + bytes;
    return list(bytes > TABLES_MOST ? mem_alloc_raw(whole, 1) : mem_alloc(whole, 1), bytes);
}

static void *block_resize(void *block, size_t bytes)
{
    if (!block) {
        return block_new(bytes);
    }
    struct link *old = link_of(block);
    unlist(old);
    struct link *bigger = bytes <= INT_MAX ? mem_resize(old, sizeof(struct link) + bytes, 1) : NULL;
    if (!bigger) {
        list(old, old->bytes); /* a refusal leaves the block as it was */
    }
    return list(bigger, bytes);
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

struct inflation {
    const char *packed;
    char *whole;
    int packed_size, whole_size;
    bool is_whole;
};

static void *inflate(void *ctx)
{
    struct inflation *i = ctx;
    i->is_whole = stbi_zlib_decode_noheader_buffer(i->whole, i->whole_size, i->packed,
                                                   i->packed_size) == i->whole_size;
    return NULL;
}

bool stb_inflate(const char *packed, size_t packed_size, char *whole, size_t whole_size)
{
    if (packed_size > INT_MAX || whole_size > INT_MAX) {
        return false;
    }
    struct inflation i = {packed, whole, (int)packed_size, (int)whole_size, false};
    return stb_call(inflate, &i).is_done && i.is_whole;
}
