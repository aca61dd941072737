// Weights in 16, 8, 6, 5 and 4 bits times f32 activations. Rows of weights stay the bytes of the file, which may be memory-mapped:
// nothing is packed anew. The block formats are ggml's (GGUF), bit for bit.
#ifndef SENSORIUM_QUANTISED_H
#define SENSORIUM_QUANTISED_H
#include "sensorium_kernels.h"

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// How the elements of a weight row are stored. Numbers are little-endian, scales of blocks are binary16.
typedef enum {
    SN_WEIGHT_F32, SN_WEIGHT_F16, SN_WEIGHT_BF16,
    SN_WEIGHT_INT8,   // k signed bytes in -127...127; one f32 scale for the row, kept beside the rows
    SN_WEIGHT_Q8_0,   // 32 elements in 34 bytes: scale, 32 signed bytes
    SN_WEIGHT_Q4_0,   // 32 in 18: scale, 16 bytes of two elements minus 8
    SN_WEIGHT_Q4_1,   // 32 in 20: scale, minimum, 16 bytes
    SN_WEIGHT_Q5_0,   // 32 in 22: scale, fifth bits, 16 bytes
    SN_WEIGHT_Q5_1,   // 32 in 24: scale, minimum, fifth bits, 16 bytes
    SN_WEIGHT_Q4_K,   // 256 in 144: two scales, 8 six-bit scales and minimums, 128 bytes
    SN_WEIGHT_Q5_K,   // 256 in 176: as Q4_K with 32 bytes of fifth bits
    SN_WEIGHT_Q6_K,   // 256 in 210: low four bits, high two bits, 16 scales in bytes, a scale
    SN_WEIGHT_FORMAT_COUNT
} sn_weight_format;

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

// The weights W[n][k] of a linear layer.
typedef struct {
    sn_weight_format format;
    const void *rows;
    intptr_t row_bytes, n, k;       // row_bytes: from one row to the next
    const float *_Nullable scales;  // one per row, of INT8 only
} sn_weights;

// y[m][n] = epilogue(x[m][k] W^T), rows of x and y x_row and y_row floats apart. 8-bit and narrower weights meet activations that
// are rounded to 8 bits on the fly, with one scale per row and block of k; products and sums of a block are exact. Uses all threads.
void sn_linear_quantised(intptr_t m, const float *x, intptr_t x_row, const sn_weights *w, float *y, intptr_t y_row,
                         const sn_epilogue *_Nullable epilogue);

// How bytes are multiplied: "avx512" (VNNI), "avx2vnni", "avx2", "neondot", "neon" or "scalar".
const char *sn_quantised_level(void);
// Takes that one whatever the level of the engine is (tests compare them), or with NULL the best again. False where the CPU lacks it.
bool sn_quantised_use(const char *_Nullable name);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
