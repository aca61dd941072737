// The intrinsic-free reference of a row of a convolution of one channel.
#include "sensorium_kernels.h"

void depthwise_row_scalar(const float *const *rows, intptr_t kernel_height, intptr_t kernel_width, intptr_t dilation, const float *weight,
                          float bias, float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        double total = bias;
        for (intptr_t r = 0; r < kernel_height; r++)
            for (intptr_t t = 0; t < kernel_width; t++) total += (double)weight[r * kernel_width + t] * rows[r][i + t * dilation];
        y[i] = (float)total;
    }
}
