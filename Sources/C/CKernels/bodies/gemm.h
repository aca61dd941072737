// One GEMM tile: rows x (GEMM_NV vectors) accumulators stay in registers over the whole of k.
#include <stdbool.h>
#include "names.h"
#define NR (GEMM_NV * VW)

#define TILE(ROWS)                                                                                                     \
    INLINE void PASTE(tile##ROWS, LEVEL)(intptr_t k, const float *a, const float *b, float *c, intptr_t ldc, bool acc) { \
        vf sum[ROWS][GEMM_NV];                                                                                         \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                              \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < GEMM_NV; v++)                                       \
                sum[i][v] = v_set1(0.0f);                                                                              \
        for (intptr_t p = 0; p < k; p++) {                                                                             \
            vf right[GEMM_NV];                                                                                         \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < GEMM_NV; v++) right[v] = v_load(b + v * VW);        \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) {                                        \
                vf left = v_set1(a[i]);                                                                                \
                _Pragma("clang loop unroll(full)") for (int v = 0; v < GEMM_NV; v++)                                   \
                    sum[i][v] = v_fma(left, right[v], sum[i][v]);                                                      \
            }                                                                                                          \
            a += ROWS;                                                                                                 \
            b += NR;                                                                                                   \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                              \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < GEMM_NV; v++) {                                     \
                float *to = c + i * ldc + v * VW;                                                                      \
                v_store(to, acc ? v_add(v_load(to), sum[i][v]) : sum[i][v]);                                           \
            }                                                                                                          \
    }
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if GEMM_MR > 6
TILE(7) TILE(8)
#endif
#if GEMM_MR > 8
TILE(9) TILE(10) TILE(11) TILE(12)
#endif

void NAME(gemm_tile)(int32_t rows, intptr_t k, const float *a, const float *b, float *c, intptr_t ldc, bool acc) {
#define CASE(ROWS) case ROWS: PASTE(tile##ROWS, LEVEL)(k, a, b, c, ldc, acc); return;
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if GEMM_MR > 6
        CASE(7) CASE(8)
#endif
#if GEMM_MR > 8
        CASE(9) CASE(10) CASE(11) CASE(12)
#endif
    }
}
