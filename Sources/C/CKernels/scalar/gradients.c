// The intrinsic-free reference of the gradients.
#include <math.h>
#include "sensorium_gradients.h"

static const double ROOT_2_PI = 0.79788456080286535588;  // sqrt(2 / pi)

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double slope(sn_unary operation, double x) {
    double t, inner;
    switch (operation) {
        case SN_NEGATE: return -1;
        case SN_ABS: return x > 0 ? 1 : x < 0 ? -1 : x;
        case SN_EXP: return exp(x);
        case SN_LOG: return 1 / x;
        case SN_SQRT: return 0.5 / sqrt(x);
        case SN_RSQRT: return -0.5 / (x * sqrt(x));
        case SN_TANH: t = cosh(x); return 1 / (t * t);
        case SN_SIGMOID: return sigmoid(x) * sigmoid(-x);
        case SN_ERF: return M_2_SQRTPI * exp(-x * x);
        case SN_SIN: return cos(x);
        case SN_COS: return -sin(x);
        case SN_RELU: return x <= 0 ? 0 : 1;
        case SN_GELU: return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * 0.5 * ROOT_2_PI * exp(-0.5 * x * x);
        case SN_GELU_TANH:
            inner = ROOT_2_PI * (x + 0.044715 * x * x * x);
            t = tanh(inner);
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT_2_PI * (1 + 3 * 0.044715 * x * x);
        case SN_GELU_QUICK: t = 1.702 * x; return sigmoid(t) + t * sigmoid(t) * sigmoid(-t);
        case SN_SILU: return sigmoid(x) + x * sigmoid(x) * sigmoid(-x);
        case SN_FLOOR: case SN_CEIL: case SN_ROUND: case SN_UNARY_COUNT: break;
    }
    return 0;
}

void unary_gradient_scalar(sn_unary operation, const float *x, const float *dy, float *dx, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) dx[i] = (float)(dy[i] * slope(operation, x[i]));
}

// With centre the gradient of layer norm, else that of RMS norm.
static void norm_gradient(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight, float *dbias,
                          intptr_t n, bool centre) {
    double mean = 0, squares = 0, level = 0, along = 0;
    for (intptr_t i = 0; centre && i < n; i++) mean += x[i] / (double)n;
    for (intptr_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    double factor = 1 / sqrt(squares / (double)n + epsilon);
    for (intptr_t i = 0; i < n; i++) {
        double g = dy[i] * (weight ? weight[i] : 1.0);
        level += centre ? g / (double)n : 0;
        along += g * (x[i] - mean) * factor / (double)n;
    }
    for (intptr_t i = 0; i < n; i++) {
        double normal = (x[i] - mean) * factor, g = dy[i] * (weight ? weight[i] : 1.0);
        if (dweight) dweight[i] += (float)(dy[i] * normal);
        if (dbias) dbias[i] += dy[i];
        if (dx) dx[i] = (float)(factor * (g - level - normal * along));
    }
}

void layer_norm_gradient_scalar(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight,
                                float *dbias, intptr_t n) {
    norm_gradient(x, weight, epsilon, dy, dx, dweight, dbias, n, true);
}

void rms_norm_gradient_scalar(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight, intptr_t n) {
    norm_gradient(x, weight, epsilon, dy, dx, dweight, NULL, n, false);
}

void softmax_gradient_scalar(const float *y, const float *dy, float *dx, intptr_t n) {
    double sum = 0;
    for (intptr_t i = 0; i < n; i++) sum += (double)y[i] * dy[i];
    for (intptr_t i = 0; i < n; i++) dx[i] = (float)(y[i] * (dy[i] - sum));
}

void log_softmax_scalar(const float *x, float *y, intptr_t n) {
    double best = -INFINITY, total = 0;
    for (intptr_t i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
    if (best == -INFINITY) best = 0;
    for (intptr_t i = 0; i < n; i++) total += exp(x[i] - best);
    double level = best + (total == 0 ? 0 : log(total));
    for (intptr_t i = 0; i < n; i++) y[i] = (float)(x[i] - level);
}

void log_softmax_gradient_scalar(const float *y, const float *dy, float *dx, intptr_t n) {
    double sum = 0;
    for (intptr_t i = 0; i < n; i++) sum += dy[i];
    for (intptr_t i = 0; i < n; i++) dx[i] = (float)(dy[i] - exp(y[i]) * sum);
}

void softmax_gradient_columns_scalar(float *p, float *dp, intptr_t rows, intptr_t columns, const float *factor) {
    for (intptr_t j = 0; j < columns; j++) {
        double sum = 0;
        for (intptr_t i = 0; i < rows; i++) {
            p[i * columns + j] *= factor[j];
            sum += (double)p[i * columns + j] * dp[i * columns + j];
        }
        for (intptr_t i = 0; i < rows; i++) dp[i * columns + j] = (float)(p[i * columns + j] * (dp[i * columns + j] - sum));
    }
}

void add_rows_scalar(const float *x, intptr_t rows, intptr_t stride, float *out, intptr_t n) {
    for (intptr_t i = 0; i < rows; i++)
        for (intptr_t j = 0; j < n; j++) out[j] += x[i * stride + j];
}

void add_scaled_scalar(float *y, const float *x, float a, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) y[i] += a * x[i];
}

double sum_of_squares_scalar(const float *x, intptr_t n) {
    double total = 0;
    for (intptr_t i = 0; i < n; i++) total += (double)x[i] * x[i];
    return total;
}

intptr_t count_not_finite_scalar(const float *x, intptr_t n) {
    intptr_t found = 0;
    for (intptr_t i = 0; i < n; i++) found += !isfinite(x[i]);
    return found;
}
