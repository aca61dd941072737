// One pass over a parameter, its gradient and its moments.
#include "math.h"
#include "parts.h"

// a + (b - a) * t
INLINE vf v_towards(vf a, vf b, vf t) { return v_fma(v_sub(b, a), t, a); }

void NAME(sgd)(float *w, const float *g, float *momentum, intptr_t n, const sn_step *s) {
    vf scale = v_set1(s->gradient_scale), decay = v_set1(s->decay), rate = v_set1(-s->rate);
    vf keep = v_set1(s->momentum), take = v_set1(1.0f - s->dampening);
    for (intptr_t i = 0; i < n; i += VW) {
        intptr_t count = n - i;
        vf value = v_part(w + i, count), d = v_fma(decay, value, v_mul(scale, v_part(g + i, count)));
        if (momentum) {
            vf m = s->first_step ? d : v_fma(keep, v_part(momentum + i, count), v_mul(take, d));
            v_put(momentum + i, m, count);
            d = s->nesterov ? v_fma(keep, m, d) : m;
        }
        v_put(w + i, v_fma(rate, d, value), count);
    }
}

// The moments; returns m / correction1 / (sqrt(v / correction2) + epsilon).
INLINE vf NAME(adam)(const float *g, float *m, float *v, intptr_t count, const sn_step *s) {
    vf d = v_mul(v_set1(s->gradient_scale), v_part(g, count));
    vf first = v_towards(v_part(m, count), d, v_set1(1.0f - s->beta1));
    vf second = v_fma(v_mul(v_set1(1.0f - s->beta2), d), d, v_mul(v_set1(s->beta2), v_part(v, count)));
    v_put(m, first, count);
    v_put(v, second, count);
    vf root = v_fma(v_sqrt(second), v_set1(1.0f / __builtin_sqrtf(s->correction2)), v_set1(s->epsilon));
    return v_div(v_mul(first, v_set1(1.0f / s->correction1)), root);
}

void NAME(adamw)(float *w, const float *g, float *m, float *v, intptr_t n, const sn_step *s) {
    vf rate = v_set1(-s->rate), keep = v_set1(1.0f - s->rate * s->decay);
    for (intptr_t i = 0; i < n; i += VW) {
        vf value = v_mul(keep, v_part(w + i, n - i));
        v_put(w + i, v_fma(rate, NAME(adam)(g + i, m + i, v + i, n - i, s), value), n - i);
    }
}

void NAME(lamb_direction)(const float *w, const float *g, float *m, float *v, float *direction, intptr_t n, const sn_step *s) {
    vf decay = v_set1(s->decay);
    for (intptr_t i = 0; i < n; i += VW)
        v_put(direction + i, v_fma(decay, v_part(w + i, n - i), NAME(adam)(g + i, m + i, v + i, n - i, s)), n - i);
}

void NAME(lion)(float *w, const float *g, float *m, intptr_t n, const sn_step *s) {
    vf scale = v_set1(s->gradient_scale), keep = v_set1(1.0f - s->rate * s->decay), zero = v_set1(0.0f);
    vf quick = v_set1(1.0f - s->beta1), slow = v_set1(1.0f - s->beta2), rate = v_set1(s->rate), back = v_set1(-s->rate);
    for (intptr_t i = 0; i < n; i += VW) {
        intptr_t count = n - i;
        vf d = v_mul(scale, v_part(g + i, count)), old = v_part(m + i, count), c = v_towards(old, d, quick);
        vf step = v_select(v_lt(zero, c), back, v_select(v_lt(c, zero), rate, zero));
        v_put(w + i, v_fma(keep, v_part(w + i, count), step), count);
        v_put(m + i, v_towards(old, d, slow), count);
    }
}
