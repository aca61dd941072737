// JPEG straight from libjpeg (the library that libvips itself reads JPEG with), on the calling thread and into the caller's memory.
// For one ordinary photograph libvips spends as long on its pipeline, its worker thread and its buffers as on decoding.
#ifndef SENSORIUM_JPEG_H
#define SENSORIUM_JPEG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

typedef struct sn_jpeg sn_jpeg;

typedef enum { SN_JPEG_FINE, SN_JPEG_TRUNCATED, SN_JPEG_DAMAGED } sn_jpeg_status;

// Parses the header of `bytes`, which must outlive the result. NULL when there is no memory; else ask for the status.
sn_jpeg *_Nullable sn_jpeg_open(const void *bytes, size_t count);
void sn_jpeg_close(sn_jpeg *_Nullable jpeg);

// How the last call went, and the reason where it didn't go well (empty where libjpeg gave none).
sn_jpeg_status sn_jpeg_state(const sn_jpeg *jpeg);
const char *sn_jpeg_reason(const sn_jpeg *jpeg);

// Sides when decoded at 1/shrink (1, 2, 4 or 8).
void sn_jpeg_size(sn_jpeg *jpeg, int32_t shrink, int32_t *width, int32_t *height);
// Grey, YCbCr or RGB: what becomes RGB without colour management.
bool sn_jpeg_is_plain(const sn_jpeg *jpeg);
// Whether there is any part of a colour profile.
bool sn_jpeg_has_profile(const sn_jpeg *jpeg);
// The whole profile in memory for free(), NULL where its parts don't fit together.
uint8_t *_Nullable sn_jpeg_profile(sn_jpeg *jpeg, size_t *count);
// The first EXIF block with its six bytes of name, NULL where there is none.
const uint8_t *_Nullable sn_jpeg_exif(const sn_jpeg *jpeg, size_t *count);

// Decodes a plain picture to height x width x 3 bytes of RGB at the sides of `sn_jpeg_size`. Once for each open.
sn_jpeg_status sn_jpeg_pixels(sn_jpeg *jpeg, int32_t shrink, uint8_t *target);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
