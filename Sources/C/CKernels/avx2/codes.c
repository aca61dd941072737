#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include "../simd/avx2.h"
#include "../bodies/codescores.h"
// Bytes are widened to 16 bits first: the byte product instruction saturates.
void code_dots_avx2(const int8_t *q, intptr_t queries, const uint8_t *codes, intptr_t count, intptr_t width, int32_t *out) {
    for (intptr_t r = 0; r < count; r++)
        for (intptr_t j = 0; j < queries; j++) {
            const uint8_t *x = codes + r * width;
            const int8_t *y = q + j * width;
            __m256i s0 = _mm256_setzero_si256(), s1 = s0;
            for (intptr_t i = 0; i < width; i += 32) {
                __m256i a0 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + i)));
                __m256i a1 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + i + 16)));
                s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(a0, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(y + i)))));
                s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(a1, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(y + i + 16)))));
            }
            s0 = _mm256_add_epi32(s0, s1);
            __m128i s = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1));
            s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
            s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
            out[r * queries + j] = _mm_cvtsi128_si32(s);
        }
}
#pragma clang attribute pop
#endif
