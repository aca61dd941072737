// The vocabulary of the bodies/ on NEON (part of every aarch64 CPU).
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("neon"))), apply_to = function)
#define LEVEL neon
#define VW 4
#define GEMM_MR 8
#define GEMM_NV 3
#define GEMM_DOT 6
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;
#define INLINE static inline __attribute__((always_inline))
INLINE vf v_load(const float *p) { return vld1q_f32(p); }
INLINE void v_store(float *p, vf x) { vst1q_f32(p, x); }
// The first `count` elements, zeros after them; writes none beyond them.
INLINE vf v_load_first(const float *p, intptr_t count) {
    float all[4] = {0};
    for (int i = 0; i < 4 && i < count; i++) all[i] = p[i];
    return vld1q_f32(all);
}
INLINE void v_store_first(float *p, vf x, intptr_t count) {
    float all[4];
    vst1q_f32(all, x);
    for (int i = 0; i < 4 && i < count; i++) p[i] = all[i];
}
INLINE vf v_set1(float x) { return vdupq_n_f32(x); }
INLINE vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
INLINE vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
INLINE vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
INLINE vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vf v_max(vf a, vf b) { return vmaxq_f32(a, b); }
INLINE vf v_min(vf a, vf b) { return vminq_f32(a, b); }
INLINE vf v_sqrt(vf a) { return vsqrtq_f32(a); }
INLINE vf v_abs(vf a) { return vabsq_f32(a); }
INLINE vf v_neg(vf a) { return vnegq_f32(a); }
INLINE vf v_round(vf a) { return vrndnq_f32(a); }
INLINE vf v_floor(vf a) { return vrndmq_f32(a); }
INLINE vf v_ceil(vf a) { return vrndpq_f32(a); }
INLINE vf v_scale2(vf x, vf n) {
    int32x4_t bits = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23);
    return vmulq_f32(x, vreinterpretq_f32_s32(bits));
}
INLINE vm v_lt(vf a, vf b) { return vcltq_f32(a, b); }
INLINE vm v_isnan(vf a) { return vmvnq_u32(vceqq_f32(a, a)); }
INLINE vf v_select(vm m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
INLINE float v_reduce_add(vf a) { return vaddvq_f32(a); }
INLINE float v_reduce_max(vf a) { return vmaxvq_f32(a); }
INLINE vf v_load_half(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
INLINE void v_store_half(uint16_t *p, vf x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
INLINE vf v_load_bfloat(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
// The bits of x rounded to bf16 (to nearest even, NaN stays one), in the upper half of each lane; what the lower half holds is of no use.
INLINE vi v_bfloat(vf x) {
    uint32x4_t bits = vreinterpretq_u32_f32(x), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
    return vreinterpretq_s32_u32(vbslq_u32(v_isnan(x), vorrq_u32(bits, vdupq_n_u32(0x400000)), rounded));
}
INLINE void v_store_bfloat(uint16_t *p, vf x) { vst1_u16(p, vshrn_n_u32(vreinterpretq_u32_s32(v_bfloat(x)), 16)); }
// Pairs of bf16: the even one in the lower half of each lane.
INLINE vi v_pair(vf even, vf odd) { return vsriq_n_s32(v_bfloat(odd), v_bfloat(even), 16); }
INLINE void v_store_pairs(uint32_t *p, vi x) { vst1q_u32(p, vreinterpretq_u32_s32(x)); }
INLINE vi v_load_pairs(const uint32_t *p) { return vreinterpretq_s32_u32(vld1q_u32(p)); }
INLINE vi v_set1_pair(uint32_t x) { return vreinterpretq_s32_u32(vdupq_n_u32(x)); }
INLINE vf v_even(vi x) { return vreinterpretq_f32_s32(vshlq_n_s32(x, 16)); }
INLINE vf v_odd(vi x) { return vreinterpretq_f32_s32(vandq_s32(x, vdupq_n_s32((int)0xffff0000))); }
// out[i] = the sum of the elements of s[i]
INLINE void v_reduce_four(const vf s[4], float *out) {
    vst1q_f32(out, vpaddq_f32(vpaddq_f32(s[0], s[1]), vpaddq_f32(s[2], s[3])));
}
INLINE void v_transpose(vf r[4]) {
    float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
