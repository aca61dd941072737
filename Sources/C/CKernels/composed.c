// Operations over many rows: the pool on top, a kernel of the table below.
#include <math.h>
#include <string.h>
#include "scratch.h"
#include "sensorium_kernels.h"

enum { GRAIN = 8192 };  // elements worth waking a thread for

typedef struct {
    const float *x, *weight, *bias;
    float *y, epsilon;
    intptr_t n;
    sn_unary operation;
    const sn_kernel_table *kernels;
} row_job;

static void unary_range(void *context, intptr_t start, intptr_t end) {
    const row_job *job = context;
    job->kernels->unary(job->operation, job->x + start, job->y + start, end - start);
}

void sn_unary_all(sn_unary operation, const float *x, float *y, intptr_t n) {
    row_job job = {x, NULL, NULL, y, 0, n, operation, sn_kernels()};
    sn_parallel_for(n, GRAIN, unary_range, &job);
}

static void layer_norm_range(void *context, intptr_t start, intptr_t end) {
    const row_job *j = context;
    for (intptr_t i = start; i < end; i++) j->kernels->layer_norm(j->x + i * j->n, j->weight, j->bias, j->epsilon, j->y + i * j->n, j->n);
}

void sn_layer_norm_rows(const float *x, const float *weight, const float *bias, float epsilon, float *y, intptr_t rows, intptr_t n) {
    row_job job = {x, weight, bias, y, epsilon, n, SN_NEGATE, sn_kernels()};
    sn_parallel_for(rows, 1 + GRAIN / (n + 1), layer_norm_range, &job);
}

static void rms_norm_range(void *context, intptr_t start, intptr_t end) {
    const row_job *j = context;
    for (intptr_t i = start; i < end; i++) j->kernels->rms_norm(j->x + i * j->n, j->weight, j->epsilon, j->y + i * j->n, j->n);
}

void sn_rms_norm_rows(const float *x, const float *weight, float epsilon, float *y, intptr_t rows, intptr_t n) {
    row_job job = {x, weight, NULL, y, epsilon, n, SN_NEGATE, sn_kernels()};
    sn_parallel_for(rows, 1 + GRAIN / (n + 1), rms_norm_range, &job);
}

static void softmax_range(void *context, intptr_t start, intptr_t end) {
    const row_job *j = context;
    for (intptr_t i = start; i < end; i++) {
        float *y = j->y + i * j->n;
        float total = j->kernels->softmax_exp(j->x + i * j->n, 1.0f, y, j->n);
        float factor = total > 0 ? 1.0f / total : 0.0f;
        j->kernels->binary(SN_MUL, y, 1, &factor, 0, y, j->n);
    }
}

void sn_softmax_rows(const float *x, float *y, intptr_t rows, intptr_t n) {
    row_job job = {x, NULL, NULL, y, 0, n, SN_NEGATE, sn_kernels()};
    sn_parallel_for(rows, 1 + GRAIN / (n + 1), softmax_range, &job);
}
