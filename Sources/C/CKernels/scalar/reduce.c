// The intrinsic-free reference of reductions and row normalisations.
#include <math.h>
#include "sensorium_kernels.h"

float sum_scalar(const float *x, intptr_t n) {
    double total = 0;
    for (intptr_t i = 0; i < n; i++) total += x[i];
    return (float)total;
}

float max_scalar(const float *x, intptr_t n) {
    float best = -INFINITY;
    for (intptr_t i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

float dot_scalar(const float *a, const float *b, intptr_t n) {
    double total = 0;
    for (intptr_t i = 0; i < n; i++) total += (double)a[i] * b[i];
    return (float)total;
}

float softmax_exp_scalar(const float *x, float scale, float *y, intptr_t n) {
    float best = -INFINITY;
    double total = 0;
    for (intptr_t i = 0; i < n; i++) best = x[i] * scale > best ? x[i] * scale : best;
    if (best == -INFINITY) best = 0;
    for (intptr_t i = 0; i < n; i++) {
        y[i] = expf(x[i] * scale - best);
        total += y[i];
    }
    return (float)total;
}

static void affine(const float *x, const float *weight, const float *bias, double mean, double factor, float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        float v = (float)((x[i] - mean) * factor);
        y[i] = v * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
    }
}

void layer_norm_scalar(const float *x, const float *weight, const float *bias, float epsilon, float *y, intptr_t n) {
    double mean = 0, squares = 0;
    for (intptr_t i = 0; i < n; i++) mean += x[i];
    mean /= (double)n;
    for (intptr_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    affine(x, weight, bias, mean, 1.0 / sqrt(squares / (double)n + epsilon), y, n);
}

void rms_norm_scalar(const float *x, const float *weight, float epsilon, float *y, intptr_t n) {
    double squares = 0;
    for (intptr_t i = 0; i < n; i++) squares += (double)x[i] * x[i];
    affine(x, weight, 0, 0, 1.0 / sqrt(squares / (double)n + epsilon), y, n);
}

void softmax_columns_scalar(float *s, intptr_t rows, intptr_t columns, float *top, float *total, float *factor) {
    for (intptr_t j = 0; j < columns; j++) {
        float before = top[j], sum = 0;
        for (intptr_t i = 0; i < rows; i++) top[j] = s[i * columns + j] > top[j] ? s[i * columns + j] : top[j];
        float shift = top[j] < -3.4e38f ? 0.0f : top[j];
        for (intptr_t i = 0; i < rows; i++) sum += s[i * columns + j] = expf(s[i * columns + j] - shift);
        factor[j] = expf(before - shift);
        total[j] = total[j] * factor[j] + sum;
    }
}

void scale_columns_scalar(float *c, intptr_t rows, intptr_t columns, const float *factor) {
    for (intptr_t i = 0; i < rows; i++)
        for (intptr_t j = 0; j < columns; j++) c[i * columns + j] *= factor[j];
}
