// The intrinsic-free reference of the GEMM tile: 4 x 8.
#include "sensorium_kernels.h"

void gemm_tile_scalar(int32_t rows, intptr_t k, const float *a, const float *b, float *c, intptr_t ldc, bool accumulate) {
    for (int32_t i = 0; i < rows; i++)
        for (int j = 0; j < 8; j++) {
            float sum = 0;
            for (intptr_t p = 0; p < k; p++) sum += a[p * rows + i] * b[p * 8 + j];
            c[i * ldc + j] = accumulate ? c[i * ldc + j] + sum : sum;
        }
}
