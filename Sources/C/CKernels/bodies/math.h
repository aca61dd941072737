// Vector transcendental functions, within a few units in the last place of libm on f32.
#include "names.h"

// Cephes: range reduction to [-ln2/2, ln2/2], a polynomial of degree 5.
INLINE vf v_exp(vf x) {
    const vf high = v_set1(88.3762626647949f), low = v_set1(-87.3365447504019f);
    vf t = v_min(v_max(x, low), high);
    vf n = v_round(v_mul(t, v_set1(1.44269504088896341f)));
    vf r = v_fma(n, v_set1(-0.693359375f), t);
    r = v_fma(n, v_set1(2.12194440e-4f), r);
    vf p = v_set1(1.9875691500e-4f);
    p = v_fma(p, r, v_set1(1.3981999507e-3f));
    p = v_fma(p, r, v_set1(8.3334519073e-3f));
    p = v_fma(p, r, v_set1(4.1665795894e-2f));
    p = v_fma(p, r, v_set1(1.6666665459e-1f));
    p = v_fma(p, r, v_set1(5.0000001201e-1f));
    p = v_add(v_fma(p, v_mul(r, r), r), v_set1(1.0f));
    vf y = v_scale2(p, v_min(n, v_set1(127.0f)));
    y = v_select(v_lt(x, v_set1(-87.3365447504019f)), v_set1(0.0f), y);
    y = v_select(v_lt(v_set1(88.7228f), x), v_set1(__builtin_inff()), y);
    return v_select(v_isnan(x), x, y);
}

INLINE vf v_sigmoid(vf x) { return v_div(v_set1(1.0f), v_add(v_set1(1.0f), v_exp(v_neg(x)))); }

// Near 0 the difference of exponentials loses digits, so an odd polynomial (Cephes tanhf) serves there.
INLINE vf v_tanh(vf x) {
    vf a = v_abs(x), s = v_mul(x, x);
    vf p = v_set1(-5.70498872745e-3f);
    p = v_fma(p, s, v_set1(2.06390887954e-2f));
    p = v_fma(p, s, v_set1(-5.37397155531e-2f));
    p = v_fma(p, s, v_set1(1.33314422036e-1f));
    p = v_fma(p, s, v_set1(-3.33332819422e-1f));
    vf small = v_fma(v_mul(p, s), x, x);
    vf big = v_sub(v_set1(1.0f), v_div(v_set1(2.0f), v_add(v_exp(v_add(a, a)), v_set1(1.0f))));
    big = v_select(v_lt(x, v_set1(0.0f)), v_neg(big), big);
    return v_select(v_lt(a, v_set1(0.625f)), small, big);
}

// Rational approximation on [-4, 4] (XLA's and Eigen's single-precision erf).
INLINE vf v_erf(vf x) {
    vf t = v_min(v_max(x, v_set1(-4.0f)), v_set1(4.0f)), s = v_mul(t, t);
    vf p = v_set1(-2.72614225801306e-10f);
    p = v_fma(p, s, v_set1(2.77068142495902e-08f));
    p = v_fma(p, s, v_set1(-2.10102402082508e-06f));
    p = v_fma(p, s, v_set1(-5.69250639462346e-05f));
    p = v_fma(p, s, v_set1(-7.34990630326855e-04f));
    p = v_fma(p, s, v_set1(-2.95459980854025e-03f));
    p = v_fma(p, s, v_set1(-1.60960333262415e-02f));
    p = v_mul(p, t);
    vf q = v_set1(-1.45660718464996e-05f);
    q = v_fma(q, s, v_set1(-2.13374055278905e-04f));
    q = v_fma(q, s, v_set1(-1.68282697438203e-03f));
    q = v_fma(q, s, v_set1(-7.37332916720468e-03f));
    q = v_fma(q, s, v_set1(-1.42647390514189e-02f));
    return v_select(v_isnan(x), x, v_div(p, q));
}

INLINE vf v_gelu(vf x) { return v_mul(v_mul(v_set1(0.5f), x), v_add(v_set1(1.0f), v_erf(v_mul(x, v_set1(0.70710678118654752f))))); }

INLINE vf v_gelu_tanh(vf x) {
    vf inner = v_mul(v_set1(0.7978845608028654f), v_fma(v_mul(v_set1(0.044715f), v_mul(x, x)), x, x));
    return v_mul(v_mul(v_set1(0.5f), x), v_add(v_set1(1.0f), v_tanh(inner)));
}

INLINE vf v_gelu_quick(vf x) { return v_mul(x, v_sigmoid(v_mul(v_set1(1.702f), x))); }
INLINE vf v_silu(vf x) { return v_mul(x, v_sigmoid(x)); }
