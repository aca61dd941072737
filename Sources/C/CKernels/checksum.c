// CRC-32C: by the CPU's instruction where there is one, else by a table made at first use (RFC 3720, appendix B.4).
#include <pthread.h>
#include <string.h>
#include "sensorium_vectors.h"

static uint32_t table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        table[i] = value;
    }
}

static uint32_t by_table(uint32_t checksum, const uint8_t *bytes, size_t count) {
    pthread_once(&once, make_table);
    for (size_t i = 0; i < count; i++) checksum = checksum >> 8 ^ table[(checksum ^ bytes[i]) & 255];
    return checksum;
}

#if defined(__x86_64__)
#include <immintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define HAS_HARDWARE __builtin_cpu_supports("sse4.2")
#define STEP8(c, x) _mm_crc32_u64(c, x)
#define STEP1(c, x) _mm_crc32_u8((uint32_t)(c), x)
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define HARDWARE
#define HAS_HARDWARE 1
#define STEP8(c, x) __crc32cd((uint32_t)(c), x)
#define STEP1(c, x) __crc32cb((uint32_t)(c), x)
#endif

#ifdef HARDWARE
HARDWARE static uint32_t by_instruction(uint32_t checksum, const uint8_t *bytes, size_t count) {
    uint64_t value = checksum;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        value = STEP8(value, word);
    }
    for (; count; count--) value = STEP1(value, *bytes++);
    return (uint32_t)value;
}
#endif

uint32_t sn_crc32c(uint32_t checksum, const void *bytes, size_t count) {
#ifdef HARDWARE
    if (HAS_HARDWARE) return ~by_instruction(~checksum, bytes, count);
#endif
    return ~by_table(~checksum, bytes, count);
}
