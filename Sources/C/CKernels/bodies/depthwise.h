// A 2-d convolution of one channel: rows of output vectors, the taps of the kernel inside.
#include "math.h"

// Output columns [from, to) of one row, whose windows lie inside the picture. `rows` are the input rows under the taps.
void NAME(depthwise_row)(const float *const *rows, intptr_t kernel_height, intptr_t kernel_width, intptr_t dilation, const float *weight,
                         float bias, float *y, intptr_t n) {
    intptr_t i = 0;
    if (kernel_height == 3 && kernel_width == 3) {
        vf w[9], b = v_set1(bias);
        for (int t = 0; t < 9; t++) w[t] = v_set1(weight[t]);
        for (; i + VW <= n; i += VW) {
            vf s = b, u = v_mul(w[3], v_load(rows[1] + i)), v = v_mul(w[6], v_load(rows[2] + i));
            for (int t = 0; t < 3; t++) s = v_fma(w[t], v_load(rows[0] + i + t * dilation), s);
            for (int t = 1; t < 3; t++) u = v_fma(w[3 + t], v_load(rows[1] + i + t * dilation), u);
            for (int t = 1; t < 3; t++) v = v_fma(w[6 + t], v_load(rows[2] + i + t * dilation), v);
            v_store(y + i, v_add(s, v_add(u, v)));
        }
    }
    for (; i + VW <= n; i += VW) {
        vf s = v_set1(bias);
        for (intptr_t r = 0; r < kernel_height; r++)
            for (intptr_t t = 0; t < kernel_width; t++)
                s = v_fma(v_set1(weight[r * kernel_width + t]), v_load(rows[r] + i + t * dilation), s);
        v_store(y + i, s);
    }
    for (; i < n; i++) {
        float s = bias;
        for (intptr_t r = 0; r < kernel_height; r++)
            for (intptr_t t = 0; t < kernel_width; t++) s += weight[r * kernel_width + t] * rows[r][i + t * dilation];
        y[i] = s;
    }
}
