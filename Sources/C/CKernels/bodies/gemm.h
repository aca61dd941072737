// GEMM tiles. The right operand is a panel [k][V vectors], the left one rows with a stride, of which one element at a time is
// spread over a vector; ROWS x V accumulators stay in registers over the whole of k.
#include <stdbool.h>
#include "names.h"

#define TILE(ROWS, V)                                                                                                       \
    INLINE void PASTE(tile##ROWS##x##V, LEVEL)(intptr_t k, const float *a, intptr_t lda, const float *b, float *c, intptr_t ldc, \
                                               bool acc) {                                                                  \
        vf sum[ROWS][V];                                                                                                    \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                                   \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++)                                                  \
                sum[i][v] = acc ? v_load(c + i * ldc + v * VW) : v_set1(0.0f);                                              \
        for (intptr_t p = 0; p < k; p++) {                                                                                  \
            vf right[V];                                                                                                    \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++) right[v] = v_load(b + v * VW);                   \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) {                                             \
                vf left = v_set1(a[i * lda]);                                                                               \
                _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++)                                              \
                    sum[i][v] = v_fma(left, right[v], sum[i][v]);                                                           \
            }                                                                                                               \
            a++;                                                                                                            \
            b += V * VW;                                                                                                    \
        }                                                                                                                   \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                                   \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < V; v++) v_store(c + i * ldc + v * VW, sum[i][v]);        \
    }
#if GEMM_NV > 2
#define TILES(ROWS) TILE(ROWS, 1) TILE(ROWS, 2) TILE(ROWS, 3)
#else
#define TILES(ROWS) TILE(ROWS, 1) TILE(ROWS, 2)
#endif
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if GEMM_MR > 6
TILES(7) TILES(8)
#endif
#if GEMM_MR > 8
TILES(9) TILES(10) TILES(11) TILES(12)
#endif

void NAME(gemm_tile)(int32_t rows, int32_t vectors, intptr_t k, const float *a, intptr_t lda, const float *b, float *c, intptr_t ldc,
                     bool acc) {
#define CASE(ROWS, V) case ROWS * 4 + V: PASTE(tile##ROWS##x##V, LEVEL)(k, a, lda, b, c, ldc, acc); return;
#if GEMM_NV > 2
#define CASES(ROWS) CASE(ROWS, 1) CASE(ROWS, 2) CASE(ROWS, 3)
#else
#define CASES(ROWS) CASE(ROWS, 1) CASE(ROWS, 2)
#endif
    switch (rows * 4 + vectors) {
        CASES(1) CASES(2) CASES(3) CASES(4) CASES(5) CASES(6)
#if GEMM_MR > 6
        CASES(7) CASES(8)
#endif
#if GEMM_MR > 8
        CASES(9) CASES(10) CASES(11) CASES(12)
#endif
    }
}

// Dot products of ROWS left rows with T right rows, both along k: no packing, for few right rows.
#define DOT(ROWS, T)                                                                                                            \
    INLINE void PASTE(dot##ROWS##x##T, LEVEL)(intptr_t k, const float *a, intptr_t lda, const float *b, intptr_t ldb, float *out, \
                                              intptr_t ldo) {                                                                   \
        vf sum[ROWS][T];                                                                                                        \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                                       \
            _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) sum[i][t] = v_set1(0.0f);                            \
        intptr_t p = 0;                                                                                                         \
        for (; p + VW <= k; p += VW) {                                                                                          \
            vf left[ROWS];                                                                                                      \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) left[i] = v_load(a + i * lda + p);                \
            _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) {                                                    \
                vf right = v_load(b + t * ldb + p);                                                                             \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++)                                               \
                    sum[i][t] = v_fma(left[i], right, sum[i][t]);                                                               \
            }                                                                                                                   \
        }                                                                                                                       \
        _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++) {                                                           \
            if (ROWS == 4) {                                                                                                       \
                vf four[4] = {sum[0][t], sum[1 % ROWS][t], sum[2 % ROWS][t], sum[3 % ROWS][t]};                                    \
                v_reduce_four(four, out + t * ldo);                                                                                \
            } else {                                                                                                               \
                out[t * ldo] = v_reduce_add(sum[0][t]);                                                                            \
            }                                                                                                                      \
            for (intptr_t q = p; q < k; q++)                                                                                       \
                for (int i = 0; i < ROWS; i++) out[t * ldo + i] += a[i * lda + q] * b[t * ldb + q];                                \
        }                                                                                                                          \
    }
#define DOTS(T) DOT(1, T) DOT(4, T)
DOTS(1) DOTS(2) DOTS(3)
#if GEMM_DOT > 3
DOTS(4) DOTS(5) DOTS(6)
#endif

void NAME(gemm_dots)(int32_t rows, int32_t count, intptr_t k, const float *a, intptr_t lda, const float *b, intptr_t ldb, float *out,
                     intptr_t ldo) {
#define SOME(T)                                                                                                           \
    case T:                                                                                                               \
        for (; rows >= 4; rows -= 4, a += 4 * lda, out += 4) PASTE(dot4x##T, LEVEL)(k, a, lda, b, ldb, out, ldo);         \
        for (; rows > 0; rows--, a += lda, out++) PASTE(dot1x##T, LEVEL)(k, a, lda, b, ldb, out, ldo);                    \
        return;
    switch (count) {
        SOME(1) SOME(2) SOME(3)
#if GEMM_DOT > 3
        SOME(4) SOME(5) SOME(6)
#endif
    }
}

// to[j][i] = from[i][j] (+ add[j][i]) for i < rows, j < columns, in squares of VW.
void NAME(transpose)(const float *from, intptr_t from_row, intptr_t rows, intptr_t columns, const float *add, intptr_t add_row,
                     float *to, intptr_t to_row) {
    for (intptr_t i = 0; i < rows; i += VW)
        for (intptr_t j = 0; j < columns; j += VW) {
            if (rows - i >= VW && columns - j >= VW) {
                vf square[VW];
                _Pragma("clang loop unroll(full)") for (int r = 0; r < VW; r++) square[r] = v_load(from + (i + r) * from_row + j);
                v_transpose(square);
                _Pragma("clang loop unroll(full)") for (int r = 0; r < VW; r++)
                    v_store(to + (j + r) * to_row + i, add ? v_add(square[r], v_load(add + (j + r) * add_row + i)) : square[r]);
                continue;
            }
            vf part[VW];
            intptr_t height = rows - i < VW ? rows - i : VW, width = columns - j < VW ? columns - j : VW;
            _Pragma("clang loop unroll(full)") for (int r = 0; r < VW; r++)
                part[r] = r < height ? v_load_first(from + (i + r) * from_row + j, width) : v_set1(0.0f);
            v_transpose(part);
            _Pragma("clang loop unroll(full)") for (int r = 0; r < VW; r++)
                if (r < width) {
                    vf line = add ? v_add(part[r], v_load_first(add + (j + r) * add_row + i, height)) : part[r];
                    v_store_first(to + (j + r) * to_row + i, line, height);
                }
        }
}

// c[i][...] = (alpha * c[i][...] + bias[i]) * scale[i] for `rows` rows of `columns` elements, a multiple of VW, one after another.
void NAME(scale_rows)(float *c, intptr_t rows, intptr_t columns, float alpha, const float *bias, const float *scale) {
    for (intptr_t i = 0; i < rows; i++, c += columns) {
        float s = scale ? scale[i] : 1.0f;
        vf factor = v_set1(alpha * s), term = v_set1(bias ? bias[i] * s : 0.0f);
        for (intptr_t j = 0; j < columns; j += VW) v_store(c + j, v_fma(v_load(c + j), factor, term));
    }
}

// y[i][...] = (alpha * c[i][...] + bias) * scale + residual[i][...] for `rows` rows of `columns` elements, c's rows `width` apart.
void NAME(finish_rows)(const float *c, intptr_t rows, intptr_t width, intptr_t columns, float alpha, const float *bias, const float *scale,
                       const float *residual, intptr_t residual_row, float *y, intptr_t y_row) {
    for (intptr_t j = 0; j < columns; j += VW) {
        intptr_t some = columns - j < VW ? columns - j : VW;
        vf factor = v_set1(alpha), term = v_set1(0.0f);
        if (scale) factor = v_mul(factor, some == VW ? v_load(scale + j) : v_load_first(scale + j, some));
        if (bias) term = some == VW ? v_load(bias + j) : v_load_first(bias + j, some);
        if (bias && scale) term = v_mul(term, some == VW ? v_load(scale + j) : v_load_first(scale + j, some));
        for (intptr_t i = 0; i < rows; i++) {
            vf line = v_fma(v_load(c + i * width + j), factor, term);
            const float *more = residual ? residual + i * residual_row + j : NULL;
            if (some == VW) v_store(y + i * y_row + j, more ? v_add(line, v_load(more)) : line);
            else v_store_first(y + i * y_row + j, more ? v_add(line, v_load_first(more, some)) : line, some);
        }
    }
}
