// Unary and binary element-wise loops. What has no vector form here goes to the scalar reference.
#include <string.h>
#include "math.h"
void unary_scalar(sn_unary operation, const float *x, float *y, intptr_t n);
void binary_scalar(sn_binary operation, const float *a, intptr_t a_step, const float *b, intptr_t b_step, float *y, intptr_t n);

// The tail passes through a vector-wide buffer, so that each element gets the same arithmetic wherever it stands.
#define UNARY(CASE_NAME, EXPRESSION)                                  \
    case CASE_NAME: {                                                 \
        intptr_t i = 0;                                               \
        for (; i + VW <= n; i += VW) {                                \
            vf v = v_load(x + i);                                     \
            v_store(y + i, EXPRESSION);                               \
        }                                                             \
        if (i < n) {                                                  \
            float tail[VW] = {0};                                     \
            memcpy(tail, x + i, (size_t)(n - i) * sizeof(float));     \
            vf v = v_load(tail);                                      \
            v_store(tail, EXPRESSION);                                \
            memcpy(y + i, tail, (size_t)(n - i) * sizeof(float));     \
        }                                                             \
        return;                                                       \
    }

void NAME(unary)(sn_unary operation, const float *x, float *y, intptr_t n) {
    switch (operation) {
        UNARY(SN_NEGATE, v_neg(v))
        UNARY(SN_ABS, v_abs(v))
        UNARY(SN_EXP, v_exp(v))
        UNARY(SN_SQRT, v_sqrt(v))
        UNARY(SN_RSQRT, v_div(v_set1(1.0f), v_sqrt(v)))
        UNARY(SN_TANH, v_tanh(v))
        UNARY(SN_SIGMOID, v_sigmoid(v))
        UNARY(SN_ERF, v_erf(v))
        UNARY(SN_RELU, v_max(v_set1(0.0f), v))  // x86 gives the second operand when one is NaN
        UNARY(SN_GELU, v_gelu(v))
        UNARY(SN_GELU_TANH, v_gelu_tanh(v))
        UNARY(SN_GELU_QUICK, v_gelu_quick(v))
        UNARY(SN_SILU, v_silu(v))
        UNARY(SN_FLOOR, v_floor(v))
        UNARY(SN_CEIL, v_ceil(v))
        UNARY(SN_ROUND, v_round(v))
        default: unary_scalar(operation, x, y, n);
    }
}

#define BINARY(CASE_NAME, EXPRESSION)                                                  \
    case CASE_NAME: {                                                                  \
        vf u = v_set1(n ? a[0] : 0.0f), w = v_set1(n ? b[0] : 0.0f);                   \
        for (; i + VW <= n; i += VW) {                                                 \
            if (a_step) u = v_load(a + i);                                             \
            if (b_step) w = v_load(b + i);                                             \
            v_store(y + i, EXPRESSION);                                                \
        }                                                                              \
        break;                                                                         \
    }

void NAME(binary)(sn_binary operation, const float *a, intptr_t a_step, const float *b, intptr_t b_step, float *y, intptr_t n) {
    intptr_t i = 0;
    switch (operation) {
        BINARY(SN_ADD, v_add(u, w))
        BINARY(SN_SUB, v_sub(u, w))
        BINARY(SN_MUL, v_mul(u, w))
        BINARY(SN_DIV, v_div(u, w))
        default: break;
    }
    if (i < n) binary_scalar(operation, a + (a_step ? i : 0), a_step, b + (b_step ? i : 0), b_step, y + i, n - i);
}
