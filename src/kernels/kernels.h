/* The kernel table: what differs by instruction set, behind typed slots.
 *
 * kernels_select fills a table at start: scalar first (the truth, plain C that any compiler vectorises),
 * then AVX2 + FMA, then AVX-512 override what they do better. The table is const afterwards and passed
 * down; nothing tests the CPU inside a loop. Only avx2_* and avx512_* files include <immintrin.h>.
 *
 * Counts are in elements. Pointers need 4-byte alignment unless said otherwise. Nothing reads or
 * writes outside the given ranges (masks, no overread). */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct kernels; /* slots: kernels/slots.h, private to this folder, its tests and the bench */

/* isa: NULL or "auto" = the best this CPU and operating system run; else "scalar", "avx2", "avx512"
 * (anything else, or one this machine lacks: ERR_ARG). The table is static. */
NODISCARD enum result kernels_select(const char *isa, const struct kernels **kern,
                                     struct error *err);

const char *kernels_isa(const struct kernels *kern);

/* The same instruction set with neither Winograd's nor Strassen's algorithm: convolutions and their gradients are direct sums
 * throughout (--no-winograd). The table is static. */
const struct kernels *kernels_direct(const struct kernels *kern);
bool kernels_are_direct(const struct kernels *kern);

#endif
