// The formats of weights as their block kernels: which one reads, which one writes.
#ifndef SENSORIUM_QUANT_FORMATS_H
#define SENSORIUM_QUANT_FORMATS_H
#include <string.h>
#include "sensorium_quantised.h"

enum { QUANT_BLOCK = 32, QUANT_SUPER = 256 };

void from_half_scalar(const uint16_t *x, float *y, intptr_t n);
void to_half_scalar(const float *x, uint16_t *y, intptr_t n);

// binary16 in a block, at any address.
static inline void put_half(uint8_t *to, float value) {
    uint16_t half;
    to_half_scalar(&value, &half, 1);
    memcpy(to, &half, 2);
}

static inline float get_half(const uint8_t *from) {
    uint16_t half;
    float value;
    memcpy(&half, from, 2);
    from_half_scalar(&half, &value, 1);
    return value;
}

// Scale and minimum of group j (0...7) of a Q4_K or Q5_K block: six bits each in 12 bytes.
static inline void quant_scale_minimum(const uint8_t *packed, int j, uint8_t *scale, uint8_t *minimum) {
    if (j < 4) {
        *scale = packed[j] & 63;
        *minimum = packed[j + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
        *minimum = (uint8_t)((packed[j + 4] >> 4) | (packed[j] >> 6) << 4);
    }
}

void quantize_legacy_scalar(sn_weight_format format, const float *x, uint8_t *block);  // Q8_0, Q4_0, Q4_1, Q5_0, Q5_1
void quantize_super_scalar(sn_weight_format format, const float *x, uint8_t *block);   // Q4_K, Q5_K, Q6_K
void dequantize_legacy_scalar(sn_weight_format format, const uint8_t *block, float *y);
void dequantize_super_scalar(sn_weight_format format, const uint8_t *block, float *y);
#endif
