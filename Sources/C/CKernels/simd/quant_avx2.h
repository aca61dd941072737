// Whole numbers for the quantised kernels on AVX2; with QUANT_VNNI, on AVX-VNNI. Ends with an open attribute, as avx2.h does.
#include "avx2.h"
#pragma clang attribute pop
#ifdef QUANT_VNNI
#undef LEVEL
#define LEVEL avx2vnni
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#endif
#define QR 6
#define W_OFFSET 128
#define X_OFFSET 128
#define HALF(p) _cvtsh_ss(*(const uint16_t *)(const void *)(p))
INLINE vi i_zero(void) { return _mm256_setzero_si256(); }
INLINE vi i_set1(int x) { return _mm256_set1_epi32(x); }
INLINE vi i_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void i_store(void *p, vi x) { _mm256_storeu_si256((__m256i *)p, x); }
INLINE vi i_spread(const void *p) { return _mm256_set1_epi32(*(const int *)p); }
INLINE vi i_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
// sum + four products of an unsigned and a signed byte, per lane
INLINE vi i_dot(vi sum, vi u, vi s) {
#ifdef QUANT_VNNI
    return _mm256_dpbusd_avx_epi32(sum, u, s);
#else
    // In 16 bits, even and odd bytes apart: the byte product instruction saturates.
    vi even = _mm256_madd_epi16(_mm256_and_si256(u, _mm256_set1_epi16(255)), _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8));
    vi odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(s, 8));
    return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
#endif
}
INLINE vf i_to_float(vi x) { return _mm256_cvtepi32_ps(x); }
INLINE vi i_from_float(vf x) { return _mm256_cvtps_epi32(x); }
INLINE vf i_as_float(vi x) { return _mm256_castsi256_ps(x); }
INLINE vi i_from_float_bits(vf x) { return _mm256_castps_si256(x); }
INLINE void i_store_bytes(uint8_t *p, vi x) {
    const vi low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                    -1, -1, -1);
    vi packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(x, low), _mm256_setr_epi32(0, 4, 1, 1, 1, 1, 1, 1));
    _mm_storel_epi64((__m128i *)p, _mm256_castsi256_si128(packed));
}
INLINE void i_transpose(vi *r) {
    vi t[8];
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i += 4) {
        vi a = _mm256_unpacklo_epi32(r[i], r[i + 1]), b = _mm256_unpackhi_epi32(r[i], r[i + 1]);
        vi c = _mm256_unpacklo_epi32(r[i + 2], r[i + 3]), d = _mm256_unpackhi_epi32(r[i + 2], r[i + 3]);
        t[i] = _mm256_unpacklo_epi64(a, c);
        t[i + 1] = _mm256_unpackhi_epi64(a, c);
        t[i + 2] = _mm256_unpacklo_epi64(b, d);
        t[i + 3] = _mm256_unpackhi_epi64(b, d);
    }
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2x128_si256(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2x128_si256(t[i], t[i + 4], 0x31);
    }
}
