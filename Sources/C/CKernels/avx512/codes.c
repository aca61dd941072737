#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma"))), apply_to = function)
#define INLINE static inline __attribute__((always_inline))

// Sums of four accumulators, one to each 32-bit lane.
INLINE __m128i reduce4(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

INLINE __m512i load(const void *p) { return _mm512_loadu_si512(p); }

// Four rows against four queries: 16 accumulators in registers.
INLINE void tile(const int8_t *q, intptr_t queries, const uint8_t *codes, intptr_t width, int32_t *out) {
    __m512i s[4][4];
    _Pragma("clang loop unroll(full)") for (int r = 0; r < 4; r++)
        _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; j++) s[r][j] = _mm512_setzero_si512();
    for (intptr_t i = 0; i < width; i += 64) {
        __m512i y[4];
        _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; j++) y[j] = load(q + j * width + i);
        _Pragma("clang loop unroll(full)") for (int r = 0; r < 4; r++) {
            __m512i x = load(codes + r * width + i);
            _Pragma("clang loop unroll(full)") for (int j = 0; j < 4; j++) s[r][j] = _mm512_dpbusd_epi32(s[r][j], x, y[j]);
        }
    }
    _Pragma("clang loop unroll(full)") for (int r = 0; r < 4; r++)
        _mm_storeu_si128((__m128i *)(out + r * queries), reduce4(s[r][0], s[r][1], s[r][2], s[r][3]));
}

// One query against four rows at once.
INLINE void column(const int8_t *q, const uint8_t *codes, intptr_t width, int32_t *out, intptr_t step) {
    __m512i s[4];
    _Pragma("clang loop unroll(full)") for (int r = 0; r < 4; r++) s[r] = _mm512_setzero_si512();
    for (intptr_t i = 0; i < width; i += 64) {
        __m512i y = load(q + i);
        _Pragma("clang loop unroll(full)") for (int r = 0; r < 4; r++) {
            __builtin_prefetch(codes + (r + 8) * width + i);
            s[r] = _mm512_dpbusd_epi32(s[r], load(codes + r * width + i), y);
        }
    }
    int32_t sums[4];
    _mm_storeu_si128((__m128i *)sums, reduce4(s[0], s[1], s[2], s[3]));
    for (int r = 0; r < 4; r++) out[r * step] = sums[r];
}

INLINE int32_t one(const int8_t *q, const uint8_t *codes, intptr_t width) {
    __m512i s = _mm512_setzero_si512();
    for (intptr_t i = 0; i < width; i += 64) s = _mm512_dpbusd_epi32(s, load(codes + i), load(q + i));
    return _mm512_reduce_add_epi32(s);
}

// Queries go in groups that stay in the first-level cache while the rows pass by.
enum { QUERY_BYTES = 32768 };

void code_dots_vnni(const int8_t *q, intptr_t queries, const uint8_t *codes, intptr_t count, intptr_t width, int32_t *out) {
    intptr_t group = QUERY_BYTES / width / 4 * 4;
    if (group < 4) group = 4;
    for (intptr_t j0 = 0; j0 < queries; j0 += group) {
        intptr_t j1 = j0 + group < queries ? j0 + group : queries, r = 0;
        for (; r + 4 <= count; r += 4) {
            const uint8_t *x = codes + r * width;
            intptr_t j = j0;
            for (; j + 4 <= j1; j += 4) tile(q + j * width, queries, x, width, out + r * queries + j);
            for (; j < j1; j++) column(q + j * width, x, width, out + r * queries + j, queries);
        }
        for (; r < count; r++)
            for (intptr_t j = j0; j < j1; j++) out[r * queries + j] = one(q + j * width, codes + r * width, width);
    }
}
#pragma clang attribute pop
#endif
