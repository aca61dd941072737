// The kernels of vector search at the level that the engine chose, the batched scan on GEMM tiles and the checksum.
#include <string.h>
#include "scratch.h"
#include "sensorium_kernels.h"
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

// ---- batched scan: the stored rows are the left operand, packed panel by panel; the queries stay packed for the whole scan.
enum { KC = 256, MC = 96 };

static intptr_t minimum(intptr_t a, intptr_t b) { return a < b ? a : b; }

// Rows [first, first + count) and columns [k0, k0 + kc) as a panel: to[k][count].
static void pack_panel(const sn_scan_block *block, intptr_t first, intptr_t count, intptr_t k0, intptr_t kc, float *to) {
    float line[KC];
    for (intptr_t i = 0; i < count; i++) {
        intptr_t at = (first + i) * block->dimension + k0;
        const float *row = (const float *)block->vectors + at;
        if (block->half) {
            sn_kernels()->from_half((const uint16_t *)block->vectors + at, line, kc);
            row = line;
        }
        for (intptr_t p = 0; p < kc; p++) to[p * count + i] = row[p];
    }
}

static void scan_rows(const sn_scan_block *block, const sn_kernel_table *f, intptr_t m0, intptr_t rows) {
    intptr_t mr = f->mr, nr = f->nr, k = block->dimension;
    float *left = sn_scratch(SCRATCH_LEFT, MC * KC);
    float edge[12 * 48];
    for (intptr_t k0 = 0; k0 < k; k0 += KC) {
        intptr_t kc = minimum(KC, k - k0);
        for (intptr_t i = 0; i < rows; i += mr) pack_panel(block, m0 + i, minimum(mr, rows - i), k0, kc, left + i * kc);
        for (intptr_t j = 0; j < block->queries; j += nr) {
            const float *right = block->packed + j * k + k0 * nr;
            intptr_t columns = minimum(nr, block->queries - j);
            for (intptr_t i = 0; i < rows; i += mr) {
                intptr_t count = minimum(mr, rows - i);
                float *c = block->out + (m0 + i) * block->stride + j;
                if (columns == nr) {
                    f->gemm_tile((int32_t)count, kc, left + i * kc, right, c, block->stride, k0 > 0);
                    continue;
                }
                f->gemm_tile((int32_t)count, kc, left + i * kc, right, edge, nr, false);
                for (intptr_t r = 0; r < count; r++)
                    for (intptr_t x = 0; x < columns; x++)
                        c[r * block->stride + x] = (k0 > 0 ? c[r * block->stride + x] : 0.0f) + edge[r * nr + x];
            }
        }
    }
}

void sn_scan_scores(const sn_scan_block *block) {
    const sn_kernel_table *f = sn_kernels();
    for (intptr_t m0 = 0; m0 < block->rows; m0 += MC) scan_rows(block, f, m0, minimum(MC, block->rows - m0));
    if (block->factor == 1.0f && !block->offsets) return;
    for (intptr_t r = 0; r < block->rows; r++) {
        float *line = block->out + r * block->stride, offset = block->offsets ? block->offsets[r] : 0.0f;
        for (intptr_t j = 0; j < block->queries; j++) line[j] = block->factor * line[j] + offset;
    }
}
