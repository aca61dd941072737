// The quantised kernels: the best of the level that the engine chose. Levels differ in how they multiply bytes, not in what is
// rounded: the same whole numbers come out of all.
#include <stdatomic.h>
#include <string.h>
#include "quant_kernels.h"
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define DECLARE(LEVEL)                                     \
    void quant_pack_##LEVEL(const quant_pack_job *);       \
    void quant_unpack_##LEVEL(const quant_unpack_job *);   \
    void quant_tile_##LEVEL(const quant_tile_job *);
#define TABLE(LEVEL, ROWS, LANES) \
    .name = #LEVEL, .rows = ROWS, .lanes = LANES, .pack = quant_pack_##LEVEL, .unpack = quant_unpack_##LEVEL, .tile = quant_tile_##LEVEL

DECLARE(scalar)
static const quant_table scalar = {TABLE(scalar, 4, 1)};
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx2vnni)
DECLARE(avx512)
intptr_t quant_dots_bytes_avx512(sn_weight_format, intptr_t);
void quant_dots_prepare_avx512(sn_weight_format, const float *, intptr_t, uint8_t *);
void quant_dots_avx512(const quant_dots_job *, intptr_t, intptr_t);
static const quant_table avx2 = {TABLE(avx2, 6, 8)};
static const quant_table avx2vnni = {TABLE(avx2vnni, 6, 8)};
static const quant_table avx512 = {TABLE(avx512, 12, 16), .dots_bytes = quant_dots_bytes_avx512, .dots_prepare = quant_dots_prepare_avx512,
                                   .dots = quant_dots_avx512};
static bool has_avxvnni(void) {
    unsigned a, b, c, d;
    return sn_kernels_named("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
static bool has_avx512vnni(void) { return sn_kernels_named("avx512") && __builtin_cpu_supports("avx512vnni"); }
#elif defined(__aarch64__)
DECLARE(neon)
DECLARE(neondot)
static const quant_table neon = {TABLE(neon, 8, 4)};
static const quant_table neondot = {TABLE(neondot, 8, 4)};
static bool has_dot(void) {
#if defined(__linux__)
    return getauxval(AT_HWCAP) >> 20 & 1;  // ASIMDDP
#else
    return false;
#endif
}
#endif

static const quant_table *named(const char *name) {
#if defined(__x86_64__)
    if (!strcmp(name, "avx512") && has_avx512vnni()) return &avx512;
    if (!strcmp(name, "avx2vnni") && has_avxvnni()) return &avx2vnni;
    if (!strcmp(name, "avx2") && sn_kernels_named("avx2")) return &avx2;
#elif defined(__aarch64__)
    if (!strcmp(name, "neondot") && has_dot()) return &neondot;
    if (!strcmp(name, "neon")) return &neon;
#endif
    return strcmp(name, "scalar") ? NULL : &scalar;
}

// The best table at or below the level of the engine.
static const quant_table *best(void) {
    static const char *const order[] = {"avx512", "avx2vnni", "avx2", "neondot", "neon"};
    const char *level = sn_kernels()->name;
    if (!strcmp(level, "scalar")) return &scalar;
    for (int i = strcmp(level, "avx2") ? 0 : 1; i < 5; i++)
        if (named(order[i])) return named(order[i]);
    return &scalar;
}

static _Atomic(const quant_table *) forced;

const quant_table *quant_kernels(void) {
    const quant_table *table = atomic_load_explicit(&forced, memory_order_acquire);
    return table ? table : best();
}

const char *sn_quantised_level(void) { return quant_kernels()->name; }

bool sn_quantised_use(const char *name) {
    const quant_table *table = name ? named(name) : NULL;
    if (name && !table) return false;
    atomic_store_explicit(&forced, table, memory_order_release);
    return true;
}
