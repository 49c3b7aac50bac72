/* The only place that allocates. Blocks are 64-byte aligned; sizes are overflow-checked; a test can
 * make the k-th allocation fail. Thread-safe. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { MEM_ALIGN = 64 };

/* count * size bytes, zeroed. NULL on failure or overflow. count * size == 0 gives a valid block. */
void *mem_alloc(size_t count, size_t size);

/* As mem_alloc, but the content is undefined: for big blocks that are overwritten anyway. */
void *mem_alloc_raw(size_t count, size_t size);

/* Grow or shrink; the old content is kept, new bytes are undefined; NULL leaves block untouched. */
void *mem_resize(void *block, size_t count, size_t size);

/* NULL is accepted. */
void mem_free(void *block);

/* count * size zeroed bytes in pages of their own, page-aligned, which go back to the system at once
 * when unmapped: for big blocks with a life of their own. NULL on failure or overflow. */
void *mem_map(size_t count, size_t size);

/* The same count and size as at mem_map; NULL is accepted. */
void mem_unmap(void *block, size_t count, size_t size);

/* A copy of a string; NULL on failure. Freed with mem_free. */
char *mem_strdup(const char *text);

/* Fill *err with the standard out-of-memory message: "out of memory: <what>". */
enum result mem_error(struct error *err, const char *what);

/* Bytes of the machine; 0: not known. */
double memory_of_machine(void);
/* The most bytes that this process has had in memory at a time; 0: not known. */
double memory_peak(void);

/* a * b into *product; false on overflow. */
bool size_mul(size_t a, size_t b, size_t *product);

/* How many allocations have failed so far: what a library that only says NULL has met. */
unsigned long mem_failures(void);

/* Test hook: the next `allocations` allocations succeed and the one after them fails (once);
 * a negative number switches the hook off. Not for concurrent use. */
void mem_fail_after(long allocations);

/* Ensure room for one more element in a growing array: doubles *capacity as needed.
 * Returns ERR_MEMORY and leaves the array valid on failure. */
NODISCARD enum result mem_grow(void **array, size_t count, size_t *capacity, size_t element_size,
                               struct error *err);

#endif
