// Optimisers: element-wise steps on the pool.
#include <math.h>
#include "sensorium_gradients.h"

enum { GRAIN = 8192 };

typedef struct {
    float *w, *m, *v, *direction;
    const float *g;
    sn_step step;
    const sn_gradient_table *f;
} step_job;

static void sgd_range(void *context, intptr_t start, intptr_t end) {
    const step_job *j = context;
    j->f->sgd(j->w + start, j->g + start, j->m ? j->m + start : NULL, end - start, &j->step);
}

void sn_sgd(float *w, const float *g, float *momentum, intptr_t n, float rate, float momentum_factor, float dampening, int nesterov,
            float decay, float gradient_scale, int first_step) {
    sn_step step = {.rate = rate, .decay = decay, .gradient_scale = gradient_scale, .momentum = momentum_factor, .dampening = dampening,
                    .nesterov = nesterov, .first_step = first_step};
    step_job job = {.w = w, .g = g, .m = momentum_factor != 0 ? momentum : NULL, .step = step, .f = sn_gradients()};
    sn_parallel_for(n, GRAIN, sgd_range, &job);
}

static sn_step adam_step(float rate, float beta1, float beta2, float epsilon, float decay, intptr_t step, float gradient_scale) {
    return (sn_step){.rate = rate, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .decay = decay, .gradient_scale = gradient_scale,
                     .correction1 = (float)(1 - pow(beta1, (double)step)), .correction2 = (float)(1 - pow(beta2, (double)step))};
}

static void adamw_range(void *context, intptr_t start, intptr_t end) {
    const step_job *j = context;
    j->f->adamw(j->w + start, j->g + start, j->m + start, j->v + start, end - start, &j->step);
}

void sn_adamw(float *w, const float *g, float *m, float *v, intptr_t n, float rate, float beta1, float beta2, float epsilon, float decay,
              intptr_t step, float gradient_scale) {
    step_job job = {.w = w, .g = g, .m = m, .v = v, .step = adam_step(rate, beta1, beta2, epsilon, decay, step, gradient_scale),
                    .f = sn_gradients()};
    sn_parallel_for(n, GRAIN, adamw_range, &job);
}

static void lion_range(void *context, intptr_t start, intptr_t end) {
    const step_job *j = context;
    j->f->lion(j->w + start, j->g + start, j->m + start, end - start, &j->step);
}

void sn_lion(float *w, const float *g, float *m, intptr_t n, float rate, float beta1, float beta2, float decay, float gradient_scale) {
    sn_step step = {.rate = rate, .beta1 = beta1, .beta2 = beta2, .decay = decay, .gradient_scale = gradient_scale};
    step_job job = {.w = w, .g = g, .m = m, .step = step, .f = sn_gradients()};
    sn_parallel_for(n, GRAIN, lion_range, &job);
}

static void lamb_range(void *context, intptr_t start, intptr_t end) {
    const step_job *j = context;
    j->f->lamb_direction(j->w + start, j->g + start, j->m + start, j->v + start, j->direction + start, end - start, &j->step);
}

void sn_lamb(float *w, const float *g, float *m, float *v, float *scratch, intptr_t n, float rate, float beta1, float beta2, float epsilon,
             float decay, intptr_t step, float gradient_scale) {
    step_job job = {.w = w, .g = g, .m = m, .v = v, .direction = scratch,
                    .step = adam_step(rate, beta1, beta2, epsilon, decay, step, gradient_scale), .f = sn_gradients()};
    sn_parallel_for(n, GRAIN, lamb_range, &job);
    double weights = sqrt(sn_sum_of_squares(w, n)), direction = sqrt(sn_sum_of_squares(scratch, n));
    double ratio = weights > 0 && direction > 0 ? weights / direction : 1;
    sn_add_scaled(w, scratch, (float)(-rate * ratio), n);
}
