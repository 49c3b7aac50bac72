/* Tensors for kernel tests, with the pages and patterns around them that show a stray access: the
 * end lies before a page that may not be touched, the start is misaligned, everything between the
 * pixels is guarded. */
#ifndef TESTS_FIELD_H
#define TESTS_FIELD_H

#include <stdint.h>
#include <sys/mman.h>

#include "isa.h"
#include "kernels/kernels.h"
#include "kernels/tensor.h"
#include "test.h"

enum { LEAD = 37, PAGE = 4096, MAX_CHANNELS = 67 };

static const uint32_t SENTINEL = 0x7fa5a5a5u; /* a NaN: reading it shows, too */

/* NULL where the machine lacks the instruction set. */
static inline const struct kernels *kernels_named(int isa)
{
    return isa_kernels(ISA_NAMES[isa]);
}

/* A tensor and the mapping around it. */
struct field {
    void *map;
    size_t map_bytes, floats;
    float *block;
    struct tensor t;
};

static inline struct field field_make(int n, int h, int w, int c, int gap)
{
    struct field f = {.t = {.n = n, .h = h, .w = w, .c = c, .stride = (size_t)(c + gap)}};
    size_t body = (tensor_pixels(&f.t) - 1) * f.t.stride + (size_t)c;
    f.floats = LEAD + body;
    size_t bytes = (f.floats * sizeof(float) + PAGE - 1) / PAGE * PAGE;
    f.map_bytes = bytes + PAGE;
    f.map = mmap(NULL, f.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f.map == MAP_FAILED || mprotect((char *)f.map + bytes, PAGE, PROT_NONE) != 0) {
        printf("no memory for a test tensor\n");
        exit(1);
    }
    f.block = (float *)((char *)f.map + bytes) - f.floats;
    f.t.data = f.block + LEAD;
    for (size_t i = 0; i < f.floats; i++) {
        memcpy(f.block + i, &SENTINEL, sizeof(SENTINEL));
    }
    return f;
}

static inline void field_free(struct field *f)
{
    munmap(f->map, f->map_bytes);
}

static inline float *at(const struct field *f, size_t pixel, int c)
{
    return f->t.data + pixel * f->t.stride + (size_t)c;
}

static inline void field_noise(struct field *f, unsigned seed, float range)
{
    for (size_t p = 0; p < tensor_pixels(&f->t); p++) {
        for (int c = 0; c < f->t.c; c++) {
            *at(f, p, c) = range * test_noise(&seed);
        }
    }
}

static inline void field_fill(struct field *f, float value)
{
    for (size_t p = 0; p < tensor_pixels(&f->t); p++) {
        for (int c = 0; c < f->t.c; c++) {
            *at(f, p, c) = value;
        }
    }
}

/* Nothing but the tensor's own elements was written. */
static inline bool field_guarded(const struct field *f)
{
    for (size_t i = 0; i < f->floats; i++) {
        bool own = i >= LEAD && (i - LEAD) % f->t.stride < (size_t)f->t.c;
        if (!own && memcmp(f->block + i, &SENTINEL, sizeof(SENTINEL)) != 0) {
            return false;
        }
    }
    return true;
}

static inline bool field_equal(const struct field *a, const struct field *b)
{
    for (size_t p = 0; p < tensor_pixels(&a->t); p++) {
        if (memcmp(at(a, p, 0), at(b, p, 0), (size_t)a->t.c * sizeof(float)) != 0) {
            return false;
        }
    }
    return true;
}

/* |got - want| in units in the last place of the float nearest to want; infinite for a wrong NaN.
 */
static inline double ulps(float got, double want)
{
    if (isnan(want) || isnan(got)) {
        return isnan(want) && isnan(got) ? 0 : (double)INFINITY;
    }
    if (isinf((float)want) || isinf(got)) {
        return got == (float)want ? 0 : (double)INFINITY;
    }
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

#endif
