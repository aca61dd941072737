// Sizes of the formats of weights; reading and writing their rows.
#include <math.h>
#include <string.h>
#include "quant_formats.h"

static const struct { int16_t length, bytes; } layouts[SN_WEIGHT_FORMAT_COUNT] = {
    [SN_WEIGHT_F32] = {1, 4},      [SN_WEIGHT_F16] = {1, 2},      [SN_WEIGHT_BF16] = {1, 2},   [SN_WEIGHT_INT8] = {1, 1},
    [SN_WEIGHT_Q8_0] = {32, 34},   [SN_WEIGHT_Q4_0] = {32, 18},   [SN_WEIGHT_Q4_1] = {32, 20}, [SN_WEIGHT_Q5_0] = {32, 22},
    [SN_WEIGHT_Q5_1] = {32, 24},   [SN_WEIGHT_Q4_K] = {256, 144}, [SN_WEIGHT_Q5_K] = {256, 176}, [SN_WEIGHT_Q6_K] = {256, 210},
};

intptr_t sn_weight_block_length(sn_weight_format format) { return layouts[format].length; }
intptr_t sn_weight_block_bytes(sn_weight_format format) { return layouts[format].bytes; }

intptr_t sn_weight_row_bytes(sn_weight_format format, intptr_t k) {
    intptr_t length = layouts[format].length, bytes;
    if (k < 0 || k % length || __builtin_mul_overflow(k / length, (intptr_t)layouts[format].bytes, &bytes)) return -1;
    return bytes;
}

typedef struct {
    sn_weight_format format;
    intptr_t row_bytes, k;
    const uint8_t *rows;
    uint8_t *rows_out;
    const float *x, *scales;
    float *y, *scales_out;
} rows_job;

static void dequantize_row(const rows_job *job, intptr_t row) {
    const uint8_t *from = job->rows + row * job->row_bytes;
    float *y = job->y + row * job->k;
    intptr_t k = job->k, length = layouts[job->format].length, bytes = layouts[job->format].bytes;
    switch (job->format) {
        case SN_WEIGHT_F32: memcpy(y, from, (size_t)k * 4); break;
        case SN_WEIGHT_F16: sn_kernels()->from_half((const uint16_t *)(const void *)from, y, k); break;
        case SN_WEIGHT_BF16: sn_kernels()->from_bfloat((const uint16_t *)(const void *)from, y, k); break;
        case SN_WEIGHT_INT8: {
            float scale = job->scales ? job->scales[row] : 1;
            for (intptr_t i = 0; i < k; i++) y[i] = (float)(int8_t)from[i] * scale;
            break;
        }
        default:
            for (intptr_t i = 0; i < k; i += length, from += bytes)
                length == QUANT_BLOCK ? dequantize_legacy_scalar(job->format, from, y + i) : dequantize_super_scalar(job->format, from, y + i);
    }
}

static void dequantize_range(void *context, intptr_t start, intptr_t end) {
    for (intptr_t row = start; row < end; row++) dequantize_row(context, row);
}

void sn_dequantize_rows(sn_weight_format format, const void *rows, intptr_t row_bytes, intptr_t count, intptr_t k, const float *scales,
                        float *y) {
    rows_job job = {.format = format, .row_bytes = row_bytes, .k = k, .rows = rows, .scales = scales, .y = y};
    sn_parallel_for(count, 1 + 16384 / (k + 1), dequantize_range, &job);
}

// Bytes of a row around zero; returns the scale.
static float quantize_int8(const float *x, intptr_t k, int8_t *q) {
    float largest = 0;
    for (intptr_t i = 0; i < k; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
    for (intptr_t i = 0; i < k; i++) {
        float value = rintf(x[i] * inverse);
        q[i] = (int8_t)(value >= -127 ? value <= 127 ? value : 127 : -127);
    }
    return scale;
}

static void quantize_row(const rows_job *job, intptr_t row) {
    uint8_t *to = job->rows_out + row * job->row_bytes;
    const float *x = job->x + row * job->k;
    intptr_t k = job->k, length = layouts[job->format].length, bytes = layouts[job->format].bytes;
    switch (job->format) {
        case SN_WEIGHT_F32: memcpy(to, x, (size_t)k * 4); break;
        case SN_WEIGHT_F16: sn_kernels()->to_half(x, (uint16_t *)(void *)to, k); break;
        case SN_WEIGHT_BF16: sn_kernels()->to_bfloat(x, (uint16_t *)(void *)to, k); break;
        case SN_WEIGHT_INT8: {
            float scale = quantize_int8(x, k, (int8_t *)to);
            if (job->scales_out) job->scales_out[row] = scale;
            break;
        }
        default:
            for (intptr_t i = 0; i < k; i += length, to += bytes)
                length == QUANT_BLOCK ? quantize_legacy_scalar(job->format, x + i, to) : quantize_super_scalar(job->format, x + i, to);
    }
}

static void quantize_range(void *context, intptr_t start, intptr_t end) {
    for (intptr_t row = start; row < end; row++) quantize_row(context, row);
}

void sn_quantize_rows(sn_weight_format format, const float *x, intptr_t count, intptr_t k, void *rows, float *scales) {
    rows_job job = {.format = format, .row_bytes = sn_weight_row_bytes(format, k), .k = k, .rows_out = rows, .x = x, .scales_out = scales};
    sn_parallel_for(count, 1 + 2048 / (k + 1), quantize_range, &job);
}
