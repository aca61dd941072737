#include "sensorium_vectors.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
intptr_t at_least_neon(const float *scores, const float *thresholds, intptr_t step, intptr_t n, int32_t *indices) {
    intptr_t found = 0, i = 0;
    for (; i + VW <= n; i += VW) {
        vf limit = step ? v_load(thresholds + i) : v_set1(*thresholds);
        vm mask = vcgeq_f32(v_load(scores + i), limit);
        if (!vmaxvq_u32(mask)) continue;
        for (intptr_t j = i; j < i + VW; j++)
            if (scores[j] >= thresholds[j * step]) indices[found++] = (int32_t)j;
    }
    for (; i < n; i++)
        if (scores[i] >= thresholds[i * step]) indices[found++] = (int32_t)i;
    return found;
}
#pragma clang attribute pop
#endif
