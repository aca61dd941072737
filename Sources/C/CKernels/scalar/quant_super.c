// Blocks of 256 elements as ggml's reference quantisers write and read them (quantize_row_q4_K_ref ... of ggml-quants.c). Sums run
// in its order, because the search for a scale compares them.
#include <math.h>
#include <string.h>
#include "../quant_formats.h"

// The nearest whole number of a value below 2^22, from the low bits of a sum.
static int nearest(float value) {
    float shifted = value + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    return (bits & 0x007fffff) - 0x00400000;
}

static int clamp(int value, int least, int greatest) { return value < least ? least : value > greatest ? greatest : value; }

// ---- scale and minimum of 32 elements: Q4_K, Q5_K

typedef struct { float steps_from, steps_by; int steps, limit; } search;

// The squared error of 32 elements as scale * q + least, weighted.
static float weighted_error(const float *x, const float *weights, const uint8_t *q, float scale, float least) {
    float error = 0;
    for (int i = 0; i < 32; i++) {
        float difference = scale * (float)q[i] + least - x[i];
        error += weights[i] * (difference * difference);
    }
    return error;
}

// One trial: codes at a step, then the least-squares scale and minimum for them. False where there is none.
static bool fit(const float *x, const float *weights, float sum_w, float sum_x, float inverse, float from, int limit, uint8_t *q,
                float *scale, float *least) {
    float sum_l = 0, sum_l2 = 0, sum_xl = 0;
    for (int i = 0; i < 32; i++) {
        int l = clamp(nearest(inverse * (x[i] - from)), 0, limit);
        q[i] = (uint8_t)l;
        float w = weights[i];
        sum_l += w * (float)l;
        sum_l2 += w * (float)l * (float)l;
        sum_xl += w * (float)l * x[i];
    }
    float determinant = sum_w * sum_l2 - sum_l * sum_l;
    if (!(determinant > 0)) return false;
    *scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    *least = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    if (*least > 0) {
        *least = 0;
        *scale = sum_xl / sum_l2;
    }
    return true;
}

// Codes of 32 elements; returns the scale, *minimum is what is subtracted.
static float scale_and_minimum(const float *x, const search *how, uint8_t *q, float *minimum) {
    float weights[32], sum_x2 = 0;
    for (int i = 0; i < 32; i++) sum_x2 += x[i] * x[i];
    float typical = sqrtf(sum_x2 / 32);
    for (int i = 0; i < 32; i++) weights[i] = typical + fabsf(x[i]);
    float least = x[0], greatest = x[0], sum_w = weights[0], sum_x = sum_w * x[0];
    for (int i = 1; i < 32; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > greatest) greatest = x[i];
        sum_w += weights[i];
        sum_x += weights[i] * x[i];
    }
    if (least > 0) least = 0;
    memset(q, 0, 32);
    *minimum = -least;
    if (greatest == least) return 0;
    float inverse = (float)how->limit / (greatest - least), scale = 1 / inverse;
    for (int i = 0; i < 32; i++) q[i] = (uint8_t)clamp(nearest(inverse * (x[i] - least)), 0, how->limit);
    float best = weighted_error(x, weights, q, scale, least);
    for (int step = 0; step <= how->steps; step++) {
        uint8_t trial[32];
        float new_scale, new_least;
        inverse = (how->steps_from + how->steps_by * (float)step + (float)how->limit) / (greatest - least);
        if (!fit(x, weights, sum_w, sum_x, inverse, least, how->limit, trial, &new_scale, &new_least)) continue;
        float error = weighted_error(x, weights, trial, new_scale, new_least);
        if (!(error < best)) continue;
        memcpy(q, trial, 32);
        best = error;
        scale = new_scale;
        least = new_least;
    }
    *minimum = -least;
    return scale;
}

static void put_scale_minimum(uint8_t *packed, int j, uint8_t scale, uint8_t minimum) {
    if (j < 4) {
        packed[j] = scale;
        packed[j + 4] = minimum;
    } else {
        packed[j + 4] = (uint8_t)((scale & 15) | (minimum & 15) << 4);
        packed[j - 4] |= (uint8_t)(scale >> 4 << 6);
        packed[j] |= (uint8_t)(minimum >> 4 << 6);
    }
}

// The 16 bytes in front of both formats, and the codes q[256] for the scales that these bytes hold.
static void scales_and_codes(const float *x, const search *how, uint8_t *block, uint8_t *q) {
    float scales[8], minimums[8], largest_scale = 0, largest_minimum = 0;
    for (int j = 0; j < 8; j++) {
        scales[j] = scale_and_minimum(x + 32 * j, how, q + 32 * j, &minimums[j]);
        if (scales[j] > largest_scale) largest_scale = scales[j];
        if (minimums[j] > largest_minimum) largest_minimum = minimums[j];
    }
    float inverse_scale = largest_scale > 0 ? 63.0f / largest_scale : 0, inverse_minimum = largest_minimum > 0 ? 63.0f / largest_minimum : 0;
    for (int j = 0; j < 8; j++) {
        uint8_t s = (uint8_t)nearest(inverse_scale * scales[j]), m = (uint8_t)nearest(inverse_minimum * minimums[j]);
        put_scale_minimum(block + 4, j, s < 63 ? s : 63, m < 63 ? m : 63);
    }
    put_half(block, largest_scale / 63.0f);
    put_half(block + 2, largest_minimum / 63.0f);
    for (int j = 0; j < 8; j++) {
        uint8_t s, m;
        quant_scale_minimum(block + 4, j, &s, &m);
        float d = get_half(block) * (float)s, least = get_half(block + 2) * (float)m;
        if (d == 0) continue;
        for (int i = 0; i < 32; i++) q[32 * j + i] = (uint8_t)clamp(nearest((x[32 * j + i] + least) / d), 0, how->limit);
    }
}

static void q4_k(const float *x, uint8_t *block) {
    static const search how = {-1.0f, 0.1f, 20, 15};
    uint8_t q[QUANT_SUPER], *nibbles = block + 16;
    scales_and_codes(x, &how, block, q);
    for (int j = 0; j < QUANT_SUPER; j += 64, nibbles += 32)
        for (int i = 0; i < 32; i++) nibbles[i] = (uint8_t)(q[j + i] | q[j + i + 32] << 4);
}

static void q5_k(const float *x, uint8_t *block) {
    static const search how = {-0.5f, 0.1f, 15, 31};
    uint8_t q[QUANT_SUPER], *fifth = block + 16, *nibbles = block + 48;
    scales_and_codes(x, &how, block, q);
    memset(fifth, 0, 32);
    for (int j = 0; j < 4; j++, nibbles += 32)
        for (int i = 0; i < 32; i++) {
            uint8_t low = q[64 * j + i], high = q[64 * j + i + 32];
            fifth[i] |= (uint8_t)((low >> 4) << (2 * j) | (high >> 4) << (2 * j + 1));
            nibbles[i] = (uint8_t)((low & 15) | (high & 15) << 4);
        }
}

// ---- a scale of 16 elements: Q6_K

// Sums of w x l and w l l with w = x * x at a step; the codes go to q, 32 added.
static void scaled_sums(const float *x, float inverse, int8_t *q, float *sum_lx, float *sum_l2) {
    *sum_lx = *sum_l2 = 0;
    for (int i = 0; i < 16; i++) {
        int l = clamp(nearest(inverse * x[i]), -32, 31);
        q[i] = (int8_t)(l + 32);
        float w = x[i] * x[i];
        *sum_lx += w * x[i] * (float)l;
        *sum_l2 += w * (float)l * (float)l;
    }
}

static float symmetric_scale(const float *x, int8_t *q) {
    float extreme = 0, largest = 0, sum_lx, sum_l2;
    for (int i = 0; i < 16; i++)
        if (fabsf(x[i]) > largest) {
            largest = fabsf(x[i]);
            extreme = x[i];
        }
    memset(q, 0, 16);
    if (largest < 1e-15f) return 0;
    scaled_sums(x, -32 / extreme, q, &sum_lx, &sum_l2);
    float scale = sum_l2 != 0 ? sum_lx / sum_l2 : 0, best = scale * sum_lx;
    for (int step = -9; step <= 9; step++) {
        int8_t trial[16];
        if (step == 0) continue;
        scaled_sums(x, -(32 + 0.1f * (float)step) / extreme, trial, &sum_lx, &sum_l2);
        if (!(sum_l2 > 0 && sum_lx * sum_lx > best * sum_l2)) continue;
        memcpy(q, trial, 16);
        scale = sum_lx / sum_l2;
        best = scale * sum_lx;
    }
    return scale;
}

static void put_q6(const int8_t *q, uint8_t *low, uint8_t *high) {
    for (int j = 0; j < QUANT_SUPER; j += 128, low += 64, high += 32)
        for (int i = 0; i < 32; i++) {
            uint8_t a = (uint8_t)q[j + i], b = (uint8_t)q[j + i + 32], c = (uint8_t)q[j + i + 64], d = (uint8_t)q[j + i + 96];
            low[i] = (uint8_t)((a & 15) | (c & 15) << 4);
            low[i + 32] = (uint8_t)((b & 15) | (d & 15) << 4);
            high[i] = (uint8_t)(a >> 4 | (b >> 4) << 2 | (c >> 4) << 4 | (d >> 4) << 6);
        }
}

static void q6_k(const float *x, uint8_t *block) {
    int8_t q[QUANT_SUPER], *scales = (int8_t *)block + 192;
    float found[16], extreme = 0, largest = 0;
    for (int j = 0; j < 16; j++) {
        found[j] = symmetric_scale(x + 16 * j, q + 16 * j);
        if (fabsf(found[j]) > largest) {
            largest = fabsf(found[j]);
            extreme = found[j];
        }
    }
    memset(block, 0, 210);
    if (largest < 1e-15f) return;
    float inverse = -128.0f / extreme;
    put_half(block + 208, 1 / inverse);
    for (int j = 0; j < 16; j++) {
        int s = nearest(inverse * found[j]);
        scales[j] = (int8_t)(s < 127 ? s : 127);
        float d = get_half(block + 208) * (float)scales[j];
        if (d == 0) continue;
        for (int i = 0; i < 16; i++) q[16 * j + i] = (int8_t)(clamp(nearest(x[16 * j + i] / d), -32, 31) + 32);
    }
    put_q6(q, block, block + 128);
}

void quantize_super_scalar(sn_weight_format format, const float *x, uint8_t *block) {
    if (format == SN_WEIGHT_Q4_K) q4_k(x, block);
    if (format == SN_WEIGHT_Q5_K) q5_k(x, block);
    if (format == SN_WEIGHT_Q6_K) q6_k(x, block);
}

// ---- reading

// Q4_K (fifth is NULL) and Q5_K.
static void read_ranged(const uint8_t *block, const uint8_t *fifth, const uint8_t *nibbles, float *y) {
    float d = get_half(block), least = get_half(block + 2);
    for (int j = 0; j < 8; j++) {
        uint8_t s, m;
        quant_scale_minimum(block + 4, j, &s, &m);
        float scale = d * (float)s, minimum = least * (float)m;
        const uint8_t *bytes = nibbles + j / 2 * 32;
        for (int i = 0; i < 32; i++) {
            int q = (bytes[i] >> (j % 2 * 4) & 15) + (fifth ? (fifth[i] >> j & 1) * 16 : 0);
            y[32 * j + i] = scale * (float)q - minimum;
        }
    }
}

static void read_q6(const uint8_t *block, float *y) {
    float d = get_half(block + 208);
    const int8_t *scales = (const int8_t *)block + 192;
    for (int i = 0; i < QUANT_SUPER; i++) {
        int half = i / 128, part = i % 128 / 32, at = i % 32;
        int low = block[64 * half + 32 * (part % 2) + at] >> (part / 2 * 4) & 15, high = block[128 + 32 * half + at] >> (2 * part) & 3;
        y[i] = d * (float)scales[i / 16] * (float)((low | high << 4) - 32);
    }
}

void dequantize_super_scalar(sn_weight_format format, const uint8_t *block, float *y) {
    if (format == SN_WEIGHT_Q4_K) read_ranged(block, NULL, block + 16, y);
    if (format == SN_WEIGHT_Q5_K) read_ranged(block, block + 16, block + 48, y);
    if (format == SN_WEIGHT_Q6_K) read_q6(block, y);
}
