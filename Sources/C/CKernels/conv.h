// What convolution and its gradient share.
#ifndef SENSORIUM_CONV_H
#define SENSORIUM_CONV_H
#include "sensorium_kernels.h"
// Output pixels [to, to + count) after some first one, whose inputs under one tap lie stride_width apart from `from` on in the plane.
typedef struct { intptr_t to, from, count; } sn_conv_run;
enum { CONV_RUN_PIXELS = 256 };
// The runs of tap (ky, kx) for `count` <= CONV_RUN_PIXELS output pixels from `first` on, at most one for each; returns how many there are.
// Pixels in none of them see what lies outside the plane.
intptr_t sn_conv_runs(const sn_conv_shape *shape, intptr_t ky, intptr_t kx, intptr_t first, intptr_t count, sn_conv_run *runs);
// to[i] = the input of pixel first + i for i < count; 0 outside the plane.
void sn_conv_gather(const float *plane, const sn_conv_run *runs, intptr_t run_count, intptr_t step, intptr_t count, float *to);
// dweight = the gradient of the bare convolution in its weights (see sn_conv2d_gradient).
void sn_conv_weight_gradient(const float *x, const float *dy, float *dweight, const sn_conv_shape *shape);
#endif
