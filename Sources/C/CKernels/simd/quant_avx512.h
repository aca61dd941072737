// Whole numbers for the quantised kernels on AVX-512 with VNNI. Ends with an open attribute, as avx512.h does.
#include "avx512.h"
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#define QR 12
#define W_OFFSET 128
#define X_OFFSET 128
#define HALF(p) _cvtsh_ss(*(const uint16_t *)(const void *)(p))
INLINE vi i_zero(void) { return _mm512_setzero_si512(); }
INLINE vi i_set1(int x) { return _mm512_set1_epi32(x); }
INLINE vi i_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE void i_store(void *p, vi x) { _mm512_storeu_si512(p, x); }
INLINE vi i_spread(const void *p) { return _mm512_set1_epi32(*(const int *)p); }
INLINE vi i_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
// sum + four products of an unsigned and a signed byte, per lane
INLINE vi i_dot(vi sum, vi u, vi s) { return _mm512_dpbusd_epi32(sum, u, s); }
INLINE vf i_to_float(vi x) { return _mm512_cvtepi32_ps(x); }
INLINE vi i_from_float(vf x) { return _mm512_cvtps_epi32(x); }
INLINE vf i_as_float(vi x) { return _mm512_castsi512_ps(x); }
INLINE vi i_from_float_bits(vf x) { return _mm512_castps_si512(x); }
INLINE void i_store_bytes(uint8_t *p, vi x) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x)); }
INLINE void i_transpose(vi *r) {
    vi t[16];
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i += 4) {
        vi a = _mm512_unpacklo_epi32(r[i], r[i + 1]), b = _mm512_unpackhi_epi32(r[i], r[i + 1]);
        vi c = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]), d = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
        t[i] = _mm512_unpacklo_epi64(a, c);
        t[i + 1] = _mm512_unpackhi_epi64(a, c);
        t[i + 2] = _mm512_unpacklo_epi64(b, d);
        t[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) {
        vi a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x44), b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xee);
        vi c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x44), d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xee);
        r[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        r[i + 4] = _mm512_shuffle_i32x4(a, c, 0xdd);
        r[i + 8] = _mm512_shuffle_i32x4(b, d, 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}
