// Resampling of interleaved 8-bit RGB, sixteen sums at a time. Integer sums are exact: every level gives the bytes of scalar/resize.c.
#include <stdlib.h>
#include <string.h>
#include "names.h"

void resize_rgb_rows_scalar(const uint8_t *source, intptr_t rows, intptr_t in_width, const sn_resize_taps *taps, uint8_t *target);
void resize_columns_part_scalar(const uint8_t *source, intptr_t row_bytes, intptr_t first, const sn_resize_taps *taps, uint8_t *target);

enum { LANES = 16, BLOCKS = 4 };
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef int32_t sums16 __attribute__((vector_size(64)));

INLINE sums16 start(void) { return (sums16){} + (1 << (SN_RESIZE_BITS - 1)); }
INLINE bytes16 load16(const uint8_t *p) {
    bytes16 value;
    memcpy(&value, p, sizeof value);
    return value;
}
INLINE void store16(uint8_t *p, bytes16 value) { memcpy(p, &value, sizeof value); }
INLINE bytes16 clip(sums16 sum) {
    sum >>= SN_RESIZE_BITS;
    sum = __builtin_elementwise_min(__builtin_elementwise_max(sum, (sums16){}), (sums16){} + 255);
    return __builtin_convertvector(sum, bytes16);
}
INLINE sums16 add(sums16 sum, const uint8_t *p, int32_t weight) { return sum + __builtin_convertvector(load16(p), sums16) * weight; }

// Four rounds of interleaving the first half with the second.
INLINE void transpose(bytes16 rows[LANES]) {
    bytes16 next[LANES];
    for (int round = 0; round < 4; round++) {
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; i++) {
            bytes16 a = rows[i], b = rows[i + 8];
            next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            next[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        _Pragma("clang loop unroll(full)") for (int i = 0; i < LANES; i++) rows[i] = next[i];
    }
}

// Sixteen rows (the last repeated where there are fewer) as columns: to[byte of a row][row].
INLINE void gather_rows(const uint8_t *source, intptr_t rows, intptr_t row_bytes, uint8_t *to) {
    for (intptr_t at = 0; at < row_bytes; at += LANES) {
        bytes16 block[LANES];
        intptr_t left = row_bytes - at;
        for (int r = 0; r < LANES; r++) {
            const uint8_t *from = source + (r < rows ? r : rows - 1) * row_bytes + at;
            if (left >= LANES) block[r] = load16(from);
            else {
                block[r] = (bytes16){};
                memcpy(&block[r], from, (size_t)left);
            }
        }
        transpose(block);
        for (int i = 0; i < LANES; i++) store16(to + (at + i) * LANES, block[i]);
    }
}

INLINE void scatter_rows(const uint8_t *from, intptr_t rows, intptr_t row_bytes, uint8_t *target) {
    for (intptr_t at = 0; at < row_bytes; at += LANES) {
        bytes16 block[LANES];
        for (int i = 0; i < LANES; i++) block[i] = load16(from + (at + i) * LANES);
        transpose(block);
        size_t count = row_bytes - at < LANES ? (size_t)(row_bytes - at) : LANES;
        for (intptr_t r = 0; r < rows; r++) memcpy(target + r * row_bytes + at, &block[r], count);
    }
}

// A row's weights are the same for all rows: with pixels turned into columns, sixteen rows go through in step.
static void sixteen_rows(const uint8_t *columns, const sn_resize_taps *taps, uint8_t *out) {
    for (intptr_t x = 0; x < taps->length; x++, out += 3 * LANES) {
        const int32_t *weights = taps->weights + x * taps->stride;
        const uint8_t *pixel = columns + (intptr_t)taps->starts[x] * 3 * LANES;
        sums16 red = start(), green = red, blue = red;
        for (int32_t i = 0; i < taps->counts[x]; i++, pixel += 3 * LANES) {
            red = add(red, pixel, weights[i]);
            green = add(green, pixel + LANES, weights[i]);
            blue = add(blue, pixel + 2 * LANES, weights[i]);
        }
        store16(out, clip(red)), store16(out + LANES, clip(green)), store16(out + 2 * LANES, clip(blue));
    }
}

void NAME(resize_rgb_rows)(const uint8_t *source, intptr_t rows, intptr_t in_width, const sn_resize_taps *taps, uint8_t *target) {
    intptr_t in_bytes = in_width * 3, out_bytes = taps->length * 3;
    intptr_t in_columns = (in_bytes + LANES - 1) / LANES * LANES, out_columns = (out_bytes + LANES - 1) / LANES * LANES;
    // Few rows don't repay the turning, and endless ones would need much memory.
    uint8_t *scratch = NULL;
    if (rows >= 4 && in_width < 1 << 20 && taps->length < 1 << 20) scratch = malloc((size_t)((in_columns + out_columns) * LANES));
    if (!scratch) {
        resize_rgb_rows_scalar(source, rows, in_width, taps, target);
        return;
    }
    uint8_t *out = scratch + in_columns * LANES;
    for (intptr_t y = 0; y < rows; y += LANES) {
        intptr_t count = rows - y < LANES ? rows - y : LANES;
        gather_rows(source + y * in_bytes, count, in_bytes, scratch);
        sixteen_rows(scratch, taps, out);
        scatter_rows(out, count, out_bytes, target + y * out_bytes);
    }
    free(scratch);
}

void NAME(resize_columns)(const uint8_t *source, intptr_t row_bytes, const sn_resize_taps *taps, uint8_t *target) {
    intptr_t whole = row_bytes / (LANES * BLOCKS) * (LANES * BLOCKS);
    for (intptr_t y = 0; y < taps->length; y++) {
        const uint8_t *top = source + taps->starts[y] * row_bytes;
        const int32_t *weights = taps->weights + y * taps->stride;
        for (intptr_t x = 0; x < whole; x += LANES * BLOCKS) {
            sums16 sums[BLOCKS];
            _Pragma("clang loop unroll(full)") for (int b = 0; b < BLOCKS; b++) sums[b] = start();
            for (int32_t i = 0; i < taps->counts[y]; i++) {
                const uint8_t *row = top + i * row_bytes + x;
                _Pragma("clang loop unroll(full)") for (int b = 0; b < BLOCKS; b++) sums[b] = add(sums[b], row + b * LANES, weights[i]);
            }
            _Pragma("clang loop unroll(full)") for (int b = 0; b < BLOCKS; b++) store16(target + y * row_bytes + x + b * LANES, clip(sums[b]));
        }
    }
    if (whole < row_bytes) resize_columns_part_scalar(source, row_bytes, whole, taps, target);
}
