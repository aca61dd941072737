// The formats of weights as their block kernels: which one reads, which one writes.
#ifndef SENSORIUM_QUANT_FORMATS_H
#define SENSORIUM_QUANT_FORMATS_H
#include "sensorium_quantised.h"

enum { QUANT_BLOCK = 32, QUANT_SUPER = 256 };

void from_half_scalar(const uint16_t *x, float *y, intptr_t n);
void to_half_scalar(const float *x, uint16_t *y, intptr_t n);

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
