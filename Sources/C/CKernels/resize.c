// Resampling of pictures at the level that the engine chose. Integer sums are exact, so every level gives the same bytes.
#include "levels.h"
#include "sensorium_imaging.h"
#include "sensorium_kernels.h"

#define DECLARE(LEVEL)                                                                                             \
    void resize_rgb_rows_##LEVEL(const uint8_t *, intptr_t, intptr_t, const sn_resize_taps *, uint8_t *);          \
    void resize_columns_##LEVEL(const uint8_t *, intptr_t, const sn_resize_taps *, uint8_t *);
#define TABLE(LEVEL) {#LEVEL, resize_rgb_rows_##LEVEL, resize_columns_##LEVEL}

SN_LEVELS(sn_resize_table, sn_resizes_named)

const sn_resize_table *sn_resizes(void) { return sn_resizes_named(sn_kernels()->name); }

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
