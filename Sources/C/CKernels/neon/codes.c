#include "sensorium_vectors.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/codescores.h"
// codes - 128 as signed bytes, widened products, and 128 * sum(q) added back.
void code_dots_neon(const int8_t *q, intptr_t queries, const uint8_t *codes, intptr_t count, intptr_t width, int32_t *out) {
    uint8x16_t middle = vdupq_n_u8(128);
    for (intptr_t r = 0; r < count; r++)
        for (intptr_t j = 0; j < queries; j++) {
            int32x4_t total = vdupq_n_s32(0), sum = total;
            for (intptr_t i = 0; i < width; i += 16) {
                int8x16_t a = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + r * width + i), middle)), b = vld1q_s8(q + j * width + i);
                total = vpadalq_s16(total, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
                total = vpadalq_s16(total, vmull_high_s8(a, b));
                sum = vpadalq_s16(sum, vpaddlq_s8(b));
            }
            out[r * queries + j] = vaddvq_s32(total) + 128 * vaddvq_s32(sum);
        }
}
#pragma clang attribute pop
#endif
