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

// ---- lists of 1-bit codes (Gao and Long, "RaBitQ", SIGMOD 2024; layout and look-ups as in Andre, Kermarrec and Le Scouarnec,
// "Cache locality is not enough", VLDB 2015). 32 vectors make a block: 64 bytes for each group of 16 rotated components, then
// 32 slopes, 32 offsets and 32 errors (f32) and 32 row numbers (u32). Byte 16 * t + i of a block holds components 4 t ... 4 t + 3
// of vector i in its lower half and of vector i + 16 in its upper half, a bit each, set where the component is not negative.
enum { SN_BIT_BLOCK = 32, SN_BIT_FLUSH = 64 };
static inline intptr_t sn_bit_block_bytes(intptr_t groups) { return 64 * groups + 4 * 4 * SN_BIT_BLOCK; }

typedef struct {
    const uint8_t *blocks;
    intptr_t count, groups;
    const uint8_t *tables;  // 64 * groups, see bit_tables
    float step, bias;       // sum of the query's components with the signs of a code = step * its table entries + bias
    float base, spread;     // bound = base + offset + slope * that sum + error * spread
    float threshold;
    // A list that is likely to come next: fetched from memory meanwhile
    const uint8_t *_Nullable next;
    intptr_t next_bytes;
} sn_bit_scan;

// What the codes of a list's vectors have in common.
typedef struct {
    const float *centre, *rotated;  // the list's centre, and rotated: `dimension` and `width` components
    const float *signs;
    intptr_t rounds, dimension, width;
    bool l2;
} sn_bit_encoder;

// What `list_bounds` says of a query for `count` lists: score of the centre + reach * distance to the centre * radius (twice
// with l2); -infinity for lists with a radius below 0.
typedef struct {
    const float *squares, *radii;
    intptr_t count;
    float query_square, reach;
    bool l2;
} sn_list_bounds;

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
    // Writes the place and the bound of each vector whose bound reaches the threshold; returns how many. Room for `count`
    // rounded up to a block.
    intptr_t (*bit_scan)(const sn_bit_scan *scan, int32_t *places, float *bounds);
    // Look-up tables of a rotated query of 16 * groups components
    void (*bit_tables)(const float *query, intptr_t groups, uint8_t *tables, float *step, float *bias);
    // A random rotation: `rounds` times signs (+1, -1; n a round) and a Hadamard transform. In place
    void (*rotate)(const float *signs, intptr_t rounds, intptr_t n, float *x);
    // The code of a vector: bits, then slope, offset, error and squared distance to the centre. `work` holds `width` floats
    void (*bit_encode)(const sn_bit_encoder *encoder, const float *x, float *work, uint8_t *bits, float *factors);
    // The i with the greatest scale * (factors[i] * dots[i] + terms[i]) - penalties[i]
    intptr_t (*nearest_code)(const int32_t *dots, const float *factors, const float *terms, const float *penalties, float scale, intptr_t n);
    // products[i] = sum(query * centre i)
    void (*list_bounds)(const sn_list_bounds *lists, const float *products, float *bounds);
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

// Puts a vector's bits (component i is bit i % 8 of byte i / 8) into its place of a block, or takes them out.
void sn_bit_put(uint8_t *block, intptr_t groups, intptr_t place, const uint8_t *bits);
void sn_bit_take(const uint8_t *block, intptr_t groups, intptr_t place, uint8_t *bits);

// About how many lists come before one, without putting them in order: their number above the middle of each step of scores.
enum { SN_RANK_STEPS = 256 };
static inline intptr_t sn_rank_step(float order, float low, float scale) {
    float step = (order - low) * scale;
    return step > 0 ? step < SN_RANK_STEPS - 1 ? (intptr_t)step : SN_RANK_STEPS - 1 : 0;
}
void sn_list_ranks(const float *order, intptr_t count, float low, float scale, uint32_t *ranks);

// out[i] = sum(rows[i] * q) as `code_dots` says, rows anywhere.
void sn_code_dots_at(const int8_t *q, const uint8_t *_Nonnull const *_Nonnull rows, intptr_t count, intptr_t width, int32_t *out);

// Asks for memory that will be read soon; the first 4 KiB at most.
static inline void sn_fetch(const void *bytes, intptr_t count) {
    for (intptr_t i = 0; i < (count < 4096 ? count : 4096); i += 64) __builtin_prefetch((const char *)bytes + i);
}

// CRC-32C (Castagnoli) of bytes that follow those whose checksum is `checksum` (0 at first).
uint32_t sn_crc32c(uint32_t checksum, const void *bytes, size_t count);

// Progress counters that several threads look at.
static inline uint32_t sn_counter_load(const uint32_t *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
static inline void sn_counter_store(uint32_t *counter, uint32_t value) { __atomic_store_n(counter, value, __ATOMIC_RELEASE); }

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
