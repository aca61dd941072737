// Products of bf16 operands: pairs of them along k, the even one in the lower half of a lane. Both halves of a bf16 pair are f32 numbers
// after a shift or a mask, so that every instruction set can multiply them; sums are f32.
#include <stdbool.h>
#include "names.h"
void pairs_scalar(const float *even, const float *odd, uint32_t *to, intptr_t n);
void bfloat_pairs_scalar(const uint16_t *even, const uint16_t *odd, uint32_t *to, intptr_t n);

void NAME(pairs)(const float *even, const float *odd, uint32_t *to, intptr_t n) {
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) v_store_pairs(to + i, v_pair(v_load(even + i), odd ? v_load(odd + i) : v_set1(0.0f)));
    pairs_scalar(even + i, odd ? odd + i : NULL, to + i, n - i);
}

void NAME(bfloat_pairs)(const uint16_t *even, const uint16_t *odd, uint32_t *to, intptr_t n) {
    intptr_t i = 0;
    for (; i + VW <= n; i += VW)
        v_store_pairs(to + i, v_pair(v_load_bfloat(even + i), odd ? v_load_bfloat(odd + i) : v_set1(0.0f)));
    bfloat_pairs_scalar(even + i, odd ? odd + i : NULL, to + i, n - i);
}

#ifndef BFLOAT_STEP
// sum + the two products of a pair
#define BFLOAT_STEP(SUM, LEFT, RIGHT) v_fma(v_odd(LEFT), v_odd(RIGHT), v_fma(v_even(LEFT), v_even(RIGHT), SUM))
#endif

// Two vectors wide: c[ROWS][V * VW] (+)= a[ROWS][pairs] b[pairs][V * VW].
#define BFLOAT_TILE(ROWS, V)                                                                                                   \
    INLINE void PASTE(bfloat_tile##ROWS##x##V, LEVEL)(intptr_t pairs, const uint32_t *a, intptr_t lda, const uint32_t *b, float *c, \
                                                      intptr_t ldc, bool acc) {                                                \
        vf sum[ROWS][V];                                                                                                       \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                                      \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++)                                                     \
                sum[i][v] = acc ? v_load(c + i * ldc + v * VW) : v_set1(0.0f);                                                 \
        for (intptr_t p = 0; p < pairs; p++) {                                                                                 \
            vi right[V];                                                                                                       \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++) right[v] = v_load_pairs(b + v * VW);                \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) {                                                \
                vi left = v_set1_pair(a[i * lda]);                                                                             \
                _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++) sum[i][v] = BFLOAT_STEP(sum[i][v], left, right[v]); \
            }                                                                                                                  \
            a++;                                                                                                               \
            b += V * VW;                                                                                                       \
        }                                                                                                                      \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                                      \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++) v_store(c + i * ldc + v * VW, sum[i][v]);           \
    }
#define BFLOAT_TILES(ROWS) BFLOAT_TILE(ROWS, 1) BFLOAT_TILE(ROWS, 2)
BFLOAT_TILES(1) BFLOAT_TILES(2) BFLOAT_TILES(3) BFLOAT_TILES(4)
#if BFLOAT_MR > 4
BFLOAT_TILES(5) BFLOAT_TILES(6) BFLOAT_TILES(7) BFLOAT_TILES(8) BFLOAT_TILES(9) BFLOAT_TILES(10) BFLOAT_TILES(11) BFLOAT_TILES(12)
#endif

void NAME(bfloat_tile)(int32_t rows, int32_t vectors, intptr_t pairs, const uint32_t *a, intptr_t lda, const uint32_t *b, float *c,
                       intptr_t ldc, bool acc) {
#define BFLOAT_CASE(ROWS, V) case ROWS * 4 + V: PASTE(bfloat_tile##ROWS##x##V, LEVEL)(pairs, a, lda, b, c, ldc, acc); return;
#define BFLOAT_CASES(ROWS) BFLOAT_CASE(ROWS, 1) BFLOAT_CASE(ROWS, 2)
    switch (rows * 4 + vectors) {
        BFLOAT_CASES(1) BFLOAT_CASES(2) BFLOAT_CASES(3) BFLOAT_CASES(4)
#if BFLOAT_MR > 4
        BFLOAT_CASES(5) BFLOAT_CASES(6) BFLOAT_CASES(7) BFLOAT_CASES(8)
        BFLOAT_CASES(9) BFLOAT_CASES(10) BFLOAT_CASES(11) BFLOAT_CASES(12)
#endif
    }
}
