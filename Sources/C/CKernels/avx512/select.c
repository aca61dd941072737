#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#include "../bodies/codescores.h"
intptr_t at_least_avx512(const float *scores, const float *thresholds, intptr_t step, intptr_t n, int32_t *indices) {
    intptr_t found = 0, i = 0;
    for (; i + VW <= n; i += VW) {
        vf limit = step ? v_load(thresholds + i) : v_set1(*thresholds);
        unsigned mask = _mm512_cmp_ps_mask(v_load(scores + i), limit, _CMP_GE_OQ);
        for (; mask; mask &= mask - 1) indices[found++] = (int32_t)(i + __builtin_ctz(mask));
    }
    for (; i < n; i++)
        if (scores[i] >= thresholds[i * step]) indices[found++] = (int32_t)i;
    return found;
}
#pragma clang attribute pop
#endif
