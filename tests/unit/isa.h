/* Kernels by instruction set: what this machine lacks is counted as skipped. */
#ifndef TESTS_ISA_H
#define TESTS_ISA_H

#include "kernels/kernels.h"
#include "test.h"

enum { ISA_COUNT = 3 };

static const char *const ISA_NAMES[ISA_COUNT] = {"scalar", "avx2", "avx512"};

/* NULL where this machine lacks the instruction set: the case goes on without it, and says so. Plain C is
 * never lacking. */
static inline const struct kernels *isa_kernels(const char *isa)
{
    const struct kernels *kern = NULL;
    struct error err;
    if (kernels_select(isa, &kern, &err) == OK) {
        return kern;
    }
    if (strcmp(isa, "scalar") == 0) {
        printf("  no scalar kernels: %s\n", err.text);
        test_failed = true;
    } else {
        skip_part(isa);
    }
    return NULL;
}

#endif
