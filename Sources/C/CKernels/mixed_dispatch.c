// The table of bf16 products of each instruction set.
#include <string.h>
#include "sensorium_mixed.h"

#define DECLARE(LEVEL)                                                                                     \
    void pairs_##LEVEL(const float *, const float *, uint32_t *, intptr_t);                                \
    void bfloat_pairs_##LEVEL(const uint16_t *, const uint16_t *, uint32_t *, intptr_t);                   \
    void bfloat_tile_##LEVEL(int32_t, int32_t, intptr_t, const uint32_t *, intptr_t, const uint32_t *, float *, intptr_t, bool);
#define TABLE(LEVEL, MR, VW) {#LEVEL, MR, VW, 2 * VW, pairs_##LEVEL, bfloat_pairs_##LEVEL, bfloat_tile_##LEVEL}

DECLARE(scalar)
static const sn_bfloat_table scalar = TABLE(scalar, 4, 4);
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
DECLARE(avx512bf16)
static const sn_bfloat_table avx2 = TABLE(avx2, 4, 8), avx512 = TABLE(avx512, 12, 16), avx512bf16 = TABLE(avx512bf16, 12, 16);
#elif defined(__aarch64__)
DECLARE(neon)
static const sn_bfloat_table neon = TABLE(neon, 4, 4);
#endif

const sn_bfloat_table *sn_bfloat_named(const char *name) {
#if defined(__x86_64__)
    if (!strcmp(name, "avx512bf16") && sn_kernels_named("avx512") && __builtin_cpu_supports("avx512bf16")) return &avx512bf16;
    if (!strcmp(name, "avx512") && sn_kernels_named(name)) return &avx512;
    if (!strcmp(name, "avx2") && sn_kernels_named(name)) return &avx2;
#elif defined(__aarch64__)
    if (!strcmp(name, "neon")) return &neon;
#endif
    return strcmp(name, "scalar") ? NULL : &scalar;
}

const sn_bfloat_table *sn_bfloat(void) {
    const char *level = sn_kernels()->name;
    const sn_bfloat_table *best = strcmp(level, "avx512") ? NULL : sn_bfloat_named("avx512bf16");
    return best ? best : sn_bfloat_named(level);
}

bool sn_bfloat_is_fast(void) { return !strcmp(sn_bfloat()->name, "avx512bf16"); }
