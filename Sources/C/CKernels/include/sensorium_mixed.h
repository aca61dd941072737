// Mixed precision: products of operands rounded to bf16 with sums in f32, and element-wise work on bf16. Rounding is to nearest even.
// Everything runs on the pool, and gives the same bits whatever the number of threads.
#ifndef SENSORIUM_MIXED_H
#define SENSORIUM_MIXED_H
#include "sensorium_kernels.h"

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// C[m][n] = A B (+ bias[n]). A is the matrix `a`, [m][k], or, turned, the transpose of a [k][m]. B is the rows of `parts` matrices of equal
// width one after another, [k][n], or, turned, the transpose of these, [n][k]. Elements are F32, rounded here, or BF16. C has rows of n
// f32, or of n bf16 where `narrow`. `level` is sn_bfloat() or, for tests, another.
struct sn_bfloat_table;
void sn_bfloat_product(const sn_weights *a, bool a_turned, const sn_weights *b, intptr_t parts, bool b_turned, void *c, bool narrow,
                       const float *_Nullable bias, const struct sn_bfloat_table *level);

// Whether the CPU multiplies bf16 faster than f32: without that the products above are correct and no faster.
bool sn_bfloat_is_fast(void);

void sn_to_bfloat(const float *x, uint16_t *y, intptr_t n);
void sn_from_bfloat(const uint16_t *x, float *y, intptr_t n);
void sn_unary_bfloat(sn_unary operation, const uint16_t *x, uint16_t *y, intptr_t n);
// dx[i] = dy[i] * f'(x[i]); dx may be dy.
void sn_unary_gradient_bfloat(sn_unary operation, const uint16_t *x, const float *dy, float *dx, intptr_t n);

// ---- the kernels of one instruction set
typedef struct sn_bfloat_table {
    const char *name;
    // Rows and columns of the tile; columns come in vectors of vw.
    int32_t mr, vw, nr;
    // to[i] = even[i] rounded in the lower half, odd[i] (or 0) in the upper one
    void (*pairs)(const float *even, const float *_Nullable odd, uint32_t *to, intptr_t n);
    void (*bfloat_pairs)(const uint16_t *even, const uint16_t *_Nullable odd, uint32_t *to, intptr_t n);
    // c[rows][vectors * vw] (+)= a[rows][pairs] b[pairs][vectors * vw]; rows <= mr, vectors <= nr / vw, row strides lda and ldc
    void (*tile)(int32_t rows, int32_t vectors, intptr_t pairs, const uint32_t *a, intptr_t lda, const uint32_t *b, float *c, intptr_t ldc,
                 bool accumulate);
} sn_bfloat_table;

// The table of the chosen level (see sn_kernels): avx512bf16 where that is avx512 and the CPU has it.
const sn_bfloat_table *sn_bfloat(void);
// The table of a level by name; NULL where the build or the CPU lacks it.
const sn_bfloat_table *_Nullable sn_bfloat_named(const char *name);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
