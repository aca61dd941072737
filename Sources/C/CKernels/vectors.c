// The kernels of vector search at the level that the engine chose, the batched scan on GEMM tiles and the checksum.
#include <string.h>
#include "gemm.h"
#include "scratch.h"
#include "sensorium_vectors.h"

#define DECLARE(LEVEL)                                                                            \
    void dot_rows_##LEVEL(const float *, const float *, intptr_t, intptr_t, float *);             \
    void dot_rows_half_##LEVEL(const float *, const uint16_t *, intptr_t, intptr_t, float *);     \
    void l2_rows_##LEVEL(const float *, const float *, intptr_t, intptr_t, float *);              \
    void l2_rows_half_##LEVEL(const float *, const uint16_t *, intptr_t, intptr_t, float *);      \
    intptr_t at_least_##LEVEL(const float *, const float *, intptr_t, intptr_t, int32_t *);       \
    void code_dots_##LEVEL(const int8_t *, intptr_t, const uint8_t *, intptr_t, intptr_t, int32_t *); \
    void code_scores_##LEVEL(const int32_t *, const float *, const float *, float, float, float *, intptr_t); \
    void code_scores_rows_##LEVEL(const int32_t *, const float *, const float *, float, float, float *, intptr_t); \
    intptr_t bit_scan_##LEVEL(const sn_bit_scan *, int32_t *, float *);                           \
    void bit_tables_##LEVEL(const float *, intptr_t, uint8_t *, float *, float *);                \
    void rotate_##LEVEL(const float *, intptr_t, intptr_t, float *);                              \
    void bit_encode_##LEVEL(const sn_bit_encoder *, const float *, float *, uint8_t *, float *);  \
    intptr_t nearest_code_##LEVEL(const int32_t *, const float *, const float *, const float *, float, intptr_t); \
    void list_bounds_##LEVEL(const sn_list_bounds *, const float *, float *);
#define TABLE(LEVEL, CODES) \
    {#LEVEL, dot_rows_##LEVEL, dot_rows_half_##LEVEL, l2_rows_##LEVEL, l2_rows_half_##LEVEL, at_least_##LEVEL, CODES, \
     code_scores_##LEVEL, code_scores_rows_##LEVEL, bit_scan_##LEVEL, bit_tables_##LEVEL, rotate_##LEVEL, \
     bit_encode_##LEVEL, nearest_code_##LEVEL, list_bounds_##LEVEL}

DECLARE(scalar)
static const sn_vector_table scalar = TABLE(scalar, code_dots_scalar);
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
void code_dots_vnni(const int8_t *, intptr_t, const uint8_t *, intptr_t, intptr_t, int32_t *);
static const sn_vector_table avx2 = TABLE(avx2, code_dots_avx2);
static const sn_vector_table avx512 = TABLE(avx512, code_dots_avx2);
static const sn_vector_table avx512_vnni = TABLE(avx512, code_dots_vnni);
#elif defined(__aarch64__)
DECLARE(neon)
static const sn_vector_table neon = TABLE(neon, code_dots_neon);
#endif

const sn_vector_table *sn_vectors_named(const char *name) {
    if (!sn_kernels_named(name)) return NULL;
#if defined(__x86_64__)
    if (!strcmp(name, "avx512")) return __builtin_cpu_supports("avx512vnni") ? &avx512_vnni : &avx512;
    if (!strcmp(name, "avx2")) return &avx2;
#elif defined(__aarch64__)
    if (!strcmp(name, "neon")) return &neon;
#endif
    return &scalar;
}

const sn_vector_table *sn_vectors(void) { return sn_vectors_named(sn_kernels()->name); }

// ---- codes of single rows
void sn_bit_put(uint8_t *block, intptr_t groups, intptr_t place, const uint8_t *bits) {
    int shift = place < 16 ? 0 : 4;
    for (intptr_t t = 0; t < 4 * groups; t++) {
        uint8_t *both = block + 16 * t + place % 16, nibble = bits[t / 2] >> 4 * (t % 2) & 15;
        *both = (uint8_t)((*both & ~(15 << shift)) | nibble << shift);
    }
}

void sn_bit_take(const uint8_t *block, intptr_t groups, intptr_t place, uint8_t *bits) {
    int shift = place < 16 ? 0 : 4;
    for (intptr_t t = 0; t < 4 * groups; t += 2)
        bits[t / 2] = (uint8_t)((block[16 * t + place % 16] >> shift & 15) | (block[16 * (t + 1) + place % 16] >> shift & 15) << 4);
}

void sn_code_dots_at(const int8_t *q, const uint8_t *const *rows, intptr_t count, intptr_t width, int32_t *out) {
    const sn_vector_table *f = sn_vectors();
    for (intptr_t r = 0; r < count; r++) f->code_dots(q, 1, rows[r], 1, width, out + r);
}

void sn_list_ranks(const float *order, intptr_t count, float low, float scale, uint32_t *ranks) {
    for (int i = 0; i < SN_RANK_STEPS; i++) ranks[i] = 0;
    for (intptr_t i = 0; i < count; i++) ranks[sn_rank_step(order[i], low, scale)]++;
    // From numbers of lists to how many lie above a step.
    uint32_t above = 0;
    for (int i = SN_RANK_STEPS - 1; i >= 0; i--) {
        uint32_t here = ranks[i];
        ranks[i] = above + here / 2;
        above += here;
    }
}

// ---- batched scan: the stored rows are the left operand, read where they lie; the queries stay packed for the whole scan.
static void scan_rows(const sn_scan_block *block, const sn_kernel_table *f, intptr_t m0, intptr_t rows, float *copy) {
    intptr_t k = block->dimension;
    sn_group group = {copy, GEMM_LEFT, GEMM_GROUP * GEMM_LEFT};
    if (block->half) {
        const uint16_t *from = (const uint16_t *)block->vectors + m0 * k;
        for (intptr_t k0 = 0, slot = 0; k0 < k; k0 += GEMM_KC, slot += GEMM_GROUP * GEMM_LEFT)
            for (intptr_t i = 0; i < rows; i++) f->from_half(from + i * k + k0, copy + slot + i * GEMM_LEFT, sn_least(GEMM_KC, k - k0));
    } else {
        sn_left left = {block->vectors, block->rows, k, k, 1, SN_WEIGHT_F32};
        if (sn_left_direct(&left)) group = (sn_group){(const float *)block->vectors + m0 * k, k, GEMM_KC};
        else sn_left_copy(&left, m0, rows, copy);
    }
    for (intptr_t j = 0; j < block->queries; j += f->nr)
        sn_group_times_columns(group, rows, k, block->packed + j * k, sn_least(f->nr, block->queries - j),
                               block->out + m0 * block->stride + j, block->stride);
}

void sn_scan_scores(const sn_scan_block *block) {
    const sn_kernel_table *f = sn_kernels();
    float *copy = sn_scratch(SCRATCH_LEFT, sn_left_size(block->dimension));
    for (intptr_t m0 = 0; m0 < block->rows; m0 += GEMM_GROUP)
        scan_rows(block, f, m0, sn_least(GEMM_GROUP, block->rows - m0), copy);
    if (block->factor == 1.0f && !block->offsets) return;
    for (intptr_t r = 0; r < block->rows; r++) {
        float *line = block->out + r * block->stride, offset = block->offsets ? block->offsets[r] : 0.0f;
        for (intptr_t j = 0; j < block->queries; j++) line[j] = block->factor * line[j] + offset;
    }
}
