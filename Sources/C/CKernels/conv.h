// What convolution and its gradient share.
#ifndef SENSORIUM_CONV_H
#define SENSORIUM_CONV_H
#include "sensorium_kernels.h"
// to[i] = the input under tap (ky, kx) of output pixel first + i, for i < count; 0 outside the plane.
void sn_conv_gather(const sn_conv_shape *shape, const float *plane, intptr_t ky, intptr_t kx, intptr_t first, intptr_t count, float *to);
// dweight = the gradient of the bare convolution in its weights (see sn_conv2d_gradient).
void sn_conv_weight_gradient(const float *x, const float *dy, float *dweight, const sn_conv_shape *shape);
#endif
