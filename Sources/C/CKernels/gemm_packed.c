// Linear layers whose weights are packed once: inputs are spread, and the result is written as it is computed.
#include "gemm.h"
#include <string.h>
#include "scratch.h"

// Inputs of a block and their range of k stay in L2 beside one panel.
enum { PACKED_KC = 768, PACKED_ROWS = 192 };

intptr_t sn_packed_weights_size(const sn_weights *parts, intptr_t count) {
    intptr_t n = 0;
    for (intptr_t i = 0; i < count; i++) n += parts[i].n;
    return sn_packed_size(n, parts->k);
}

typedef struct { const sn_weights *parts; intptr_t count, n; float *packed; const sn_kernel_table *f; } pack_weights_job;

static void pack_weight_panels(void *context, intptr_t start, intptr_t end) {
    const pack_weights_job *job = context;
    const sn_kernel_table *f = job->f;
    intptr_t k = job->parts->k;
    for (intptr_t panel = start; panel < end; panel++) {
        intptr_t first = panel * f->nr, columns = sn_least(f->nr, job->n - first), width = sn_panel_vectors(f, columns) * f->vw;
        float *to = job->packed + first * k;
        if (columns < width) memset(to, 0, (size_t)(width * k) * 4);
        intptr_t before = 0;  // columns of the parts passed
        for (intptr_t i = 0; i < job->count && before < first + columns; before += job->parts[i++].n) {
            const sn_weights *part = job->parts + i;
            intptr_t from = first > before ? first - before : 0, until = sn_least(part->n, first + columns - before);
            if (from < until)
                f->transpose((const float *)part->rows + from * (part->row_bytes / 4), part->row_bytes / 4, until - from, k, NULL, 0,
                             to + before + from - first, width);
        }
    }
}

void sn_pack_weights(const sn_weights *parts, intptr_t count, float *packed) {
    pack_weights_job job = {parts, count, 0, packed, sn_kernels()};
    for (intptr_t i = 0; i < count; i++) job.n += parts[i].n;
    sn_parallel_for((job.n + job.f->nr - 1) / job.f->nr, 1, pack_weight_panels, &job);
}

typedef struct {
    intptr_t m, k, n, x_row, y_row, block, panels;
    const float *x, *packed;
    float *y;
    const sn_epilogue *epilogue;
    const sn_kernel_table *f;
} packed_job;

// Rows c[rows][width] of a tile to y.
static void finish_tile(const packed_job *job, float *c, intptr_t rows, intptr_t width, intptr_t row, intptr_t column) {
    static const sn_epilogue none = {1.0f, NULL, NULL, -1, NULL, 0};
    const sn_kernel_table *f = job->f;
    const sn_epilogue *e = job->epilogue ? job->epilogue : &none;
    intptr_t columns = sn_least(width, job->n - column);
    const float *bias = e->bias ? e->bias + column : NULL, *scale = e->scale ? e->scale + column : NULL;
    const float *residual = e->residual ? e->residual + row * e->residual_stride + column : NULL;
    float *y = job->y + row * job->y_row + column;
    if (e->activation < 0) {
        f->finish_rows(c, rows, width, columns, e->alpha, bias, scale, residual, e->residual_stride, y, job->y_row);
        return;
    }
    if (bias || scale || e->alpha != 1.0f) f->finish_rows(c, rows, width, columns, e->alpha, bias, scale, NULL, 0, c, width);
    f->unary((sn_unary)e->activation, c, c, rows * width);
    f->finish_rows(c, rows, width, columns, 1.0f, NULL, NULL, residual, e->residual_stride, y, job->y_row);
}

// A block of inputs times one panel; panels of one block follow each other.
static void packed_blocks(void *context, intptr_t start, intptr_t end) {
    const packed_job *job = context;
    const sn_kernel_table *f = job->f;
    float *sums = sn_scratch(SCRATCH_TILE, PACKED_ROWS * GEMM_NR_MAX);
    for (intptr_t place = start; place < end; place++) {
        intptr_t first = place / job->panels * job->block, column = place % job->panels * f->nr;
        intptr_t rows = sn_least(job->block, job->m - first), vectors = sn_panel_vectors(f, sn_least(f->nr, job->n - column));
        intptr_t width = vectors * f->vw;
        const float *panel = job->packed + column * job->k;
        for (intptr_t k0 = 0; k0 < job->k || k0 == 0; k0 += PACKED_KC) {
            intptr_t kc = sn_least(PACKED_KC, job->k - k0);
            for (intptr_t i = 0; i < rows; i += f->mr) {
                intptr_t some = sn_least(f->mr, rows - i);
                float *c = sums + i * width;
                const float *x = job->x + (first + i) * job->x_row + k0;
                f->gemm_tile((int32_t)some, (int32_t)vectors, kc, x, job->x_row, panel + k0 * width, c, width, k0 > 0);
                if (k0 + kc == job->k) finish_tile(job, c, some, width, first + i, column);
            }
        }
    }
}

typedef struct { const float *x; intptr_t x_row, k, to_row; float *to; } spread_job;

static void spread_rows(void *context, intptr_t start, intptr_t end) {
    const spread_job *job = context;
    for (intptr_t i = start; i < end; i++) memcpy(job->to + i * job->to_row, job->x + i * job->x_row, (size_t)job->k * 4);
}

void sn_linear_packed(intptr_t m, const float *x, intptr_t x_row, const float *packed, intptr_t n, intptr_t k, float *y, intptr_t y_row,
                      const sn_epilogue *epilogue) {
    if (m <= 0 || n <= 0) return;
    const sn_kernel_table *f = sn_kernels();
    packed_job job = {m, k, n, x_row, y_row, 0, (n + f->nr - 1) / f->nr, x, packed, y, epilogue, f};
    float *copy = NULL;
    intptr_t copy_row = k + 16, copy_bytes = m * copy_row * 4;
    if (m > 1 && sn_crowds_cache(x_row)) {
        copy = sn_pool_allocate(copy_bytes);
        spread_job spread = {x, x_row, k, copy_row, copy};
        sn_parallel_for(m, 1 + 65536 / (k + 1), spread_rows, &spread);
        job.x = copy;
        job.x_row = copy_row;
    }
    intptr_t most = PACKED_ROWS / f->mr * f->mr, blocks = (m + most - 1) / most;
    job.block = ((m + blocks - 1) / blocks + f->mr - 1) / f->mr * f->mr;
    blocks = (m + job.block - 1) / job.block;
    double work = (double)sn_least(job.block, m) * (double)k * (double)f->nr;
    sn_parallel_for(blocks * job.panels, 1 + (intptr_t)(65536.0 / (work + 1)), packed_blocks, &job);
    if (copy) sn_pool_release(copy, copy_bytes);
}
