/* The slots of quantised convolutions for AVX2 with AVX-VNNI: four products of bytes a step, sums of pairs in one instruction. */
#include "kernels/slots_int8.h"

#define INT8_VNNI 1
#include "kernels/avx2_int8_vec.h"

#include "kernels/int8_template.h"

const struct int8_slots int8_slots_avx2_vnni = INT8_SLOTS;
