// The paths of sn_conv2d and its gradient for one kernel per channel.
#ifndef SENSORIUM_DEPTHWISE_H
#define SENSORIUM_DEPTHWISE_H
#include "sensorium_kernels.h"
#ifdef __clang__
#pragma clang assume_nonnull begin
#endif
bool sn_depthwise_fits(const sn_conv_shape *shape);
void sn_depthwise(const float *x, const float *weight, const float *_Nullable bias, const float *_Nullable residual, int32_t activation,
                  float *y, const sn_conv_shape *shape);
// The gradient in the weights of what fits.
bool sn_depthwise_weight_fits(const sn_conv_shape *shape);
void sn_depthwise_weight_gradient(const float *x, const float *dy, float *dweight, const sn_conv_shape *shape);
#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
