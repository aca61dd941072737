// One table of functions for each instruction set, where nothing but the level tells them apart.
#ifndef SENSORIUM_LEVELS_H
#define SENSORIUM_LEVELS_H
#include <string.h>
#include "sensorium_kernels.h"

// After DECLARE(LEVEL), which declares the functions of a level, and TABLE(LEVEL), their initialiser: the tables, and NAME, which gives that
// of a level by name, NULL where the build or the CPU lacks it.
#if defined(__x86_64__)
#define SN_LEVELS(TYPE, NAME)                                                                                          \
    DECLARE(scalar) DECLARE(avx2) DECLARE(avx512)                                                                      \
    const TYPE *NAME(const char *name) {                                                                               \
        static const TYPE scalar = TABLE(scalar), avx2 = TABLE(avx2), avx512 = TABLE(avx512);                          \
        if (!sn_kernels_named(name)) return NULL;                                                                      \
        return !strcmp(name, "avx512") ? &avx512 : !strcmp(name, "avx2") ? &avx2 : &scalar;                            \
    }
#elif defined(__aarch64__)
#define SN_LEVELS(TYPE, NAME)                                                                                          \
    DECLARE(scalar) DECLARE(neon)                                                                                      \
    const TYPE *NAME(const char *name) {                                                                               \
        static const TYPE scalar = TABLE(scalar), neon = TABLE(neon);                                                  \
        if (!sn_kernels_named(name)) return NULL;                                                                      \
        return !strcmp(name, "neon") ? &neon : &scalar;                                                                \
    }
#else
#define SN_LEVELS(TYPE, NAME)                                                                                          \
    DECLARE(scalar)                                                                                                    \
    const TYPE *NAME(const char *name) {                                                                               \
        static const TYPE scalar = TABLE(scalar);                                                                      \
        return sn_kernels_named(name) ? &scalar : NULL;                                                                \
    }
#endif

#endif
