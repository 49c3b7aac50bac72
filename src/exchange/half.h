/* IEEE 754's binary16, as bits. */
#ifndef EXCHANGE_HALF_H
#define EXCHANGE_HALF_H

#include <stdint.h>

/* Rounded to nearest, ties to even; infinity from 65520 on. */
uint16_t half_from_float(float value);
float half_to_float(uint16_t half);
/* The upper half of a float's bits (bfloat16). */
float bfloat_to_float(uint16_t bits);

#endif
