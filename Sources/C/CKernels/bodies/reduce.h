// Reductions and row normalisations: one pass or two over a row that stays in cache.
#include "math.h"

float NAME(sum)(const float *x, intptr_t n) {
    vf s0 = v_set1(0.0f), s1 = s0;
    intptr_t i = 0;
    for (; i + 2 * VW <= n; i += 2 * VW) {
        s0 = v_add(s0, v_load(x + i));
        s1 = v_add(s1, v_load(x + i + VW));
    }
    float total = v_reduce_add(v_add(s0, s1));
    for (; i < n; i++) total += x[i];
    return total;
}

float NAME(max)(const float *x, intptr_t n) {
    float best = -__builtin_inff();
    intptr_t i = 0;
    if (n >= VW) {
        vf m = v_load(x);
        for (i = VW; i + VW <= n; i += VW) m = v_max(m, v_load(x + i));
        best = v_reduce_max(m);
    }
    for (; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

float NAME(dot)(const float *a, const float *b, intptr_t n) {
    vf s0 = v_set1(0.0f), s1 = s0, s2 = s0, s3 = s0;
    intptr_t i = 0;
    for (; i + 4 * VW <= n; i += 4 * VW) {
        s0 = v_fma(v_load(a + i), v_load(b + i), s0);
        s1 = v_fma(v_load(a + i + VW), v_load(b + i + VW), s1);
        s2 = v_fma(v_load(a + i + 2 * VW), v_load(b + i + 2 * VW), s2);
        s3 = v_fma(v_load(a + i + 3 * VW), v_load(b + i + 3 * VW), s3);
    }
    for (; i + VW <= n; i += VW) s0 = v_fma(v_load(a + i), v_load(b + i), s0);
    float total = v_reduce_add(v_add(v_add(s0, s1), v_add(s2, s3)));
    for (; i < n; i++) total += a[i] * b[i];
    return total;
}

float NAME(softmax_exp)(const float *x, float scale, float *y, intptr_t n) {
    vf factor = v_set1(scale);
    float best = -__builtin_inff();
    intptr_t i = 0;
    vf top = v_set1(best);
    for (; i + VW <= n; i += VW) top = v_max(top, v_mul(v_load(x + i), factor));
    best = v_reduce_max(top);
    for (intptr_t j = i; j < n; j++) best = x[j] * scale > best ? x[j] * scale : best;
    // A row that is masked everywhere stays finite: all weights are 0 and so is their sum.
    if (best == -__builtin_inff()) best = 0.0f;
    vf shift = v_set1(best), sum = v_set1(0.0f);
    for (i = 0; i + VW <= n; i += VW) {
        vf e = v_exp(v_sub(v_mul(v_load(x + i), factor), shift));
        v_store(y + i, e);
        sum = v_add(sum, e);
    }
    float total = v_reduce_add(sum);
    if (i < n) {
        float tail[VW];
        for (int j = 0; j < VW; j++) tail[j] = i + j < n ? x[i + j] : -__builtin_inff();
        v_store(tail, v_exp(v_sub(v_mul(v_load(tail), factor), shift)));
        for (int j = 0; i + j < n; j++) {
            y[i + j] = tail[j];
            total += tail[j];
        }
    }
    return total;
}

INLINE void NAME(affine)(const float *x, const float *weight, const float *bias, float mean, float factor, float *y, intptr_t n) {
    vf m = v_set1(mean), f = v_set1(factor);
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) {
        vf v = v_mul(v_sub(v_load(x + i), m), f);
        if (weight) v = v_mul(v, v_load(weight + i));
        if (bias) v = v_add(v, v_load(bias + i));
        v_store(y + i, v);
    }
    for (; i < n; i++) {
        float v = (x[i] - mean) * factor;
        if (weight) v *= weight[i];
        if (bias) v += bias[i];
        y[i] = v;
    }
}

void NAME(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon, float *y, intptr_t n) {
    float mean = NAME(sum)(x, n) / (float)n;
    vf m = v_set1(mean), squares = v_set1(0.0f);
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) {
        vf d = v_sub(v_load(x + i), m);
        squares = v_fma(d, d, squares);
    }
    float total = v_reduce_add(squares);
    for (; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
    NAME(affine)(x, weight, bias, mean, 1.0f / __builtin_sqrtf(total / (float)n + epsilon), y, n);
}

void NAME(rms_norm)(const float *x, const float *weight, float epsilon, float *y, intptr_t n) {
    float total = NAME(dot)(x, x, n);
    NAME(affine)(x, weight, 0, 0.0f, 1.0f / __builtin_sqrtf(total / (float)n + epsilon), y, n);
}

// Softmax of every column of s[rows][columns], columns a multiple of VW, continued over several blocks of rows: s becomes
// exp(s - top), where top (at first -inf) rises to the largest value so far; total adds up; factor is what everything computed
// with the earlier top must be multiplied with.
void NAME(softmax_columns)(float *s, intptr_t rows, intptr_t columns, float *top, float *total, float *factor) {
    for (intptr_t j = 0; j < columns; j += VW) {
        vf before = v_load(top + j), best = before;
        for (intptr_t i = 0; i < rows; i++) best = v_max(best, v_load(s + i * columns + j));
        v_store(top + j, best);
        // A column that is masked everywhere stays finite: all weights are 0 and so is their sum.
        vf shift = v_select(v_lt(best, v_set1(-3.4e38f)), v_set1(0.0f), best), sum = v_set1(0.0f);
        for (intptr_t i = 0; i < rows; i++) {
            vf e = v_exp(v_sub(v_load(s + i * columns + j), shift));
            v_store(s + i * columns + j, e);
            sum = v_add(sum, e);
        }
        vf old = v_exp(v_sub(before, shift));
        v_store(factor + j, old);
        v_store(total + j, v_fma(v_load(total + j), old, sum));
    }
}

// c[i][j] *= factor[j] over rows of `columns` elements, a multiple of VW.
void NAME(scale_columns)(float *c, intptr_t rows, intptr_t columns, const float *factor) {
    for (intptr_t j = 0; j < columns; j += VW) {
        vf f = v_load(factor + j);
        for (intptr_t i = 0; i < rows; i++) v_store(c + i * columns + j, v_mul(v_load(c + i * columns + j), f));
    }
}
