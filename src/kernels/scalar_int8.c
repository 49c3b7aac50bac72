/* The slots of quantised convolutions for any machine. */
#include "kernels/slots_int8.h"

#define INT8_VNNI 0
#include "kernels/scalar_int8_vec.h"

#include "kernels/int8_template.h"

const struct int8_slots int8_slots_scalar = INT8_SLOTS;
