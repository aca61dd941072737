// Whole numbers for the quantised kernels on NEON; with QUANT_DOT, on its dot products. Both bytes of a product are signed, so nothing
// is shifted to be unsigned. Ends with an open attribute, as neon.h does.
#include <string.h>
#include "neon.h"
#pragma clang attribute pop
#ifdef QUANT_DOT
#undef LEVEL
#define LEVEL neondot
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("neon"))), apply_to = function)
#endif
#define QR 8
#define W_OFFSET 0
#define X_OFFSET 0
#define HALF(p) vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vld1_dup_u16((const uint16_t *)(const void *)(p)))), 0)
INLINE vi i_zero(void) { return vdupq_n_s32(0); }
INLINE vi i_set1(int x) { return vdupq_n_s32(x); }
INLINE vi i_load(const void *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
INLINE void i_store(void *p, vi x) { vst1q_u8(p, vreinterpretq_u8_s32(x)); }
INLINE vi i_spread(const void *p) {
    int32_t word;
    memcpy(&word, p, 4);
    return vdupq_n_s32(word);
}
INLINE vi i_max(vi a, vi b) { return vmaxq_s32(a, b); }
// sum + four products of bytes, per lane
INLINE vi i_dot(vi sum, vi a, vi b) {
    int8x16_t x = vreinterpretq_s8_s32(a), y = vreinterpretq_s8_s32(b);
#ifdef QUANT_DOT
    return vdotq_s32(sum, x, y);
#else
    int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(y))), high = vpaddlq_s16(vmull_high_s8(x, y));
    return vaddq_s32(sum, vpaddq_s32(low, high));
#endif
}
INLINE vf i_to_float(vi x) { return vcvtq_f32_s32(x); }
INLINE vi i_from_float(vf x) { return vcvtnq_s32_f32(x); }
INLINE vf i_as_float(vi x) { return vreinterpretq_f32_s32(x); }
INLINE vi i_from_float_bits(vf x) { return vreinterpretq_s32_f32(x); }
INLINE void i_store_bytes(uint8_t *p, vi x) {
    uint16x4_t half = vmovn_u32(vreinterpretq_u32_s32(x));
    uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(half, half))), 0);
    memcpy(p, &bytes, 4);
}
INLINE void i_transpose(vi *r) {
    int32x4x2_t a = vtrnq_s32(r[0], r[1]), b = vtrnq_s32(r[2], r[3]);
    r[0] = vcombine_s32(vget_low_s32(a.val[0]), vget_low_s32(b.val[0]));
    r[1] = vcombine_s32(vget_low_s32(a.val[1]), vget_low_s32(b.val[1]));
    r[2] = vcombine_s32(vget_high_s32(a.val[0]), vget_high_s32(b.val[0]));
    r[3] = vcombine_s32(vget_high_s32(a.val[1]), vget_high_s32(b.val[1]));
}
