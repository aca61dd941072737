// 16 look-ups to an instruction: a register holds one table.
#include "sensorium_vectors.h"
#if defined(__aarch64__)
#include "../simd/neon.h"

INLINE void add_wide(uint16x8_t low, uint16x8_t high, uint32_t *sums) {
    vst1q_u32(sums, vaddw_u16(vld1q_u32(sums), vget_low_u16(low)));
    vst1q_u32(sums + 4, vaddw_high_u16(vld1q_u32(sums + 4), low));
    vst1q_u32(sums + 8, vaddw_u16(vld1q_u32(sums + 8), vget_low_u16(high)));
    vst1q_u32(sums + 12, vaddw_high_u16(vld1q_u32(sums + 12), high));
}

INLINE void block_sums(const uint8_t *codes, const uint8_t *tables, intptr_t groups, uint32_t *sums) {
    const uint8x16_t nibble = vdupq_n_u8(15);
    for (int i = 0; i < SN_BIT_BLOCK; i++) sums[i] = 0;
    for (intptr_t start = 0; start < groups; start += SN_BIT_FLUSH) {
        intptr_t end = start + SN_BIT_FLUSH < groups ? start + SN_BIT_FLUSH : groups;
        uint16x8_t s0 = vdupq_n_u16(0), s1 = s0, s2 = s0, s3 = s0;
        for (intptr_t g = 4 * start; g < 4 * end; g++) {
            uint8x16_t code = vld1q_u8(codes + 16 * g), table = vld1q_u8(tables + 16 * g);
            uint8x16_t r0 = vqtbl1q_u8(table, vandq_u8(code, nibble)), r1 = vqtbl1q_u8(table, vshrq_n_u8(code, 4));
            s0 = vaddw_u8(s0, vget_low_u8(r0));
            s1 = vaddw_high_u8(s1, r0);
            s2 = vaddw_u8(s2, vget_low_u8(r1));
            s3 = vaddw_high_u8(s3, r1);
        }
        add_wide(s0, s1, sums);
        add_wide(s2, s3, sums + 16);
    }
}

INLINE uint32_t block_mask(const float *upper, float limit) {
    uint32_t mask = 0;
    for (int i = 0; i < SN_BIT_BLOCK; i++) mask |= (uint32_t)(upper[i] >= limit) << i;
    return mask;
}
#include "../bodies/bitscan.h"
#pragma clang attribute pop
#endif
