// The intrinsic-free reference of the element-wise operations.
#include <math.h>
#include "sensorium_kernels.h"

static float apply(sn_unary operation, float x) {
    switch (operation) {
        case SN_NEGATE: return -x;
        case SN_ABS: return fabsf(x);
        case SN_EXP: return expf(x);
        case SN_LOG: return logf(x);
        case SN_SQRT: return sqrtf(x);
        case SN_RSQRT: return 1.0f / sqrtf(x);
        case SN_TANH: return tanhf(x);
        case SN_SIGMOID: return 1.0f / (1.0f + expf(-x));
        case SN_ERF: return erff(x);
        case SN_SIN: return sinf(x);
        case SN_COS: return cosf(x);
        case SN_RELU: return x < 0.0f ? 0.0f : x;  // NaN stays
        case SN_GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
        case SN_GELU_TANH: return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
        case SN_GELU_QUICK: return x / (1.0f + expf(-1.702f * x));
        case SN_SILU: return x / (1.0f + expf(-x));
        case SN_FLOOR: return floorf(x);
        case SN_CEIL: return ceilf(x);
        case SN_ROUND: return nearbyintf(x);
        case SN_UNARY_COUNT: break;
    }
    return x;
}

void unary_scalar(sn_unary operation, const float *x, float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) y[i] = apply(operation, x[i]);
}

void binary_scalar(sn_binary operation, const float *a, intptr_t a_step, const float *b, intptr_t b_step, float *y, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) {
        float u = a[i * a_step], w = b[i * b_step];
        switch (operation) {
            case SN_ADD: y[i] = u + w; break;
            case SN_SUB: y[i] = u - w; break;
            case SN_MUL: y[i] = u * w; break;
            case SN_DIV: y[i] = u / w; break;
            // NaN wins, as in the reference framework
            case SN_MAX: y[i] = u > w || u != u ? u : w; break;
            case SN_MIN: y[i] = u < w || u != u ? u : w; break;
            case SN_POW: y[i] = powf(u, w); break;
            case SN_BINARY_COUNT: break;
        }
    }
}
