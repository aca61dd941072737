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

// ---- attention: a block of queries of one head at a time; its scores stay in the cache of the core.
enum { QUERY_BLOCK = 96 };
typedef struct { const float *q, *k, *v; float *out; const sn_attention_shape *s; intptr_t blocks; } attention_job;

static void multiply(const sn_kernel_table *f, intptr_t m, intptr_t n, intptr_t k, const float *a, intptr_t a_row, const float *packed,
                     float *c, intptr_t ldc, float *left) {
    float edge[12 * 48];
    for (intptr_t i = 0; i < m; i += f->mr) {
        intptr_t rows = m - i < f->mr ? m - i : f->mr;
        for (intptr_t r = 0; r < rows; r++)
            for (intptr_t p = 0; p < k; p++) left[p * rows + r] = a[(i + r) * a_row + p];
        for (intptr_t j = 0; j < n; j += f->nr) {
            intptr_t columns = n - j < f->nr ? n - j : f->nr;
            if (columns == f->nr) {
                f->gemm_tile((int32_t)rows, k, left, packed + j * k, c + i * ldc + j, ldc, false);
                continue;
            }
            f->gemm_tile((int32_t)rows, k, left, packed + j * k, edge, f->nr, false);
            for (intptr_t r = 0; r < rows; r++) memcpy(c + (i + r) * ldc + j, edge + r * f->nr, (size_t)columns * 4);
        }
    }
}

static void weigh(const sn_kernel_table *f, const sn_attention_shape *s, intptr_t batch, intptr_t head, intptr_t query, float *row) {
    intptr_t visible = s->keys;
    if (s->causal) {
        visible = query + 1 + s->keys - s->queries;
        if (visible < 0) visible = 0;
        if (visible > s->keys) visible = s->keys;
    }
    float scale = s->scale;
    if (s->mask) {
        f->binary(SN_MUL, row, 1, &scale, 0, row, visible);
        f->binary(SN_ADD, row, 1, s->mask + batch * s->mask_batch + head * s->mask_head + query * s->mask_row, 1, row, visible);
        scale = 1.0f;
    }
    float total = f->softmax_exp(row, scale, row, visible);
    float factor = total > 0 ? 1.0f / total : 0.0f;
    f->binary(SN_MUL, row, 1, &factor, 0, row, visible);
    for (intptr_t j = visible; j < s->keys; j++) row[j] = 0;
}

static void attention_range(void *context, intptr_t start, intptr_t end) {
    const attention_job *job = context;
    const sn_attention_shape *s = job->s;
    const sn_kernel_table *f = sn_kernels();
    intptr_t key_floats = sn_packed_size(s->keys, s->width), value_floats = sn_packed_size(s->value_width, s->keys);
    float *keys = sn_scratch(SCRATCH_RIGHT, key_floats + value_floats), *values = keys + key_floats;
    intptr_t longest = s->keys > s->width ? s->keys : s->width;
    float *left = sn_scratch(SCRATCH_TILE, f->mr * longest), *scores = sn_scratch(SCRATCH_SCORES, QUERY_BLOCK * s->keys);
    intptr_t packed = -1;
    for (intptr_t task = start; task < end; task++) {
        intptr_t block = task % job->blocks, head = task / job->blocks % s->heads, batch = task / job->blocks / s->heads;
        intptr_t source = head / (s->heads / s->key_heads);
        if (packed != batch * s->key_heads + source) {
            packed = batch * s->key_heads + source;
            sn_pack_right(job->k + batch * s->k_batch + source * s->k_head, s->keys, s->width, s->k_row, 1, keys);
            sn_pack_right(job->v + batch * s->v_batch + source * s->v_head, s->value_width, s->keys, 1, s->v_row, values);
        }
        intptr_t first = block * QUERY_BLOCK, rows = s->queries - first < QUERY_BLOCK ? s->queries - first : QUERY_BLOCK;
        multiply(f, rows, s->keys, s->width, job->q + batch * s->q_batch + head * s->q_head + first * s->q_row, s->q_row, keys, scores, s->keys, left);
        for (intptr_t i = 0; i < rows; i++) weigh(f, s, batch, head, first + i, scores + i * s->keys);
        multiply(f, rows, s->value_width, s->keys, scores, s->keys, values,
                 job->out + batch * s->o_batch + head * s->o_head + first * s->o_row, s->o_row, left);
    }
}

void sn_attention(const float *q, const float *k, const float *v, float *out, const sn_attention_shape *shape) {
    attention_job job = {q, k, v, out, shape, (shape->queries + QUERY_BLOCK - 1) / QUERY_BLOCK};
    // All blocks of a head go to one thread where heads suffice, so that keys are packed once.
    intptr_t heads = shape->batch * shape->heads;
    intptr_t grain = heads >= 2 * sn_thread_count() ? job.blocks : 1;
    if ((double)heads * (double)shape->queries * (double)shape->keys * (double)shape->width < 65536.0) grain = heads * job.blocks;
    sn_parallel_for(heads * job.blocks, grain, attention_range, &job);
}
