// Few tokens times quantised rows: the rows stream past once, two at a time, and meet up to four tokens in registers. Four blocks of
// 32 make a step: the first halves of the blocks in one vector, the second halves in another, so that four lanes are one block.
#include <string.h>
#include "../quant_kernels.h"
#if defined(__x86_64__)
#include "../simd/quant_avx512.h"
#define UNROLL _Pragma("clang loop unroll(full)")
enum { ROWS = 2, TOKENS = 4, STEP = 128 };

// A step of a prepared token. INT8: elements in order, scale and term (zero point) of the step in every lane.
typedef struct {
    uint8_t first[64], second[64];
    float scale[16], term[16];
} step;

static bool floats(sn_weight_format format) { return format <= SN_WEIGHT_BF16; }

intptr_t quant_dots_bytes_avx512(sn_weight_format format, intptr_t k) {
    if (floats(format)) return (k * 4 + 63) / 64 * 64;
    bool known = format == SN_WEIGHT_INT8 || format == SN_WEIGHT_Q8_0 || format == SN_WEIGHT_Q4_0 || format == SN_WEIGHT_Q4_1 || format == SN_WEIGHT_Q4_K;
    return known ? (k + STEP - 1) / STEP * (intptr_t)sizeof(step) : 0;
}

// ---- activations

INLINE float as_float(int32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// The largest magnitude; what isn't finite wins.
INLINE float magnitude(const float *x, int n) {
    vi most = i_zero();
    for (int i = 0; i < n; i += VW) most = i_max(most, i_from_float_bits(v_abs(v_load(x + i))));
    return as_float(_mm512_reduce_max_epi32(most));
}

// As quant_pack.h rounds them.
INLINE void prepare_ranged(const float *x, step *to) {
    vf least = v_set1(0), greatest = least;
    for (int i = 0; i < STEP; i += VW) {
        least = v_min(least, v_load(x + i));
        greatest = v_max(greatest, v_load(x + i));
    }
    float low = -v_reduce_max(v_neg(least)), most = magnitude(x, STEP), span = v_reduce_max(greatest) - low + (most - most);
    float inverse = 1e-30f < span ? 255 / span : 0, scale = span < 1e-30f ? 0 : span / 255;
    vf zero = v_round(v_set1(-(low * inverse)));
    for (int i = 0; i < STEP; i += VW) {
        vf scaled = v_min(v_add(v_round(v_mul(v_load(x + i), v_set1(inverse))), zero), v_set1(255));
        i_store_bytes((i < 64 ? to->first : to->second - 64) + i, i_from_float(scaled));
    }
    v_store(to->scale, v_set1(scale));
    v_store(to->term, v_neg(v_mul(zero, v_set1(scale))));
}

// `offset` is what was added to the weights to make them unsigned.
INLINE void prepare_blocks(const float *x, float offset, step *to) {
    for (int block = 0; block < 4; block++, x += 32) {
        float most = magnitude(x, 32), inverse = 1e-30f < most ? 127 / most : 0, scale = most < 1e-30f ? 0 : most / 127;
        i_store_bytes(to->first + 16 * block, i_from_float(v_mul(v_load(x), v_set1(inverse))));
        i_store_bytes(to->second + 16 * block, i_from_float(v_mul(v_load(x + 16), v_set1(inverse))));
        for (int i = 0; i < 4; i++) to->scale[4 * block + i] = scale;
    }
    vi ones = i_set1(0x01010101), sums = i_dot(i_dot(i_zero(), ones, i_load(to->first)), ones, i_load(to->second));
    vf term = v_mul(v_load(to->scale), i_to_float(sums));
    v_store(to->term, offset == 0 ? term : v_mul(term, v_set1(-offset)));
}

void quant_dots_prepare_avx512(sn_weight_format format, const float *x, intptr_t k, uint8_t *prepared) {
    if (floats(format)) {
        memcpy(prepared, x, (size_t)k * 4);
        return;
    }
    step *to = (step *)(void *)prepared;
    float offset = format == SN_WEIGHT_Q8_0 ? 128 : format == SN_WEIGHT_Q4_0 ? 8 : 0;
    for (intptr_t k0 = 0; k0 < k; k0 += STEP, to++) {
        float padded[STEP] = {0};
        const float *from = x + k0;
        if (k - k0 < STEP) {
            memcpy(padded, from, (size_t)(k - k0) * 4);
            from = padded;
        }
        if (format == SN_WEIGHT_INT8) prepare_ranged(from, to);
        else prepare_blocks(from, offset, to);
    }
}

// ---- weights of a step

typedef struct { vi first, second; vf scale, term; } weights;

INLINE int word(const uint8_t *b) {
    int value;
    memcpy(&value, b, 4);
    return value;
}

INLINE void halves(vi x, weights *w) {
    vi low = _mm512_set1_epi8(15);
    w->first = _mm512_and_si512(x, low);
    w->second = _mm512_and_si512(_mm512_srli_epi16(x, 4), low);
}

// Four blocks of 32 in a row, an even number of bytes each, from two loads that overlap by what is short of 128 bytes: words of them are
// put in order by a permutation each. What comes after the last block there is reads as 0; its scale in the activations is 0 as well.
typedef struct { vi low, high; } four_blocks;
INLINE vi words_from(const uint8_t *row, intptr_t first, intptr_t words) {
    intptr_t there = words - first;
    return _mm512_maskz_loadu_epi16(there >= 32 ? ~0u : there <= 0 ? 0 : ~0u >> (32 - there), row + 2 * first);
}
// `shift`: the word at which the second load begins.
INLINE four_blocks read_blocks(const uint8_t *row, intptr_t block_words, intptr_t shift, intptr_t from, intptr_t blocks) {
    intptr_t words = block_words * blocks;
    return (four_blocks){words_from(row, from, words), words_from(row, shift, words)};
}
// Of each block `b` the eight words that start at word `b * block_words + start`; the loads begin at words `from` and `shift`.
#define WORD_AT(W, FROM, SHIFT) (short)((W) - (FROM) < 32 ? (W) - (FROM) : (W) - (SHIFT) + 32)
#define EIGHT(W, F, S)                                                                                                  \
    WORD_AT(W, F, S), WORD_AT((W) + 1, F, S), WORD_AT((W) + 2, F, S), WORD_AT((W) + 3, F, S), WORD_AT((W) + 4, F, S),     \
        WORD_AT((W) + 5, F, S), WORD_AT((W) + 6, F, S), WORD_AT((W) + 7, F, S)
#define SAME(W, F, S) WORD_AT(W, F, S), WORD_AT(W, F, S), WORD_AT(W, F, S), WORD_AT(W, F, S)
typedef short word_indices __attribute__((vector_size(64)));
#define BYTES_OF(BLOCKS, WORDS, START, F, S)                                                                              \
    _mm512_permutex2var_epi16(                                                                                            \
        (BLOCKS).low, (vi)(word_indices){EIGHT(START, F, S), EIGHT(WORDS + START, F, S), EIGHT(2 * WORDS + START, F, S),  \
                                         EIGHT(3 * WORDS + START, F, S)}, (BLOCKS).high)
// A half-precision number of each block, in four lanes each.
#define HALVES_OF(BLOCKS, WORDS, START, F, S)                                                                              \
    _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_permutex2var_epi16(                                                      \
        (BLOCKS).low, (vi)(word_indices){SAME(START, F, S), SAME(WORDS + START, F, S), SAME(2 * WORDS + START, F, S),      \
                                         SAME(3 * WORDS + START, F, S)}, (BLOCKS).high)))

// Two groups of 32 share 32 bytes: their halves are put where the steps of the other formats have them.
INLINE void super_step(const uint8_t *block, int half, weights *w) {
    weights pairs;
    halves(i_load(block + 16 + 64 * half), &pairs);
    w->first = _mm512_permutex2var_epi64(pairs.first, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), pairs.second);
    w->second = _mm512_permutex2var_epi64(pairs.first, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), pairs.second);
    // Six-bit scales and minimums, four at once (quant_scale_minimum).
    uint32_t a = (uint32_t)word(block + 4), b = (uint32_t)word(block + 8), c = (uint32_t)word(block + 12);
    uint32_t scales = half ? (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030) : a & 0x3f3f3f3f;
    uint32_t minimums = half ? (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030) : b & 0x3f3f3f3f;
    __m128i both = _mm_setr_epi32((int)scales, (int)minimums, 0, 0);
    vf values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(both));
    const vi four_lanes = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    w->scale = v_mul(_mm512_permutexvar_ps(four_lanes, values), v_set1(HALF(block)));
    w->term = v_mul(_mm512_permutexvar_ps(_mm512_add_epi32(four_lanes, i_set1(4)), values), v_set1(-HALF(block + 2)));
}

// `left`: elements of the row from this step on, STEP where there are as many.
INLINE void read_step(sn_weight_format format, const uint8_t *row, intptr_t index, intptr_t left, weights *w) {
    intptr_t blocks = left / 32;
    switch (format) {
        case SN_WEIGHT_Q8_0: {
            row += index * 4 * 34;
            four_blocks start = read_blocks(row, 17, 32, 0, blocks), end = read_blocks(row, 17, 36, 4, blocks);
            w->first = _mm512_xor_si512(BYTES_OF(start, 17, 1, 0, 32), _mm512_set1_epi8(-128));
            w->second = _mm512_xor_si512(BYTES_OF(end, 17, 9, 4, 36), _mm512_set1_epi8(-128));
            w->scale = HALVES_OF(start, 17, 0, 0, 32);
            break;
        }
        case SN_WEIGHT_Q4_0: {
            four_blocks four = read_blocks(row + index * 4 * 18, 9, 4, 0, blocks);
            halves(BYTES_OF(four, 9, 1, 0, 4), w);
            w->scale = HALVES_OF(four, 9, 0, 0, 4);
            break;
        }
        case SN_WEIGHT_Q4_1: {
            four_blocks four = read_blocks(row + index * 4 * 20, 10, 8, 0, blocks);
            halves(BYTES_OF(four, 10, 2, 0, 8), w);
            w->scale = HALVES_OF(four, 10, 0, 0, 8);
            w->term = HALVES_OF(four, 10, 1, 0, 8);
            break;
        }
        case SN_WEIGHT_Q4_K: super_step(row + index / 2 * 144, (int)(index & 1), w); break;
        default: {  // INT8
            __mmask64 one = left >= 64 ? ~0ull : ~0ull >> (64 - left), two = left >= 128 ? ~0ull : left <= 64 ? 0 : ~0ull >> (128 - left);
            w->first = _mm512_maskz_loadu_epi8(one, row + index * STEP);
            w->second = _mm512_maskz_loadu_epi8(two, row + index * STEP + 64);
            vi ones = i_set1(0x01010101);
            w->term = i_to_float(i_dot(i_dot(i_zero(), ones, w->first), ones, w->second));
        }
    }
}

INLINE void add_step(sn_weight_format format, const weights *w, const step *x, vf *sum) {
    vi first = i_load(x->first), second = i_load(x->second);
    vf scale = v_load(x->scale), term = v_load(x->term);
    if (format == SN_WEIGHT_INT8) {
        vf product = i_to_float(i_dot(i_dot(i_zero(), first, w->first), second, w->second));
        *sum = v_fma(product, scale, v_fma(w->term, term, *sum));
        return;
    }
    vf product = i_to_float(i_dot(i_dot(i_zero(), w->first, first), w->second, second));
    bool minimum = format == SN_WEIGHT_Q4_1 || format == SN_WEIGHT_Q4_K;
    if (minimum) *sum = v_fma(v_mul(product, scale), w->scale, v_fma(w->term, term, *sum));
    else *sum = v_fma(v_fma(product, scale, term), w->scale, *sum);
}

// ---- rows

// Short rows of large matrices outrun the processor's own prefetching: the lines of the step that comes 4 KiB later.
INLINE void fetch_ahead(const sn_weight_format format, const uint8_t *row, intptr_t index) {
    intptr_t bytes = format == SN_WEIGHT_INT8 ? 128 : format == SN_WEIGHT_Q8_0 ? 136 : format == SN_WEIGHT_Q4_1 ? 80 : 72;
    const uint8_t *at = row + index * bytes + 4096;
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
}

INLINE void integer_rows(const sn_weight_format format, const quant_dots_job *job, intptr_t row, const int rows, intptr_t token, const int tokens) {
    const uint8_t *w = (const uint8_t *)job->w->rows + row * job->w->row_bytes;
    const uint8_t *x = job->x + token * job->x_bytes;
    vf sum[ROWS][TOKENS];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int t = 0; t < tokens; t++) sum[r][t] = v_set1(0);
    // Masks of whole steps are constants.
#define ADD_STEP(LEFT)                                                                                       \
    UNROLL for (int r = 0; r < rows; r++) {                                                                  \
        weights read;                                                                                        \
        fetch_ahead(format, w + r * job->w->row_bytes, index);                                               \
        read_step(format, w + r * job->w->row_bytes, index, LEFT, &read);                                    \
        UNROLL for (int t = 0; t < tokens; t++)                                                              \
            add_step(format, &read, (const step *)(const void *)(x + t * job->x_bytes) + index, &sum[r][t]); \
    }
    intptr_t index = 0, whole = job->w->k / STEP;
    for (; index < whole; index++) ADD_STEP(STEP)
    if (whole * STEP < job->w->k) ADD_STEP(job->w->k - whole * STEP)
#undef ADD_STEP
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int t = 0; t < tokens; t++)
        job->y[(token + t) * job->y_row + row + r] = v_reduce_add(sum[r][t]) * (job->w->scales ? job->w->scales[row + r] : 1.0f);
}

INLINE vf read_floats(sn_weight_format format, const uint8_t *row, intptr_t i) {
    if (format == SN_WEIGHT_F16) return v_load_half((const uint16_t *)(const void *)row + i);
    if (format == SN_WEIGHT_BF16) return v_load_bfloat((const uint16_t *)(const void *)row + i);
    return v_load((const float *)(const void *)row + i);
}

INLINE void float_rows(const sn_weight_format format, const quant_dots_job *job, intptr_t row, const int rows, intptr_t token, const int tokens) {
    const uint8_t *w = (const uint8_t *)job->w->rows + row * job->w->row_bytes;
    intptr_t k = job->w->k, whole = k / VW * VW, bytes = format == SN_WEIGHT_F32 ? 4 : 2;
    vf sum[ROWS][TOKENS];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int t = 0; t < tokens; t++) sum[r][t] = v_set1(0);
    for (intptr_t i = 0; i < whole; i += VW)
        UNROLL for (int r = 0; r < rows; r++) {
            vf left = read_floats(format, w + r * job->w->row_bytes, i);
            UNROLL for (int t = 0; t < tokens; t++)
                sum[r][t] = v_fma(left, v_load((const float *)(const void *)(job->x + (token + t) * job->x_bytes) + i), sum[r][t]);
        }
    UNROLL for (int r = 0; r < rows; r++) {
        uint8_t rest[VW * 4] = {0};
        memcpy(rest, w + r * job->w->row_bytes + whole * bytes, (size_t)((k - whole) * bytes));
        vf left = read_floats(format, rest, 0);
        UNROLL for (int t = 0; t < tokens; t++) {
            float ends[VW] = {0};
            memcpy(ends, (const float *)(const void *)(job->x + (token + t) * job->x_bytes) + whole, (size_t)(k - whole) * 4);
            job->y[(token + t) * job->y_row + row + r] = v_reduce_add(v_fma(left, v_load(ends), sum[r][t]));
        }
    }
}

INLINE void some_rows(const sn_weight_format format, const quant_dots_job *job, intptr_t row, const int rows) {
#define TAKE(TOKENS_)                                                                \
    if (format <= SN_WEIGHT_BF16) float_rows(format, job, row, rows, token, TOKENS_); \
    else integer_rows(format, job, row, rows, token, TOKENS_);
    for (intptr_t token = 0; token < job->m; token += TOKENS) switch (job->m - token) {
        case 1: TAKE(1) break;
        case 2: TAKE(2) break;
        case 3: TAKE(3) break;
        default: TAKE(4)
    }
#undef TAKE
}

INLINE void all_rows(const sn_weight_format format, const quant_dots_job *job, intptr_t row, intptr_t end) {
    for (; row + ROWS <= end; row += ROWS) some_rows(format, job, row, ROWS);
    for (; row < end; row++) some_rows(format, job, row, 1);
}

void quant_dots_avx512(const quant_dots_job *job, intptr_t row, intptr_t end) {
    switch (job->w->format) {
        case SN_WEIGHT_F32: all_rows(SN_WEIGHT_F32, job, row, end); break;
        case SN_WEIGHT_F16: all_rows(SN_WEIGHT_F16, job, row, end); break;
        case SN_WEIGHT_BF16: all_rows(SN_WEIGHT_BF16, job, row, end); break;
        case SN_WEIGHT_INT8: all_rows(SN_WEIGHT_INT8, job, row, end); break;
        case SN_WEIGHT_Q8_0: all_rows(SN_WEIGHT_Q8_0, job, row, end); break;
        case SN_WEIGHT_Q4_0: all_rows(SN_WEIGHT_Q4_0, job, row, end); break;
        case SN_WEIGHT_Q4_1: all_rows(SN_WEIGHT_Q4_1, job, row, end); break;
        case SN_WEIGHT_Q4_K: all_rows(SN_WEIGHT_Q4_K, job, row, end); break;
        default: break;
    }
}
#pragma clang attribute pop
#endif
