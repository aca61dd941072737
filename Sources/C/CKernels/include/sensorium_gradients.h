// What training adds to the engine: gradients of its kernels, sums over the elements of parameters, optimisers.
// Everything runs on the pool, and gives the same bits whatever the number of threads: how sums are cut up follows from shapes alone.
#ifndef SENSORIUM_GRADIENTS_H
#define SENSORIUM_GRADIENTS_H
#include "sensorium_kernels.h"

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// ---- element-wise and over rows

// dx[i] = dy[i] * f'(x[i]); dx may be dy. Floor, ceil and round give 0, abs the sign of x, relu 0 at 0.
void sn_unary_gradient_all(sn_unary operation, const float *x, const float *dy, float *dx, intptr_t n);
// Rows of n. dweight and dbias [n] are written, not added to. Mean and variance are computed again.
void sn_layer_norm_gradient_rows(const float *x, const float *_Nullable weight, float epsilon, const float *dy, float *_Nullable dx,
                                 float *_Nullable dweight, float *_Nullable dbias, intptr_t rows, intptr_t n);
void sn_rms_norm_gradient_rows(const float *x, const float *_Nullable weight, float epsilon, const float *dy, float *_Nullable dx,
                               float *_Nullable dweight, intptr_t rows, intptr_t n);
// Of y, the softmax: dx = y * (dy - sum(dy * y)).
void sn_softmax_gradient_rows(const float *y, const float *dy, float *dx, intptr_t rows, intptr_t n);
// y = x - log(sum(exp(x))); a row of -inf alone stays so.
void sn_log_softmax_rows(const float *x, float *y, intptr_t rows, intptr_t n);
// Of y, the logarithm of the softmax: dx = dy - exp(y) * sum(dy).
void sn_log_softmax_gradient_rows(const float *y, const float *dy, float *dx, intptr_t rows, intptr_t n);
// out[j] = sum of x[i][j] over rows of n: the gradient of a bias.
void sn_sum_columns(const float *x, intptr_t rows, intptr_t n, float *out);
// table[index[i]][...] += dy[i][...] for i < count in that order, from a table of zeros: the gradient of an embedding. Rows of
// width; an index outside 0..<rows adds nothing.
void sn_scatter_add_rows(const int64_t *index, const float *dy, intptr_t count, intptr_t width, float *table, intptr_t rows);

// ---- sums over parameters
// y += a * x
void sn_add_scaled(float *y, const float *x, float a, intptr_t n);
double sn_sum_of_squares(const float *x, intptr_t n);
// Elements that are NaN or infinite.
intptr_t sn_count_not_finite(const float *x, intptr_t n);

// ---- attention, convolution, pooling

// Of sn_attention with the same shape. `dout` has the strides o_* of its result; dq, dk and dv have the strides q_*, k_* and v_* of
// `places`, and are written, not added to.
void sn_attention_gradient(const float *q, const float *k, const float *v, const float *dout, float *dq, float *dk, float *dv,
                           const sn_attention_shape *shape, const sn_attention_shape *places);
// Of sn_conv2d without activation. dbias [out_channels] is the sum over pictures and places.
void sn_conv2d_gradient(const float *x, const float *weight, const float *dy, float *_Nullable dx, float *_Nullable dweight,
                        float *_Nullable dbias, const sn_conv_shape *shape);
// The first of the largest values under a window takes its gradient.
void sn_max_pool2d_gradient(const float *x, const float *dy, float *dx, const sn_conv_shape *shape);
void sn_mean_pool2d_gradient(const float *dy, float *dx, const sn_conv_shape *shape, intptr_t pad_bottom, intptr_t pad_right,
                             int count_padding);

// ---- optimisers, in place on n elements; the gradient is multiplied with gradient_scale first

// torch.optim.SGD. `momentum` may be NULL where momentum_factor is 0; the first step fills it.
void sn_sgd(float *w, const float *g, float *_Nullable momentum, intptr_t n, float rate, float momentum_factor, float dampening,
            int nesterov, float decay, float gradient_scale, int first_step);
// torch.optim.AdamW; step counts from 1.
void sn_adamw(float *w, const float *g, float *m, float *v, intptr_t n, float rate, float beta1, float beta2, float epsilon, float decay,
              intptr_t step, float gradient_scale);
// Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms".
void sn_lion(float *w, const float *g, float *m, intptr_t n, float rate, float beta1, float beta2, float decay, float gradient_scale);
// You et al. 2020, "Large Batch Optimization for Deep Learning"; the n elements are one layer. scratch [n] is overwritten.
void sn_lamb(float *w, const float *g, float *m, float *v, float *scratch, intptr_t n, float rate, float beta1, float beta2, float epsilon,
             float decay, intptr_t step, float gradient_scale);

// ---- the kernels of one instruction set

// Numbers of one step of an optimiser; decay is of weights (AdamW, Lion: times rate), correction1 and 2 are 1 - beta^step.
typedef struct {
    float rate, beta1, beta2, epsilon, decay, gradient_scale, correction1, correction2, momentum, dampening;
    int32_t nesterov, first_step;
} sn_step;

typedef struct {
    const char *name;
    void (*unary_gradient)(sn_unary operation, const float *x, const float *dy, float *dx, intptr_t n);
    // One row; dweight and dbias are added to.
    void (*layer_norm_gradient)(const float *x, const float *_Nullable weight, float epsilon, const float *dy, float *_Nullable dx,
                                float *_Nullable dweight, float *_Nullable dbias, intptr_t n);
    void (*rms_norm_gradient)(const float *x, const float *_Nullable weight, float epsilon, const float *dy, float *_Nullable dx,
                              float *_Nullable dweight, intptr_t n);
    void (*softmax_gradient)(const float *y, const float *dy, float *dx, intptr_t n);
    void (*log_softmax)(const float *x, float *y, intptr_t n);
    void (*log_softmax_gradient)(const float *y, const float *dy, float *dx, intptr_t n);
    // out[j] += the sum of x[i * stride + j] over i < rows, for j < n
    void (*add_rows)(const float *x, intptr_t rows, intptr_t stride, float *out, intptr_t n);
    // p *= factor for each column; dp becomes p * (dp - sum of p * dp over the column). Columns are a multiple of the level's vw.
    void (*softmax_gradient_columns)(float *p, float *dp, intptr_t rows, intptr_t columns, const float *factor);
    void (*add_scaled)(float *y, const float *x, float a, intptr_t n);
    double (*sum_of_squares)(const float *x, intptr_t n);
    intptr_t (*count_not_finite)(const float *x, intptr_t n);
    void (*sgd)(float *w, const float *g, float *_Nullable momentum, intptr_t n, const sn_step *step);
    void (*adamw)(float *w, const float *g, float *m, float *v, intptr_t n, const sn_step *step);
    void (*lion)(float *w, const float *g, float *m, intptr_t n, const sn_step *step);
    // Moments, and the direction before it is scaled by the ratio of norms.
    void (*lamb_direction)(const float *w, const float *g, float *m, float *v, float *direction, intptr_t n, const sn_step *step);
} sn_gradient_table;

// The table of the chosen level (see sn_kernels).
const sn_gradient_table *sn_gradients(void);
// The table of a level by name; NULL where the build or the CPU lacks it.
const sn_gradient_table *_Nullable sn_gradients_named(const char *name);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
#endif
