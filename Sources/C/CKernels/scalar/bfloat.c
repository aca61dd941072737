// The intrinsic-free reference of the products of bf16 operands: 4 rows, panels of up to two "vectors" of 4 columns.
#include <string.h>
#include "sensorium_mixed.h"
void to_bfloat_scalar(const float *x, uint16_t *y, intptr_t n);

void pairs_scalar(const float *even, const float *odd, uint32_t *to, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        uint16_t low, high = 0;
        to_bfloat_scalar(even + i, &low, 1);
        if (odd) to_bfloat_scalar(odd + i, &high, 1);
        to[i] = (uint32_t)high << 16 | low;
    }
}

void bfloat_pairs_scalar(const uint16_t *even, const uint16_t *odd, uint32_t *to, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) to[i] = (odd ? (uint32_t)odd[i] << 16 : 0) | even[i];
}

static float half_of(uint32_t pair, int odd) {
    uint32_t bits = odd ? pair & 0xffff0000 : pair << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

void bfloat_tile_scalar(int32_t rows, int32_t vectors, intptr_t pairs, const uint32_t *a, intptr_t lda, const uint32_t *b, float *c,
                        intptr_t ldc, bool accumulate) {
    int columns = vectors * 4;
    for (int32_t i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            float sum = accumulate ? c[i * ldc + j] : 0.0f;
            for (intptr_t p = 0; p < pairs; p++) {
                uint32_t left = a[i * lda + p], right = b[p * columns + j];
                sum += half_of(left, 0) * half_of(right, 0);
                sum += half_of(left, 1) * half_of(right, 1);
            }
            c[i * ldc + j] = sum;
        }
}
