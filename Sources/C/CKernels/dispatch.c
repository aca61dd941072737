// One table per instruction set; the best that the CPU has is chosen at first use.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "sensorium_kernels.h"

#define DECLARE(LEVEL)                                                                                                          \
    void gemm_tile_##LEVEL(int32_t, int32_t, intptr_t, const float *, intptr_t, const float *, float *, intptr_t, bool);        \
    void gemm_dots_##LEVEL(int32_t, int32_t, intptr_t, const float *, intptr_t, const float *, intptr_t, float *, intptr_t);    \
    void transpose_##LEVEL(const float *, intptr_t, intptr_t, intptr_t, const float *, intptr_t, float *, intptr_t);            \
    void scale_rows_##LEVEL(float *, intptr_t, intptr_t, float, const float *, const float *);                                  \
    void finish_rows_##LEVEL(const float *, intptr_t, intptr_t, intptr_t, float, const float *, const float *, const float *,   \
                             intptr_t, float *, intptr_t);                                                                      \
    void unary_##LEVEL(sn_unary, const float *, float *, intptr_t);                                                             \
    void binary_##LEVEL(sn_binary, const float *, intptr_t, const float *, intptr_t, float *, intptr_t);                        \
    float sum_##LEVEL(const float *, intptr_t);                                                                                 \
    float max_##LEVEL(const float *, intptr_t);                                                                                 \
    float dot_##LEVEL(const float *, const float *, intptr_t);                                                                  \
    float softmax_exp_##LEVEL(const float *, float, float *, intptr_t);                                                         \
    void softmax_columns_##LEVEL(float *, intptr_t, intptr_t, float *, float *, float *);                                       \
    void scale_columns_##LEVEL(float *, intptr_t, intptr_t, const float *);                                                     \
    void layer_norm_##LEVEL(const float *, const float *, const float *, float, float *, intptr_t);                             \
    void rms_norm_##LEVEL(const float *, const float *, float, float *, intptr_t);                                              \
    void from_half_##LEVEL(const uint16_t *, float *, intptr_t);                                                                \
    void to_half_##LEVEL(const float *, uint16_t *, intptr_t);                                                                  \
    void from_bfloat_##LEVEL(const uint16_t *, float *, intptr_t);                                                              \
    void to_bfloat_##LEVEL(const float *, uint16_t *, intptr_t);                                                                \
    void depthwise_row_##LEVEL(const float *const *, intptr_t, intptr_t, intptr_t, const float *, float, float *, intptr_t);
#define TABLE(LEVEL, MR, VW, NR, DOTS)                                                                                                    \
    {#LEVEL, MR, VW, NR, DOTS, gemm_tile_##LEVEL, gemm_dots_##LEVEL, transpose_##LEVEL, scale_rows_##LEVEL, finish_rows_##LEVEL, unary_##LEVEL, binary_##LEVEL, sum_##LEVEL, max_##LEVEL, dot_##LEVEL,                   \
     softmax_exp_##LEVEL, softmax_columns_##LEVEL, scale_columns_##LEVEL, layer_norm_##LEVEL, rms_norm_##LEVEL, from_half_##LEVEL, to_half_##LEVEL, from_bfloat_##LEVEL, to_bfloat_##LEVEL, depthwise_row_##LEVEL}

DECLARE(scalar)
static const sn_kernel_table scalar = TABLE(scalar, 4, 4, 8, 4);
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
static const sn_kernel_table avx2 = TABLE(avx2, 6, 8, 16, 3);
static const sn_kernel_table avx512 = TABLE(avx512, 12, 16, 32, 6);
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }
static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}
#elif defined(__aarch64__)
DECLARE(neon)
static const sn_kernel_table neon = TABLE(neon, 8, 4, 12, 6);
#endif

const sn_kernel_table *sn_kernels_named(const char *name) {
#if defined(__x86_64__)
    if (!strcmp(name, "avx512") && has_avx512()) return &avx512;
    if (!strcmp(name, "avx2") && has_avx2()) return &avx2;
#elif defined(__aarch64__)
    if (!strcmp(name, "neon")) return &neon;
#endif
    return strcmp(name, "scalar") ? NULL : &scalar;
}

static _Atomic(const sn_kernel_table *) chosen;

const sn_kernel_table *sn_kernels(void) {
    const sn_kernel_table *table = atomic_load_explicit(&chosen, memory_order_acquire);
    if (table) return table;
    static const char *const order[] = {"avx512", "avx2", "neon", "scalar"};
    const char *forced = getenv("SENSORIUM_KERNELS");
    if (forced) table = sn_kernels_named(forced);
    for (int i = 0; !table && i < 4; i++) table = sn_kernels_named(order[i]);
    atomic_store_explicit(&chosen, table, memory_order_release);
    return table;
}

const sn_kernel_table *sn_kernels_use(const sn_kernel_table *table) {
    const sn_kernel_table *previous = sn_kernels();
    atomic_store_explicit(&chosen, table, memory_order_release);
    return previous;
}
