/* The slots of quantised convolutions for AVX-512: a tile of 12 pixels x 32 filters. */
#include "kernels/slots_int8.h"

#define INT8_VNNI 0
#include "kernels/avx512_int8_vec.h"

#include "kernels/int8_template.h"

const struct int8_slots int8_slots_avx512 = INT8_SLOTS;
