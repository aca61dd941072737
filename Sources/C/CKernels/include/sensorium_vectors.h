// Kernels of vector search: distances over f32, f16 and 8-bit codes, selection, checksums.
// The level follows `sn_kernels()`; instruction sets beyond it (VNNI) are used where the CPU has them.
#ifndef SENSORIUM_VECTORS_H
#define SENSORIUM_VECTORS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

typedef struct {
    const char *name;
    // out[r] = sum(q * rows[r]); the order of summation doesn't depend on count, so that a score is the same in any block
    void (*dot_rows)(const float *q, const float *rows, intptr_t count, intptr_t dimension, float *out);
    void (*dot_rows_half)(const float *q, const uint16_t *rows, intptr_t count, intptr_t dimension, float *out);
    // out[r] = -sum((q - rows[r])^2)
    void (*l2_rows)(const float *q, const float *rows, intptr_t count, intptr_t dimension, float *out);
    void (*l2_rows_half)(const float *q, const uint16_t *rows, intptr_t count, intptr_t dimension, float *out);
    // Writes each i with scores[i] >= thresholds[i * step] (step 0 or 1) to indices; returns how many
    intptr_t (*at_least)(const float *scores, const float *thresholds, intptr_t step, intptr_t n, int32_t *indices);
    // out[r * queries + j] = sum(codes[r] * q[j]); codes unsigned, q signed, both `width` bytes a row, a multiple of 64
    void (*code_dots)(const int8_t *q, intptr_t queries, const uint8_t *codes, intptr_t count, intptr_t width, int32_t *out);
    // out[i] = scale * (factors[i] * dots[i] + terms[i]) + offset: one row against n queries
    void (*code_scores)(const int32_t *dots, const float *factors, const float *terms, float scale, float offset, float *out, intptr_t n);
    // out[i] = scales[i] * (factor * dots[i] + term) + offsets[i]: n rows against one query
    void (*code_scores_rows)(const int32_t *dots, const float *scales, const float *offsets, float factor, float term, float *out, intptr_t n);
} sn_vector_table;

// The table of the chosen level (see sn_kernels).
const sn_vector_table *sn_vectors(void);
// The table of a level by name; NULL where the build or the CPU lacks it.
const sn_vector_table *_Nullable sn_vectors_named(const char *name);

// Scores of `rows` stored vectors against all packed queries (sn_pack_right of [queries][dimension]), on the calling thread:
// out[r * stride + j] = factor * sum(rows[r] * q[j]) + offsets[r].
typedef struct {
    const void *vectors;  // f32, or f16 where half
    bool half;
    intptr_t rows, dimension, queries;
    const float *packed;
    float factor;
    const float *_Nullable offsets;
    float *out;
    intptr_t stride;
} sn_scan_block;
void sn_scan_scores(const sn_scan_block *block);

// CRC-32C (Castagnoli) of bytes that follow those whose checksum is `checksum` (0 at first).
uint32_t sn_crc32c(uint32_t checksum, const void *bytes, size_t count);

// Progress counters that several threads look at.
static inline uint32_t sn_counter_load(const uint32_t *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
static inline void sn_counter_store(uint32_t *counter, uint32_t value) { __atomic_store_n(counter, value, __ATOMIC_RELEASE); }

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
