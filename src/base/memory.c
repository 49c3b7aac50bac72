#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Under AddressSanitizer mapped blocks come from the heap, where it sees overruns. */
#if defined(__SANITIZE_ADDRESS__)
enum { MAP_FROM_HEAP = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { MAP_FROM_HEAP = 1 };
#else
enum { MAP_FROM_HEAP = 0 };
#endif
#else
enum { MAP_FROM_HEAP = 0 };
#endif

/* Weights and activations are walked with long strides: huge pages save most TLB misses. */
enum { HUGE_PAGE = 2 * 1024 * 1024, HUGE_THRESHOLD = 4 * HUGE_PAGE };

/* Each block carries its size in a header of one alignment unit, so that resizing can copy. */
struct header {
    size_t bytes;
};

static atomic_long fail_countdown = -1;
static atomic_ulong failures;

static bool should_fail(void)
{
    long left = atomic_load(&fail_countdown);
    if (left < 0) {
        return false;
    }
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

bool size_mul(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return false;
    }
    *product = a * b;
    return true;
}

unsigned long mem_failures(void)
{
    return atomic_load(&failures);
}

static void *fail(void)
{
    atomic_fetch_add(&failures, 1);
    return NULL;
}

void *mem_alloc_raw(size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || bytes > PTRDIFF_MAX - 2 * HUGE_PAGE || should_fail()) {
        return fail();
    }
    size_t unit = bytes >= HUGE_THRESHOLD ? HUGE_PAGE : MEM_ALIGN;
    /* Of no bytes, too, a block that its pointer lies in: a search for leaks finds it by that. */
    size_t rounded = (bytes + (bytes == 0) + MEM_ALIGN + unit - 1) / unit * unit;
    char *base = aligned_alloc(unit, rounded);
    if (!base) {
        return fail();
    }
#ifdef MADV_HUGEPAGE
    if (unit == HUGE_PAGE) {
        madvise(base, rounded, MADV_HUGEPAGE); /* advice: a refusal changes nothing */
    }
#endif
    ((struct header *)(void *)base)->bytes = bytes;
    return base + MEM_ALIGN;
}

void *mem_alloc(size_t count, size_t size)
{
    void *block = mem_alloc_raw(count, size);
    if (block) {
        memset(block, 0, count * size);
    }
    return block;
}

void *mem_resize(void *block, size_t count, size_t size)
{
    void *fresh = mem_alloc_raw(count, size);
    if (!fresh) {
        return NULL;
    }
    if (block) {
        size_t old = ((struct header *)(void *)((char *)block - MEM_ALIGN))->bytes;
        size_t bytes = count * size;
        memcpy(fresh, block, old < bytes ? old : bytes);
        mem_free(block);
    }
    return fresh;
}

void mem_free(void *block)
{
    if (block) {
        free((char *)block - MEM_ALIGN);
    }
}

void *mem_map(size_t count, size_t size)
{
    size_t bytes;
    if (MAP_FROM_HEAP) {
        return mem_alloc(count, size);
    }
    if (!size_mul(count, size, &bytes) || bytes > PTRDIFF_MAX || should_fail()) {
        return NULL;
    }
    void *block =
        mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

void mem_unmap(void *block, size_t count, size_t size)
{
    if (MAP_FROM_HEAP) {
        mem_free(block);
    } else if (block) {
        size_t bytes = count * size;
        munmap(block, bytes ? bytes : 1);
    }
}

char *mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mem_alloc_raw(bytes, 1);
    if (copy) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

enum result mem_error(struct error *err, const char *what)
{
    return error_set(err, ERR_MEMORY, "out of memory: %s", what);
}

void mem_fail_after(long allocations)
{
    atomic_store(&fail_countdown, allocations);
}

enum result mem_grow(void **array, size_t count, size_t *capacity, size_t element_size,
                     struct error *err)
{
    if (count < *capacity) {
        return OK;
    }
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = mem_resize(*array, wanted, element_size);
    if (!grown) {
        return mem_error(err, "growing a list");
    }
    *array = grown;
    *capacity = wanted;
    return OK;
}

double memory_of_machine(void)
{
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return bytes > 0.0 ? bytes : 0.0;
}

double memory_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024.0 : 0.0;
}
