// The intrinsic-free reference of scans over 1-bit codes.
#include "sensorium_vectors.h"
#define LEVEL scalar

static void block_sums(const uint8_t *codes, const uint8_t *tables, intptr_t groups, uint32_t *sums) {
    for (int i = 0; i < SN_BIT_BLOCK; i++) {
        uint32_t total = 0;
        for (intptr_t t = 0; t < 4 * groups; t++) {
            uint8_t both = codes[16 * t + i % 16];
            total += tables[16 * t + (i < 16 ? both & 15 : both >> 4)];
        }
        sums[i] = total;
    }
}

static uint32_t block_mask(const float *upper, float limit) {
    uint32_t mask = 0;
    for (int i = 0; i < SN_BIT_BLOCK; i++) mask |= (uint32_t)(upper[i] >= limit) << i;
    return mask;
}
#include "../bodies/bitscan.h"
