/* The integer vectors of int8_slots.c as GCC and Clang spell them: INT8_LANES of 32 bits, a macro of the includer.
 * Words wrap, as the sums modulo 2^32 want it. */
#ifndef KERNELS_INT8_VEC_TEMPLATE_H
#define KERNELS_INT8_VEC_TEMPLATE_H

#include <stdint.h>

typedef uint32_t words __attribute__((vector_size(4 * INT8_LANES)));
typedef int32_t ints __attribute__((vector_size(4 * INT8_LANES)));
typedef float floats __attribute__((vector_size(4 * INT8_LANES)));
typedef int16_t halves __attribute__((vector_size(4 * INT8_LANES)));
typedef uint8_t lane_bytes __attribute__((vector_size(INT8_LANES)));
typedef uint8_t bytes __attribute__((vector_size(2 * INT8_LANES)));
typedef int8_t signed_bytes __attribute__((vector_size(2 * INT8_LANES)));

#endif
