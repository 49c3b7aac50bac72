/* The slots of quantised convolutions for AVX2: a tile of 6 pixels x 16 filters. */
#include "kernels/slots_int8.h"

#define INT8_VNNI 0
#include "kernels/avx2_int8_vec.h"

#include "kernels/int8_template.h"

const struct int8_slots int8_slots_avx2 = INT8_SLOTS;
