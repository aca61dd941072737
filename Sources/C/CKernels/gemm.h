// What the products share: the left operand is read where it lies, tile by tile; the right one lies in panels.
#ifndef SENSORIUM_GEMM_H
#define SENSORIUM_GEMM_H
#include "sensorium_kernels.h"

// A tile's rows of one range of k lie GEMM_LEFT floats apart: a power of two would put all of them into one cache set.
enum { GEMM_KC = 256, GEMM_LEFT = GEMM_KC + 16, GEMM_GROUP = 48, GEMM_NR_MAX = 32 };

typedef struct {
    const void *values;  // element (row, p) at values[row * row_stride + p * step]
    intptr_t rows, k, row_stride, step;
    sn_weight_format format;  // F32, or, with a step of 1, F16 or BF16
} sn_left;

static inline intptr_t sn_least(intptr_t a, intptr_t b) { return a < b ? a : b; }

// Vectors of a panel of `columns` columns, the widest that there are at most.
static inline intptr_t sn_panel_vectors(const sn_kernel_table *f, intptr_t columns) {
    return sn_least((columns + f->vw - 1) / f->vw, f->nr / f->vw);
}

// Whether rows so many floats apart start in one cache set, so that they would push each other out.
static inline bool sn_crowds_cache(intptr_t stride) { return stride % 1024 == 0; }

// A group of rows for the tiles: ranges of GEMM_KC elements `step` apart, rows `stride` apart.
typedef struct { const float *rows; intptr_t stride, step; } sn_group;
// Whether the tiles may read the rows where they lie: rows that start in one cache set would push each other out.
bool sn_left_direct(const sn_left *left);
// Elements [k0, k0 + kc) of rows [first, first + count) as f32, GEMM_LEFT apart; kc <= GEMM_KC.
void sn_left_range(const sn_left *left, intptr_t first, intptr_t count, intptr_t k0, intptr_t kc, float *to);
// Floats that sn_left_copy writes for one group of rows.
intptr_t sn_left_size(intptr_t k);
// Rows [first, first + count), count <= GEMM_GROUP, as f32.
sn_group sn_left_copy(const sn_left *left, intptr_t first, intptr_t count, float *to);
// Memory to fetch beforehand, `step` bytes at each tile.
typedef struct { const char *next, *end; intptr_t step; } sn_ahead;
// c[count][ldc] = the group times one panel of vectors * vw columns.
void sn_group_times_panel(sn_group group, intptr_t count, intptr_t k, const float *panel, int32_t vectors, float *c, intptr_t ldc,
                          sn_ahead *ahead);
// The same with a panel of `columns` columns, of which none beyond them is written.
void sn_group_times_columns(sn_group group, intptr_t count, intptr_t k, const float *panel, intptr_t columns, float *c, intptr_t ldc);
// The index that the next chunk of the running sn_parallel_for starts at, whoever takes it.
intptr_t sn_parallel_next(void);
#endif
