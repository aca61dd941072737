// Resampling of interleaved 8-bit RGB and of planar f32, and the conversion of pixels to a network's input.
#ifndef SENSORIUM_IMAGING_H
#define SENSORIUM_IMAGING_H
#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// Taps of one axis: output i reads `counts[i]` samples from `starts[i]` on, with the weights at `weights + i * stride`.
// Weights are fixed point with SN_RESIZE_BITS fraction bits, as in Pillow's Resample.c.
enum { SN_RESIZE_BITS = 32 - 8 - 2 };
typedef struct {
    intptr_t length, stride;
    const int32_t *starts, *counts, *weights;
} sn_resize_taps;

typedef struct {
    const char *name;
    // source: rows x in_width x 3, target: rows x taps->length x 3
    void (*rgb_rows)(const uint8_t *source, intptr_t rows, intptr_t in_width, const sn_resize_taps *taps, uint8_t *target);
    // source: in_rows x row_bytes, target: taps->length x row_bytes
    void (*columns)(const uint8_t *source, intptr_t row_bytes, const sn_resize_taps *taps, uint8_t *target);
} sn_resize_table;

// The table of the chosen level (see sn_kernels).
const sn_resize_table *sn_resizes(void);
// The table of a level by name; NULL where the build or the CPU lacks it.
const sn_resize_table *_Nullable sn_resizes_named(const char *name);

// The same two passes on interleaved f32 with f32 weights, as torch's antialiased interpolation accumulates them.
typedef struct {
    intptr_t length, stride;
    const int32_t *starts, *counts;
    const float *weights;
} sn_resize_float_taps;
void sn_resize_float_rows(const float *source, intptr_t rows, intptr_t in_width, const sn_resize_float_taps *taps, float *target);
void sn_resize_float_columns(const float *source, intptr_t row_elements, const sn_resize_float_taps *taps, float *target);

// target[c][y][x] = table[c][source[y][x][c]]; a table of 256 values for each channel
void sn_rgb_to_planes(const uint8_t *source, intptr_t height, intptr_t width, intptr_t row_bytes, const float *table, float *target);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
