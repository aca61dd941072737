// AVX512-BF16 multiplies and adds a pair in one instruction: twice the peak of f32.
#include "sensorium_mixed.h"
#if defined(__x86_64__)
#define WITH_BF16
#include "../simd/avx512.h"
#define BFLOAT_MR 12
#define BFLOAT_STEP(SUM, LEFT, RIGHT) _mm512_dpbf16_ps(SUM, (__m512bh)(LEFT), (__m512bh)(RIGHT))
#include "../bodies/bfloat.h"
#pragma clang attribute pop
#endif
