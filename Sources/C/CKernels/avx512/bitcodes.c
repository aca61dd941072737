// 64 look-ups to an instruction: a register holds four tables of 16 bytes.
#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"

// Sums of the four lanes, in the order of the vectors: even places from `even`, odd from `odd`.
INLINE __m512i lanes(__m512i even, __m512i odd) {
    __m256i e = _mm256_add_epi16(_mm512_castsi512_si256(even), _mm512_extracti64x4_epi64(even, 1));
    __m256i o = _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64(odd, 1));
    __m128i a = _mm_add_epi16(_mm256_castsi256_si128(e), _mm256_extracti128_si256(e, 1));
    __m128i b = _mm_add_epi16(_mm256_castsi256_si128(o), _mm256_extracti128_si256(o, 1));
    return _mm512_cvtepu16_epi32(_mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b)));
}

INLINE void block_sums(const uint8_t *codes, const uint8_t *tables, intptr_t groups, uint32_t *sums) {
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i low = _mm512_setzero_si512(), high = low;
    for (intptr_t start = 0; start < groups; start += SN_BIT_FLUSH) {
        intptr_t end = start + SN_BIT_FLUSH < groups ? start + SN_BIT_FLUSH : groups;
        // 16-bit sums of both bytes of a pair and of the upper alone; the lower is the difference.
        __m512i both0 = _mm512_setzero_si512(), upper0 = both0, both1 = both0, upper1 = both0;
        for (intptr_t g = start; g < end; g++) {
            __m512i code = _mm512_loadu_si512(codes + 64 * g), table = _mm512_loadu_si512(tables + 64 * g);
            __m512i r0 = _mm512_shuffle_epi8(table, _mm512_and_si512(code, nibble));
            __m512i r1 = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble));
            both0 = _mm512_add_epi16(both0, r0);
            upper0 = _mm512_add_epi16(upper0, _mm512_srli_epi16(r0, 8));
            both1 = _mm512_add_epi16(both1, r1);
            upper1 = _mm512_add_epi16(upper1, _mm512_srli_epi16(r1, 8));
        }
        low = _mm512_add_epi32(low, lanes(_mm512_sub_epi16(both0, _mm512_slli_epi16(upper0, 8)), upper0));
        high = _mm512_add_epi32(high, lanes(_mm512_sub_epi16(both1, _mm512_slli_epi16(upper1, 8)), upper1));
    }
    _mm512_storeu_si512(sums, low);
    _mm512_storeu_si512(sums + 16, high);
}

INLINE uint32_t block_mask(const float *upper, float limit) {
    __m512 t = _mm512_set1_ps(limit);
    uint32_t low = _mm512_cmp_ps_mask(_mm512_loadu_ps(upper), t, _CMP_GE_OQ);
    return low | (uint32_t)_mm512_cmp_ps_mask(_mm512_loadu_ps(upper + 16), t, _CMP_GE_OQ) << 16;
}
#include "../bodies/bitscan.h"
#pragma clang attribute pop
#endif
