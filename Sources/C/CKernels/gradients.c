// Gradients over many elements or rows: the pool on top, a kernel of the table below. Sums over rows are cut into blocks that
// follow from the shape alone; their partial sums are added in the order of the blocks.
#include "sensorium_gradients.h"
#include <string.h>
#include "gemm.h"

enum {
    GRAIN = 8192,         // elements worth waking a thread for
    MOST_BLOCKS = 64,     // of rows whose sums are added apart
    BLOCK_ROWS = 16,      // rows of a block at least
    SPAN_COLUMNS = 4096,  // sums of so many columns stay in the first-level cache
    PIECE = 1 << 16       // elements whose squares are added at once
};

typedef struct {
    const float *x, *weight, *dy;
    float *dx, *dweight, *dbias, epsilon, factor;  // of a norm: partial sums, [block][n]
    intptr_t rows, n, block;
    sn_unary operation;
    const sn_gradient_table *f;
} gradient_job;

static void unary_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    j->f->unary_gradient(j->operation, j->x + start, j->dy + start, j->dx + start, end - start);
}

void sn_unary_gradient_all(sn_unary operation, const float *x, const float *dy, float *dx, intptr_t n) {
    gradient_job job = {.x = x, .dy = dy, .dx = dx, .operation = operation, .f = sn_gradients()};
    sn_parallel_for(n, GRAIN, unary_range, &job);
}

static intptr_t block_rows(intptr_t rows) {
    intptr_t block = (rows + MOST_BLOCKS - 1) / MOST_BLOCKS;
    return block < BLOCK_ROWS ? BLOCK_ROWS : block;
}

// ---- sums of columns

typedef struct {
    const float *x;
    float *out;  // [block][n]
    intptr_t rows, n, block, spans;
    const sn_gradient_table *f;
} columns_job;

static void columns_range(void *context, intptr_t start, intptr_t end) {
    const columns_job *j = context;
    for (intptr_t task = start; task < end; task++) {
        intptr_t block = task / j->spans, first = task % j->spans * SPAN_COLUMNS, row = block * j->block;
        intptr_t columns = sn_least(SPAN_COLUMNS, j->n - first);
        float *out = j->out + block * j->n + first;
        memset(out, 0, (size_t)columns * 4);
        j->f->add_rows(j->x + row * j->n + first, sn_least(j->block, j->rows - row), j->n, out, columns);
    }
}

// out[n] = the sums over all rows, which are one block or few.
static void add_blocks(const float *x, intptr_t rows, intptr_t n, float *out) {
    columns_job job = {x, out, rows, n, rows, (n + SPAN_COLUMNS - 1) / SPAN_COLUMNS, sn_gradients()};
    sn_parallel_for(job.spans, 1 + GRAIN / (rows * sn_least(n, SPAN_COLUMNS) + 1), columns_range, &job);
}

void sn_sum_columns(const float *x, intptr_t rows, intptr_t n, float *out) {
    intptr_t block = block_rows(rows), blocks = (rows + block - 1) / block;
    if (n <= 0) return;
    if (blocks <= 1) {
        add_blocks(x, rows, n, out);
        return;
    }
    intptr_t bytes = blocks * n * 4;
    columns_job job = {x, sn_pool_allocate(bytes), rows, n, block, (n + SPAN_COLUMNS - 1) / SPAN_COLUMNS, sn_gradients()};
    sn_parallel_for(blocks * job.spans, 1 + GRAIN / (block * sn_least(n, SPAN_COLUMNS)), columns_range, &job);
    add_blocks(job.out, blocks, n, out);
    sn_pool_release(job.out, bytes);
}

// ---- normalisations

static void layer_norm_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    for (intptr_t block = start; block < end; block++) {
        float *dweight = j->dweight ? j->dweight + block * j->n : NULL, *dbias = j->dbias ? j->dbias + block * j->n : NULL;
        if (dweight) memset(dweight, 0, (size_t)j->n * 4);
        if (dbias) memset(dbias, 0, (size_t)j->n * 4);
        for (intptr_t i = block * j->block; i < j->rows && i < (block + 1) * j->block; i++)
            j->f->layer_norm_gradient(j->x + i * j->n, j->weight, j->epsilon, j->dy + i * j->n, j->dx ? j->dx + i * j->n : NULL, dweight,
                                      dbias, j->n);
    }
}

static void rms_norm_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    for (intptr_t block = start; block < end; block++) {
        float *dweight = j->dweight ? j->dweight + block * j->n : NULL;
        if (dweight) memset(dweight, 0, (size_t)j->n * 4);
        for (intptr_t i = block * j->block; i < j->rows && i < (block + 1) * j->block; i++)
            j->f->rms_norm_gradient(j->x + i * j->n, j->weight, j->epsilon, j->dy + i * j->n, j->dx ? j->dx + i * j->n : NULL, dweight, j->n);
    }
}

// The job's dweight and dbias tell which sums are asked for; they are computed in partial ones.
static void norm_gradient(gradient_job job, sn_range_body range) {
    float *dweight = job.dweight, *dbias = job.dbias;
    job.block = block_rows(job.rows);
    intptr_t blocks = (job.rows + job.block - 1) / job.block, floats = blocks * job.n;
    if (job.n <= 0) return;
    float *sums = dweight || dbias ? sn_pool_allocate(2 * floats * 4 + 4) : NULL;
    if (dweight) job.dweight = sums;
    if (dbias) job.dbias = sums + floats;
    sn_parallel_for(blocks, 1 + GRAIN / (job.block * job.n), range, &job);
    if (dweight) add_blocks(sums, blocks, job.n, dweight);
    if (dbias) add_blocks(sums + floats, blocks, job.n, dbias);
    if (sums) sn_pool_release(sums, 2 * floats * 4 + 4);
}

void sn_layer_norm_gradient_rows(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight,
                                 float *dbias, intptr_t rows, intptr_t n) {
    gradient_job job = {.x = x, .weight = weight, .dy = dy, .dx = dx, .dweight = dweight, .dbias = dbias, .epsilon = epsilon,
                        .rows = rows, .n = n, .f = sn_gradients()};
    norm_gradient(job, layer_norm_range);
}

void sn_rms_norm_gradient_rows(const float *x, const float *weight, float epsilon, const float *dy, float *dx, float *dweight,
                               intptr_t rows, intptr_t n) {
    gradient_job job = {.x = x, .weight = weight, .dy = dy, .dx = dx, .dweight = dweight, .epsilon = epsilon, .rows = rows, .n = n,
                        .f = sn_gradients()};
    norm_gradient(job, rms_norm_range);
}

// ---- softmax

static void softmax_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    for (intptr_t i = start * j->n; i < end * j->n; i += j->n) j->f->softmax_gradient(j->x + i, j->dy + i, j->dx + i, j->n);
}

void sn_softmax_gradient_rows(const float *y, const float *dy, float *dx, intptr_t rows, intptr_t n) {
    gradient_job job = {.x = y, .dy = dy, .dx = dx, .n = n, .f = sn_gradients()};
    if (n > 0) sn_parallel_for(rows, 1 + GRAIN / n, softmax_range, &job);
}

static void log_softmax_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    for (intptr_t i = start * j->n; i < end * j->n; i += j->n) j->f->log_softmax(j->x + i, j->dx + i, j->n);
}

void sn_log_softmax_rows(const float *x, float *y, intptr_t rows, intptr_t n) {
    gradient_job job = {.x = x, .dx = y, .n = n, .f = sn_gradients()};
    if (n > 0) sn_parallel_for(rows, 1 + GRAIN / n, log_softmax_range, &job);
}

static void log_softmax_gradient_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    for (intptr_t i = start * j->n; i < end * j->n; i += j->n) j->f->log_softmax_gradient(j->x + i, j->dy + i, j->dx + i, j->n);
}

void sn_log_softmax_gradient_rows(const float *y, const float *dy, float *dx, intptr_t rows, intptr_t n) {
    gradient_job job = {.x = y, .dy = dy, .dx = dx, .n = n, .f = sn_gradients()};
    if (n > 0) sn_parallel_for(rows, 1 + GRAIN / n, log_softmax_gradient_range, &job);
}

// ---- embeddings: each task owns every so many-th row of the table and passes over all indices

typedef struct {
    const int64_t *index;
    const float *dy;
    intptr_t count, width, rows, owners;
    float *table;
    const sn_gradient_table *f;
} scatter_job;

static void zero_range(void *context, intptr_t start, intptr_t end) {
    const scatter_job *j = context;
    memset(j->table + start, 0, (size_t)(end - start) * 4);
}

static void scatter_range(void *context, intptr_t start, intptr_t end) {
    const scatter_job *j = context;
    for (intptr_t i = 0; i < j->count; i++) {
        int64_t row = j->index[i];
        if (row < 0 || row >= j->rows || row % j->owners < start || row % j->owners >= end) continue;
        j->f->add_scaled(j->table + row * j->width, j->dy + i * j->width, 1.0f, j->width);
    }
}

void sn_scatter_add_rows(const int64_t *index, const float *dy, intptr_t count, intptr_t width, float *table, intptr_t rows) {
    scatter_job job = {index, dy, count, width, rows, 2 * sn_thread_count(), table, sn_gradients()};
    sn_parallel_for(rows * width, 16 * GRAIN, zero_range, &job);
    sn_parallel_for(job.owners, count * width < GRAIN ? job.owners : 1, scatter_range, &job);
}

// ---- sums over parameters

static void add_scaled_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *j = context;
    j->f->add_scaled(j->dx + start, j->x + start, j->factor, end - start);
}

void sn_add_scaled(float *y, const float *x, float a, intptr_t n) {
    gradient_job job = {.x = x, .dx = y, .factor = a, .f = sn_gradients()};
    sn_parallel_for(n, GRAIN, add_scaled_range, &job);
}

typedef struct {
    const float *x;
    double *sums;  // one for each piece
    intptr_t *counts;
    intptr_t n;
    const sn_gradient_table *f;
} pieces_job;

static void squares_range(void *context, intptr_t start, intptr_t end) {
    const pieces_job *j = context;
    for (intptr_t i = start; i < end; i++) j->sums[i] = j->f->sum_of_squares(j->x + i * PIECE, sn_least(PIECE, j->n - i * PIECE));
}

double sn_sum_of_squares(const float *x, intptr_t n) {
    intptr_t pieces = (n + PIECE - 1) / PIECE;
    if (pieces <= 1) return sn_gradients()->sum_of_squares(x, n);
    pieces_job job = {.x = x, .sums = sn_pool_allocate(pieces * 8), .n = n, .f = sn_gradients()};
    sn_parallel_for(pieces, 1, squares_range, &job);
    double total = 0;
    for (intptr_t i = 0; i < pieces; i++) total += job.sums[i];
    sn_pool_release(job.sums, pieces * 8);
    return total;
}

static void not_finite_range(void *context, intptr_t start, intptr_t end) {
    const pieces_job *j = context;
    for (intptr_t i = start; i < end; i++) j->counts[i] = j->f->count_not_finite(j->x + i * PIECE, sn_least(PIECE, j->n - i * PIECE));
}

intptr_t sn_count_not_finite(const float *x, intptr_t n) {
    intptr_t pieces = (n + PIECE - 1) / PIECE, total = 0;
    if (pieces <= 1) return sn_gradients()->count_not_finite(x, n);
    pieces_job job = {.x = x, .counts = sn_pool_allocate(pieces * (intptr_t)sizeof(intptr_t)), .n = n, .f = sn_gradients()};
    sn_parallel_for(pieces, 1, not_finite_range, &job);
    for (intptr_t i = 0; i < pieces; i++) total += job.counts[i];
    sn_pool_release(job.counts, pieces * (intptr_t)sizeof(intptr_t));
    return total;
}
