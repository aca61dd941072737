// 32 look-ups to an instruction: a register holds two tables of 16 bytes.
#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include "../simd/avx2.h"

// Sums of both lanes, in the order of the vectors: even places from `even`, odd from `odd`; 16 of them, added to `sums`.
INLINE void add_lanes(__m256i both, __m256i odd, uint32_t *sums) {
    __m256i even = _mm256_sub_epi16(both, _mm256_slli_epi16(odd, 8));
    __m128i a = _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
    __m128i b = _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1));
    __m256i first = _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(a, b)), second = _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(a, b));
    _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)sums), first));
    _mm256_storeu_si256((__m256i *)(sums + 8), _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(sums + 8)), second));
}

INLINE void block_sums(const uint8_t *codes, const uint8_t *tables, intptr_t groups, uint32_t *sums) {
    const __m256i nibble = _mm256_set1_epi8(15);
    for (int i = 0; i < SN_BIT_BLOCK; i++) sums[i] = 0;
    for (intptr_t start = 0; start < groups; start += SN_BIT_FLUSH) {
        intptr_t end = start + SN_BIT_FLUSH < groups ? start + SN_BIT_FLUSH : groups;
        // 16-bit sums of both bytes of a pair and of the upper alone; the lower is the difference.
        __m256i both0 = _mm256_setzero_si256(), upper0 = both0, both1 = both0, upper1 = both0;
        for (intptr_t g = 2 * start; g < 2 * end; g++) {
            __m256i code = _mm256_loadu_si256((const __m256i *)(codes + 32 * g));
            __m256i table = _mm256_loadu_si256((const __m256i *)(tables + 32 * g));
            __m256i r0 = _mm256_shuffle_epi8(table, _mm256_and_si256(code, nibble));
            __m256i r1 = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble));
            both0 = _mm256_add_epi16(both0, r0);
            upper0 = _mm256_add_epi16(upper0, _mm256_srli_epi16(r0, 8));
            both1 = _mm256_add_epi16(both1, r1);
            upper1 = _mm256_add_epi16(upper1, _mm256_srli_epi16(r1, 8));
        }
        add_lanes(both0, upper0, sums);
        add_lanes(both1, upper1, sums + 16);
    }
}

INLINE uint32_t block_mask(const float *upper, float limit) {
    uint32_t mask = 0;
    __m256 t = _mm256_set1_ps(limit);
    for (int i = 0; i < SN_BIT_BLOCK; i += 8)
        mask |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(upper + i), t, _CMP_GE_OQ)) << i;
    return mask;
}
#include "../bodies/bitscan.h"
#pragma clang attribute pop
#endif
