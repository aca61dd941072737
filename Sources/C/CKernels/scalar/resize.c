// The intrinsic-free reference of resampling.
#include "sensorium_imaging.h"

static uint8_t clip(int32_t sum) {
    sum >>= SN_RESIZE_BITS;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

void resize_rgb_rows_scalar(const uint8_t *source, intptr_t rows, intptr_t in_width, const sn_resize_taps *taps, uint8_t *target) {
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

static void column_block(const uint8_t *source, intptr_t row_bytes, const int32_t *weights, int32_t count, uint8_t *target, intptr_t width) {
    int32_t sums[BLOCK];
    for (intptr_t x = 0; x < width; x++) sums[x] = 1 << (SN_RESIZE_BITS - 1);
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *row = source + i * row_bytes;
        int32_t weight = weights[i];
        for (intptr_t x = 0; x < width; x++) sums[x] += row[x] * weight;
    }
    for (intptr_t x = 0; x < width; x++) target[x] = clip(sums[x]);
}

// The bytes from `first` on of each row.
void resize_columns_part_scalar(const uint8_t *source, intptr_t row_bytes, intptr_t first, const sn_resize_taps *taps, uint8_t *target) {
    for (intptr_t y = 0; y < taps->length; y++) {
        const uint8_t *top = source + taps->starts[y] * row_bytes;
        for (intptr_t x = first; x < row_bytes; x += BLOCK) {
            intptr_t width = row_bytes - x < BLOCK ? row_bytes - x : BLOCK;
            column_block(top + x, row_bytes, taps->weights + y * taps->stride, taps->counts[y], target + y * row_bytes + x, width);
        }
    }
}

void resize_columns_scalar(const uint8_t *source, intptr_t row_bytes, const sn_resize_taps *taps, uint8_t *target) {
    resize_columns_part_scalar(source, row_bytes, 0, taps, target);
}
