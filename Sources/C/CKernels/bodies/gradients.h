// Gradients of element-wise functions and of operations on rows.
#include <string.h>
#include "math.h"
#include "parts.h"
void unary_gradient_scalar(sn_unary operation, const float *x, const float *dy, float *dx, intptr_t n);

// tanh' and sigmoid' through exp(-|x|): 1 - tanh(x)^2 would lose all digits where tanh is nearly 1.
INLINE vf v_sigmoid_slope(vf x) {
    vf e = v_exp(v_neg(v_abs(x))), one = v_add(v_set1(1.0f), e);
    return v_div(e, v_mul(one, one));
}
INLINE vf v_tanh_slope(vf x) { return v_mul(v_set1(4.0f), v_sigmoid_slope(v_add(x, x))); }

INLINE vf v_gelu_slope(vf x) {
    vf whole = v_mul(v_set1(0.5f), v_add(v_set1(1.0f), v_erf(v_mul(x, v_set1(0.70710678118654752f)))));
    return v_fma(v_mul(x, v_set1(0.39894228040143268f)), v_exp(v_mul(v_mul(v_set1(-0.5f), x), x)), whole);
}

INLINE vf v_gelu_tanh_slope(vf x) {
    const vf c = v_set1(0.7978845608028654f), half = v_set1(0.5f), one = v_set1(1.0f);
    vf s = v_mul(x, x), inner = v_mul(c, v_fma(v_mul(v_set1(0.044715f), s), x, x));
    vf t = v_tanh(inner), slope = v_mul(c, v_fma(v_set1(3 * 0.044715f), s, one));
    vf square = v_sub(one, v_mul(t, t));
    // Where tanh is 1 the slope may be infinite.
    vf product = v_select(v_lt(v_set1(0.0f), square), v_mul(v_mul(v_mul(half, x), square), slope), v_set1(0.0f));
    return v_fma(half, v_add(one, t), product);
}

// Of x * sigmoid(scale * x).
INLINE vf v_gated_slope(vf x, float scale) {
    vf t = v_mul(v_set1(scale), x);
    return v_fma(t, v_sigmoid_slope(t), v_sigmoid(t));
}

INLINE vf v_rsqrt_slope(vf x) {
    vf r = v_div(v_set1(1.0f), v_sqrt(x));
    return v_mul(v_set1(-0.5f), v_mul(r, v_mul(r, r)));
}

INLINE vf v_sign(vf x) {
    vf zero = v_set1(0.0f), negative = v_select(v_lt(x, zero), v_set1(-1.0f), zero);
    return v_select(v_isnan(x), x, v_select(v_lt(zero, x), v_set1(1.0f), negative));
}

INLINE vf v_relu_gradient(vf x, vf dy) { return v_select(v_isnan(x), dy, v_select(v_lt(v_set1(0.0f), x), dy, v_set1(0.0f))); }

#define GRADIENT(CASE_NAME, EXPRESSION)                         \
    case CASE_NAME:                                             \
        for (intptr_t i = 0; i < n; i += VW) {                  \
            intptr_t count = n - i;                             \
            vf v = v_part(x + i, count), d = v_part(dy + i, count); \
            (void)v;                                            \
            v_put(dx + i, EXPRESSION, count);                   \
        }                                                       \
        return;

void NAME(unary_gradient)(sn_unary operation, const float *x, const float *dy, float *dx, intptr_t n) {
    switch (operation) {
        GRADIENT(SN_NEGATE, v_neg(d))
        GRADIENT(SN_ABS, v_mul(d, v_sign(v)))
        GRADIENT(SN_EXP, v_mul(d, v_exp(v)))
        GRADIENT(SN_LOG, v_div(d, v))
        GRADIENT(SN_SQRT, v_div(v_mul(v_set1(0.5f), d), v_sqrt(v)))
        GRADIENT(SN_RSQRT, v_mul(d, v_rsqrt_slope(v)))
        GRADIENT(SN_TANH, v_mul(d, v_tanh_slope(v)))
        GRADIENT(SN_SIGMOID, v_mul(d, v_sigmoid_slope(v)))
        GRADIENT(SN_ERF, v_mul(d, v_mul(v_set1(1.12837916709551257f), v_exp(v_neg(v_mul(v, v))))))
        GRADIENT(SN_RELU, v_relu_gradient(v, d))
        GRADIENT(SN_GELU, v_mul(d, v_gelu_slope(v)))
        GRADIENT(SN_GELU_TANH, v_mul(d, v_gelu_tanh_slope(v)))
        GRADIENT(SN_GELU_QUICK, v_mul(d, v_gated_slope(v, 1.702f)))
        GRADIENT(SN_SILU, v_mul(d, v_gated_slope(v, 1.0f)))
        default: unary_gradient_scalar(operation, x, dy, dx, n);
    }
}

// ---- normalisations. With u = x - mean, s the factor that scales it and g = dy * weight:
//   dx = s * (g - mean(g) - u * s^2 * mean(g * u)); RMS norm has no means of x and g.

typedef struct { float x, g; } PASTE(pair, LEVEL);

INLINE PASTE(pair, LEVEL) NAME(row_sums)(const float *x, const float *weight, const float *dy, intptr_t n) {
    vf sx = v_set1(0.0f), sg = sx;
    for (intptr_t i = 0; i < n; i += VW) {
        vf g = v_part(dy + i, n - i);
        if (weight) g = v_mul(g, v_part(weight + i, n - i));
        sx = v_add(sx, v_part(x + i, n - i));
        sg = v_add(sg, g);
    }
    return (PASTE(pair, LEVEL)){v_reduce_add(sx), v_reduce_add(sg)};
}

INLINE vf NAME(centred)(const float *x, float mean, intptr_t count) {
    if (count >= VW) return v_sub(v_load(x), v_set1(mean));
    float tail[VW] = {0};  // what lies beyond the row counts as nothing, not as -mean
    for (intptr_t j = 0; j < count; j++) tail[j] = x[j] - mean;
    return v_load(tail);
}

INLINE PASTE(pair, LEVEL) NAME(row_products)(const float *x, float mean, const float *weight, const float *dy, intptr_t n) {
    vf squares = v_set1(0.0f), products = squares;
    for (intptr_t i = 0; i < n; i += VW) {
        vf u = NAME(centred)(x + i, mean, n - i), g = v_part(dy + i, n - i);
        if (weight) g = v_mul(g, v_part(weight + i, n - i));
        squares = v_fma(u, u, squares);
        products = v_fma(g, u, products);
    }
    return (PASTE(pair, LEVEL)){v_reduce_add(squares), v_reduce_add(products)};
}

INLINE void NAME(norm_gradient)(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight,
                                float *dbias, PASTE(pair, LEVEL) mean, intptr_t n) {
    PASTE(pair, LEVEL) sums = NAME(row_products)(x, mean.x, weight, dy, n);
    float factor = 1.0f / __builtin_sqrtf(sums.x / (float)n + epsilon);
    vf s = v_set1(factor), slope = v_set1(-factor * factor * (sums.g / (float)n)), level = v_set1(mean.g);
    for (intptr_t i = 0; i < n; i += VW) {
        intptr_t count = n - i;
        vf u = NAME(centred)(x + i, mean.x, count), d = v_part(dy + i, count);
        if (dweight) v_put(dweight + i, v_fma(d, v_mul(u, s), v_part(dweight + i, count)), count);
        if (dbias) v_put(dbias + i, v_add(d, v_part(dbias + i, count)), count);
        if (!dx) continue;
        vf g = weight ? v_mul(d, v_part(weight + i, count)) : d;
        v_put(dx + i, v_mul(s, v_fma(u, slope, v_sub(g, level))), count);
    }
}

void NAME(layer_norm_gradient)(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight,
                               float *dbias, intptr_t n) {
    PASTE(pair, LEVEL) mean = NAME(row_sums)(x, weight, dy, n);
    mean.x /= (float)n;
    mean.g /= (float)n;
    NAME(norm_gradient)(x, weight, epsilon, dy, dx, dweight, dbias, mean, n);
}

void NAME(rms_norm_gradient)(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight, intptr_t n) {
    NAME(norm_gradient)(x, weight, epsilon, dy, dx, dweight, NULL, (PASTE(pair, LEVEL)){0.0f, 0.0f}, n);
}

// ---- softmax

void NAME(softmax_gradient)(const float *y, const float *dy, float *dx, intptr_t n) {
    vf sum = v_set1(0.0f);
    for (intptr_t i = 0; i < n; i += VW) sum = v_fma(v_part(y + i, n - i), v_part(dy + i, n - i), sum);
    vf level = v_set1(v_reduce_add(sum));
    for (intptr_t i = 0; i < n; i += VW)
        v_put(dx + i, v_mul(v_part(y + i, n - i), v_sub(v_part(dy + i, n - i), level)), n - i);
}

void NAME(log_softmax)(const float *x, float *y, intptr_t n) {
    const vf lowest = v_set1(-__builtin_inff());
    vf top = lowest, sum = v_set1(0.0f);
    for (intptr_t i = 0; i < n; i += VW) top = v_max(top, v_part_or(x + i, n - i, -__builtin_inff()));
    float best = v_reduce_max(top);
    if (best == -__builtin_inff()) best = 0.0f;
    vf shift = v_set1(best);
    for (intptr_t i = 0; i < n; i += VW) sum = v_add(sum, v_exp(v_sub(v_part_or(x + i, n - i, -__builtin_inff()), shift)));
    float total = v_reduce_add(sum);
    vf level = v_set1(best + (total == 0.0f ? 0.0f : __builtin_logf(total)));
    for (intptr_t i = 0; i < n; i += VW) v_put(y + i, v_sub(v_part(x + i, n - i), level), n - i);
}

void NAME(log_softmax_gradient)(const float *y, const float *dy, float *dx, intptr_t n) {
    vf sum = v_set1(0.0f);
    for (intptr_t i = 0; i < n; i += VW) sum = v_add(sum, v_part(dy + i, n - i));
    vf total = v_set1(v_reduce_add(sum));
    for (intptr_t i = 0; i < n; i += VW)
        v_put(dx + i, v_sub(v_part(dy + i, n - i), v_mul(v_exp(v_part(y + i, n - i)), total)), n - i);
}

void NAME(softmax_gradient_columns)(float *p, float *dp, intptr_t rows, intptr_t columns, const float *factor) {
    for (intptr_t j = 0; j < columns; j += VW) {
        vf f = v_load(factor + j), sum = v_set1(0.0f);
        for (intptr_t i = j; i < rows * columns; i += columns) {
            vf w = v_mul(v_load(p + i), f);
            v_store(p + i, w);
            sum = v_fma(w, v_load(dp + i), sum);
        }
        for (intptr_t i = j; i < rows * columns; i += columns) v_store(dp + i, v_mul(v_load(p + i), v_sub(v_load(dp + i), sum)));
    }
}

// ---- sums

// Four rows at a time, so that the sums are loaded and stored once for them.
void NAME(add_rows)(const float *x, intptr_t rows, intptr_t stride, float *out, intptr_t n) {
    for (; rows >= 4; rows -= 4, x += 4 * stride)
        for (intptr_t i = 0; i < n; i += VW) {
            intptr_t count = n - i;
            vf low = v_add(v_part(x + i, count), v_part(x + stride + i, count));
            vf high = v_add(v_part(x + 2 * stride + i, count), v_part(x + 3 * stride + i, count));
            v_put(out + i, v_add(v_part(out + i, count), v_add(low, high)), count);
        }
    for (; rows > 0; rows--, x += stride)
        for (intptr_t i = 0; i < n; i += VW) v_put(out + i, v_add(v_part(out + i, n - i), v_part(x + i, n - i)), n - i);
}

void NAME(add_scaled)(float *y, const float *x, float a, intptr_t n) {
    vf factor = v_set1(a);
    for (intptr_t i = 0; i < n; i += VW) v_put(y + i, v_fma(factor, v_part(x + i, n - i), v_part(y + i, n - i)), n - i);
}

// Sixteen sums, which the compiler keeps in vectors of doubles: every level adds in the same order.
double NAME(sum_of_squares)(const float *x, intptr_t n) {
    double sums[16] = {0}, total = 0;
    intptr_t i = 0;
    for (; i + 16 <= n; i += 16)
        _Pragma("clang loop vectorize(enable)") for (int j = 0; j < 16; j++) sums[j] += (double)x[i + j] * (double)x[i + j];
    for (; i < n; i++) sums[i % 16] += (double)x[i] * (double)x[i];
    for (int j = 0; j < 16; j++) total += sums[j];
    return total;
}

intptr_t NAME(count_not_finite)(const float *x, intptr_t n) {
    intptr_t found = 0;
    for (intptr_t i = 0; i < n;) {
        intptr_t end = n - i < 1 << 20 ? n : i + (1 << 20);
        uint32_t some = 0;
        for (; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            some += (bits & 0x7f800000u) == 0x7f800000u;
        }
        found += some;
    }
    return found;
}
