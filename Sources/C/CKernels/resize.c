// Resampling of pictures. Integer sums are exact, so every instruction set gives the same bytes.
#include "sensorium_imaging.h"

// One body for each level: the compiler vectorises it for the instruction set that `LEVEL_ATTRIBUTE` names.
static inline uint8_t clip(int32_t sum) {
    sum >>= SN_RESIZE_BITS;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

void sn_resize_rgb_rows(const uint8_t *source, intptr_t rows, intptr_t in_width, const sn_resize_taps *taps, uint8_t *target) {
    for (intptr_t y = 0; y < rows; y++) {
        const uint8_t *row = source + y * in_width * 3;
        uint8_t *out = target + y * taps->length * 3;
        for (intptr_t x = 0; x < taps->length; x++, out += 3) {
            const int32_t *weights = taps->weights + x * taps->stride;
            const uint8_t *pixel = row + (intptr_t)taps->starts[x] * 3;
            int32_t red = 1 << (SN_RESIZE_BITS - 1), green = red, blue = red;
            for (int32_t i = 0; i < taps->counts[x]; i++, pixel += 3) {
                red += pixel[0] * weights[i];
                green += pixel[1] * weights[i];
                blue += pixel[2] * weights[i];
            }
            out[0] = clip(red), out[1] = clip(green), out[2] = clip(blue);
        }
    }
}

enum { BLOCK = 256 };

static inline void column_block(const uint8_t *source, intptr_t row_bytes, const int32_t *weights, int32_t count, uint8_t *target, intptr_t width) {
    int32_t sums[BLOCK];
    for (intptr_t x = 0; x < width; x++) sums[x] = 1 << (SN_RESIZE_BITS - 1);
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *row = source + i * row_bytes;
        int32_t weight = weights[i];
        for (intptr_t x = 0; x < width; x++) sums[x] += row[x] * weight;
    }
    for (intptr_t x = 0; x < width; x++) target[x] = clip(sums[x]);
}

void sn_resize_columns(const uint8_t *source, intptr_t row_bytes, const sn_resize_taps *taps, uint8_t *target) {
    for (intptr_t y = 0; y < taps->length; y++) {
        const uint8_t *top = source + taps->starts[y] * row_bytes;
        for (intptr_t x = 0; x < row_bytes; x += BLOCK) {
            intptr_t width = row_bytes - x < BLOCK ? row_bytes - x : BLOCK;
            column_block(top + x, row_bytes, taps->weights + y * taps->stride, taps->counts[y], target + y * row_bytes + x, width);
        }
    }
}

void sn_resize_float_rows(const float *source, intptr_t rows, intptr_t in_width, const sn_resize_float_taps *taps, float *target) {
    for (intptr_t y = 0; y < rows; y++) {
        const float *row = source + y * in_width * 3;
        float *out = target + y * taps->length * 3;
        for (intptr_t x = 0; x < taps->length; x++, out += 3) {
            const float *weights = taps->weights + x * taps->stride;
            const float *pixel = row + (intptr_t)taps->starts[x] * 3;
            float red = 0, green = 0, blue = 0;
            for (int32_t i = 0; i < taps->counts[x]; i++, pixel += 3) {
                red += pixel[0] * weights[i];
                green += pixel[1] * weights[i];
                blue += pixel[2] * weights[i];
            }
            out[0] = red, out[1] = green, out[2] = blue;
        }
    }
}

void sn_resize_float_columns(const float *source, intptr_t row_elements, const sn_resize_float_taps *taps, float *target) {
    for (intptr_t y = 0; y < taps->length; y++) {
        const float *top = source + taps->starts[y] * row_elements;
        const float *weights = taps->weights + y * taps->stride;
        float *out = target + y * row_elements;
        for (intptr_t x = 0; x < row_elements; x++) out[x] = top[x] * weights[0];
        for (int32_t i = 1; i < taps->counts[y]; i++) {
            const float *row = top + i * row_elements;
            for (intptr_t x = 0; x < row_elements; x++) out[x] += row[x] * weights[i];
        }
    }
}

void sn_rgb_to_planes(const uint8_t *source, intptr_t height, intptr_t width, intptr_t row_bytes, const float *table, float *target) {
    for (intptr_t y = 0; y < height; y++) {
        const uint8_t *row = source + y * row_bytes;
        for (int channel = 0; channel < 3; channel++) {
            float *out = target + (channel * height + y) * width;
            for (intptr_t x = 0; x < width; x++) out[x] = table[channel * 256 + row[x * 3 + channel]];
        }
    }
}
