// The intrinsic-free reference of the GEMM tiles: 4 rows, panels of up to two "vectors" of 4 columns.
#include "sensorium_kernels.h"

void gemm_tile_scalar(int32_t rows, int32_t vectors, intptr_t k, const float *a, intptr_t lda, const float *b, float *c, intptr_t ldc,
                      bool accumulate) {
    int columns = vectors * 4;
    for (int32_t i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            float sum = accumulate ? c[i * ldc + j] : 0.0f;
            for (intptr_t p = 0; p < k; p++) sum += a[i * lda + p] * b[p * columns + j];
            c[i * ldc + j] = sum;
        }
}

void gemm_dots_scalar(int32_t rows, int32_t count, intptr_t k, const float *a, intptr_t lda, const float *b, intptr_t ldb, float *out,
                      intptr_t ldo) {
    for (int32_t t = 0; t < count; t++)
        for (int32_t i = 0; i < rows; i++) {
            float sum = 0;
            for (intptr_t p = 0; p < k; p++) sum += a[i * lda + p] * b[t * ldb + p];
            out[t * ldo + i] = sum;
        }
}

void transpose_scalar(const float *from, intptr_t from_row, intptr_t rows, intptr_t columns, const float *add, intptr_t add_row,
                      float *to, intptr_t to_row) {
    for (intptr_t i = 0; i < rows; i++)
        for (intptr_t j = 0; j < columns; j++) {
            float value = from[i * from_row + j];
            to[j * to_row + i] = add ? value + add[j * add_row + i] : value;
        }
}

void scale_rows_scalar(float *c, intptr_t rows, intptr_t columns, float alpha, const float *bias, const float *scale) {
    for (intptr_t i = 0; i < rows; i++)
        for (intptr_t j = 0; j < columns; j++) c[i * columns + j] = (alpha * c[i * columns + j] + (bias ? bias[i] : 0.0f)) * (scale ? scale[i] : 1.0f);
}

void finish_rows_scalar(const float *c, intptr_t rows, intptr_t width, intptr_t columns, float alpha, const float *bias, const float *scale,
                        const float *residual, intptr_t residual_row, float *y, intptr_t y_row) {
    for (intptr_t i = 0; i < rows; i++)
        for (intptr_t j = 0; j < columns; j++) {
            float value = (alpha * c[i * width + j] + (bias ? bias[j] : 0.0f)) * (scale ? scale[j] : 1.0f);
            y[i * y_row + j] = residual ? value + residual[i * residual_row + j] : value;
        }
}
