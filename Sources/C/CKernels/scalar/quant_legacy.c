// Blocks of 32 elements as ggml's reference quantisers write and read them (quantize_row_q8_0_ref ... of ggml-quants.c).
#include <float.h>
#include <math.h>
#include <string.h>
#include "../quant_formats.h"

// Cut to a whole number in 0...limit; what isn't a number becomes 0.
static uint8_t cut(float value, int limit) { return value >= 1 ? value < (float)limit ? (uint8_t)value : (uint8_t)limit : 0; }

static void q8_0(const float *x, uint8_t *block) {
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    float d = largest / 127, inverse = d != 0 ? 1.0f / d : 0;
    put_half(block, d);
    for (int i = 0; i < 32; i++) {
        float q = roundf(x[i] * inverse);
        ((int8_t *)block)[2 + i] = (int8_t)(q >= -127 ? q <= 127 ? q : 127 : -127);
    }
}

// Nibbles, and the fifth bits where there are some: element i and i + 16 share a byte.
static void put_bits(const uint8_t *q, uint8_t *nibbles, uint8_t *fifth) {
    uint32_t high = 0;
    for (int i = 0; i < 16; i++) {
        nibbles[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
        high |= (uint32_t)(q[i] >> 4) << i | (uint32_t)(q[i + 16] >> 4) << (i + 16);
    }
    if (fifth) memcpy(fifth, &high, 4);
}

// Around zero: the element of largest magnitude becomes the lowest code.
static void symmetric(const float *x, int half, uint8_t *block, uint8_t *nibbles, uint8_t *fifth) {
    float largest = 0, extreme = 0;
    for (int i = 0; i < 32; i++)
        if (largest < fabsf(x[i])) {
            largest = fabsf(x[i]);
            extreme = x[i];
        }
    float d = extreme / (float)-half, inverse = d != 0 ? 1.0f / d : 0;
    uint8_t q[32];
    for (int i = 0; i < 32; i++) q[i] = cut(x[i] * inverse + ((float)half + 0.5f), 2 * half - 1);
    put_half(block, d);
    put_bits(q, nibbles, fifth);
}

// Between the least and the greatest element.
static void ranged(const float *x, int limit, uint8_t *block, uint8_t *nibbles, uint8_t *fifth) {
    float least = FLT_MAX, greatest = -FLT_MAX;
    for (int i = 0; i < 32; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > greatest) greatest = x[i];
    }
    float d = (greatest - least) / (float)limit, inverse = d != 0 ? 1.0f / d : 0;
    uint8_t q[32];
    for (int i = 0; i < 32; i++) q[i] = cut((x[i] - least) * inverse + 0.5f, limit);
    put_half(block, d);
    put_half(block + 2, least);
    put_bits(q, nibbles, fifth);
}

void quantize_legacy_scalar(sn_weight_format format, const float *x, uint8_t *block) {
    switch (format) {
        case SN_WEIGHT_Q8_0: q8_0(x, block); break;
        case SN_WEIGHT_Q4_0: symmetric(x, 8, block, block + 2, NULL); break;
        case SN_WEIGHT_Q5_0: symmetric(x, 16, block, block + 6, block + 2); break;
        case SN_WEIGHT_Q4_1: ranged(x, 15, block, block + 4, NULL); break;
        case SN_WEIGHT_Q5_1: ranged(x, 31, block, block + 8, block + 4); break;
        default: break;
    }
}

static void get_bits(const uint8_t *nibbles, const uint8_t *fifth, int32_t *q) {
    uint32_t high = 0;
    if (fifth) memcpy(&high, fifth, 4);
    for (int i = 0; i < 16; i++) {
        q[i] = (int32_t)((nibbles[i] & 15) | (high >> i & 1) << 4);
        q[i + 16] = (int32_t)(nibbles[i] >> 4 | (high >> (i + 16) & 1) << 4);
    }
}

void dequantize_legacy_scalar(sn_weight_format format, const uint8_t *block, float *y) {
    float d = get_half(block);
    int32_t q[32], shift = 0;
    bool ranged = format == SN_WEIGHT_Q4_1 || format == SN_WEIGHT_Q5_1;
    switch (format) {
        case SN_WEIGHT_Q8_0: for (int i = 0; i < 32; i++) q[i] = ((const int8_t *)block)[2 + i]; break;
        case SN_WEIGHT_Q4_0: get_bits(block + 2, NULL, q); shift = 8; break;
        case SN_WEIGHT_Q5_0: get_bits(block + 6, block + 2, q); shift = 16; break;
        case SN_WEIGHT_Q4_1: get_bits(block + 4, NULL, q); break;
        case SN_WEIGHT_Q5_1: get_bits(block + 8, block + 4, q); break;
        default: return;
    }
    float least = ranged ? get_half(block + 2) : 0;
    for (int i = 0; i < 32; i++) y[i] = ranged ? (float)q[i] * d + least : (float)(q[i] - shift) * d;
}
