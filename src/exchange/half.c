#include "exchange/half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t half_from_float(float value)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        return (uint16_t)(sign | 0x7e00); /* not a number */
    }
    if (magnitude >= 0x477ff000) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (magnitude < 0x38800000) { /* subnormal: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)lrintf(float_of(magnitude) * 0x1p24f));
    }
    uint32_t tie = 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude + tie - 0x38000000) >> 13);
}

float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
             fraction = half & 0x3ff;
    if (exponent == 0) {
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    exponent = exponent == 31 ? 255 : exponent + 112;
    return float_of(sign | exponent << 23 | fraction << 13);
}

float bfloat_to_float(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}
