// 16-bit floating point in plain integer arithmetic (IEEE 754 binary16, bfloat16; round to nearest even).
#include <string.h>
#include "sensorium_kernels.h"

static float bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static uint32_t float_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

void from_half_scalar(const uint16_t *x, float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        uint32_t sign = (uint32_t)(x[i] & 0x8000) << 16, exponent = (x[i] >> 10) & 31, fraction = x[i] & 1023;
        if (exponent == 31) y[i] = bits_to_float(sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0));
        else if (exponent) y[i] = bits_to_float(sign | (exponent + 112) << 23 | fraction << 13);
        else {
            float value = (float)fraction * 0x1p-24f;
            y[i] = bits_to_float(float_to_bits(value) | sign);
        }
    }
}

void to_half_scalar(const float *x, uint16_t *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        uint32_t bits = float_to_bits(x[i]), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
        if (magnitude > 0x7f800000) y[i] = (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
        else if (magnitude >= 0x477ff000) y[i] = (uint16_t)(sign | 0x7c00);
        else if (magnitude < 0x38800000) {  // subnormal: adding 0.5 leaves the rounded fraction in the low bits
            float value = bits_to_float(magnitude) + 0.5f;
            y[i] = (uint16_t)(sign | (float_to_bits(value) & 0x7ff));
        } else {
            uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
            y[i] = (uint16_t)(sign | rounded >> 13);
        }
    }
}

void from_bfloat_scalar(const uint16_t *x, float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) y[i] = bits_to_float((uint32_t)x[i] << 16);
}

void to_bfloat_scalar(const float *x, uint16_t *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        uint32_t bits = float_to_bits(x[i]);
        if ((bits & 0x7fffffff) > 0x7f800000) y[i] = (uint16_t)(bits >> 16 | 0x40);
        else y[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}
