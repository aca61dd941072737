// Weights in 16, 8, 6, 5 and 4 bits times f32 activations. Rows of weights stay the bytes of the file, which may be memory-mapped:
// nothing is packed anew. The block formats are ggml's (GGUF), bit for bit.
#ifndef SENSORIUM_QUANTISED_H
#define SENSORIUM_QUANTISED_H
#include "sensorium_kernels.h"

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// Elements of a block (1 where there are no blocks) and its bytes.
intptr_t sn_weight_block_length(sn_weight_format format);
intptr_t sn_weight_block_bytes(sn_weight_format format);
// Bytes of a row of k elements; -1 where k is negative, not a whole number of blocks, or too large to count.
intptr_t sn_weight_row_bytes(sn_weight_format format, intptr_t k);

// y[count][k] = the values of `count` rows, `row_bytes` apart. `scales`: one per row, of INT8 only. Uses all threads.
void sn_dequantize_rows(sn_weight_format format, const void *rows, intptr_t row_bytes, intptr_t count, intptr_t k,
                        const float *_Nullable scales, float *y);
// Stores x[count][k] in the format, rows sn_weight_row_bytes apart, equal to ggml's reference quantisers byte for byte. `scales`
// receives one per row, of INT8 only. Uses all threads.
void sn_quantize_rows(sn_weight_format format, const float *x, intptr_t count, intptr_t k, void *rows, float *_Nullable scales);

// y[m][n] = epilogue(x[m][k] W^T), rows of x and y x_row and y_row floats apart. 8-bit and narrower weights meet activations that
// are rounded to 8 bits on the fly, with one scale per row and block of k; products and sums of a block are exact. Uses all threads.
void sn_linear_quantised(intptr_t m, const float *x, intptr_t x_row, const sn_weights *w, float *y, intptr_t y_row,
                         const sn_epilogue *_Nullable epilogue);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
