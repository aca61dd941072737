// The intrinsic-free reference of the optimisers.
#include <math.h>
#include "sensorium_gradients.h"

void sgd_scalar(float *w, const float *g, float *momentum, intptr_t n, const sn_step *s) {
    for (intptr_t i = 0; i < n; i++) {
        float d = s->gradient_scale * g[i] + s->decay * w[i];
        if (momentum) {
            momentum[i] = s->first_step ? d : s->momentum * momentum[i] + (1.0f - s->dampening) * d;
            d = s->nesterov ? d + s->momentum * momentum[i] : momentum[i];
        }
        w[i] -= s->rate * d;
    }
}

static float adam(float g, float *m, float *v, const sn_step *s) {
    g *= s->gradient_scale;
    *m = s->beta1 * *m + (1.0f - s->beta1) * g;
    *v = s->beta2 * *v + (1.0f - s->beta2) * g * g;
    return *m / s->correction1 / (sqrtf(*v / s->correction2) + s->epsilon);
}

void adamw_scalar(float *w, const float *g, float *m, float *v, intptr_t n, const sn_step *s) {
    for (intptr_t i = 0; i < n; i++) w[i] = w[i] * (1.0f - s->rate * s->decay) - s->rate * adam(g[i], m + i, v + i, s);
}

void lamb_direction_scalar(const float *w, const float *g, float *m, float *v, float *direction, intptr_t n, const sn_step *s) {
    for (intptr_t i = 0; i < n; i++) direction[i] = adam(g[i], m + i, v + i, s) + s->decay * w[i];
}

void lion_scalar(float *w, const float *g, float *m, intptr_t n, const sn_step *s) {
    for (intptr_t i = 0; i < n; i++) {
        float d = s->gradient_scale * g[i], c = s->beta1 * m[i] + (1.0f - s->beta1) * d;
        w[i] = w[i] * (1.0f - s->rate * s->decay) - s->rate * (float)((c > 0) - (c < 0));
        m[i] = s->beta2 * m[i] + (1.0f - s->beta2) * d;
    }
}
