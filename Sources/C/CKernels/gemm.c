// GEMM over packed panels (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"): the right operand
// lies in panels of nr columns, the left one is packed block by block, tiles run in registers.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "scratch.h"
#include "sensorium_kernels.h"

// One right panel of KC rows fits L1, one left block fits L2. The tokens of a picture (197, 257) make one block, so that the
// weights pass by once.
enum { KC = 256, MC = 264 };

typedef struct { float *memory; intptr_t floats; } buffer;
static pthread_key_t buffers_key;
static pthread_once_t buffers_once = PTHREAD_ONCE_INIT;
static _Thread_local buffer *buffers;

static void free_buffers(void *memory) {
    buffer *all = memory;
    for (int i = 0; i < SCRATCH_COUNT; i++) free(all[i].memory);
    free(all);
}
static void make_key(void) { pthread_key_create(&buffers_key, free_buffers); }

float *sn_scratch(int purpose, intptr_t floats) {
    if (!buffers) {
        pthread_once(&buffers_once, make_key);
        buffers = calloc(SCRATCH_COUNT, sizeof(buffer));
        if (!buffers) abort();
        pthread_setspecific(buffers_key, buffers);
    }
    buffer *b = &buffers[purpose];
    if (b->floats < floats) {
        free(b->memory);
        b->memory = aligned_alloc(64, (size_t)(floats * 4 + 63) / 64 * 64);
        if (!b->memory) abort();
        b->floats = floats;
    }
    return b->memory;
}

typedef struct sn_gemm_job {
    intptr_t m, n, k;
    const float *a;
    intptr_t a_row, a_step;
    const float *packed;
    float *c;
    intptr_t ldc;
    const sn_epilogue *epilogue;
    const sn_kernel_table *kernels;
    float *left;  // the packed left operand
    intptr_t m_block, n_block, n_blocks;
} sn_gemm_job;

static intptr_t minimum(intptr_t a, intptr_t b) { return a < b ? a : b; }

intptr_t sn_packed_size(intptr_t n, intptr_t k) {
    intptr_t nr = sn_kernels()->nr;
    return (n + nr - 1) / nr * nr * k;
}

typedef struct { const float *b; intptr_t n, k, n_stride, k_stride; float *packed; intptr_t nr; } pack_job;

static void pack_panels(void *context, intptr_t start, intptr_t end) {
    const pack_job *job = context;
    intptr_t nr = job->nr;
    for (intptr_t panel = start; panel < end; panel++) {
        float *to = job->packed + panel * nr * job->k;
        intptr_t first = panel * nr, columns = minimum(nr, job->n - first);
        const float *from = job->b + first * job->n_stride;
        if (job->n_stride == 1 && columns == nr) {
            for (intptr_t p = 0; p < job->k; p++) memcpy(to + p * nr, from + p * job->k_stride, (size_t)nr * 4);
            continue;
        }
        if (columns < nr) memset(to, 0, (size_t)(nr * job->k) * 4);
        for (intptr_t p0 = 0; p0 < job->k; p0 += 16)  // blocked, so that both sides stay in cache
            for (intptr_t j = 0; j < columns; j++) {
                const float *column = from + j * job->n_stride;
                intptr_t p1 = minimum(p0 + 16, job->k);
                for (intptr_t p = p0; p < p1; p++) to[p * nr + j] = column[p * job->k_stride];
            }
    }
}

void sn_pack_right(const float *b, intptr_t n, intptr_t k, intptr_t n_stride, intptr_t k_stride, float *packed) {
    pack_job job = {b, n, k, n_stride, k_stride, packed, sn_kernels()->nr};
    sn_parallel_for((n + job.nr - 1) / job.nr, 1 + 16384 / (job.nr * (k + 1)), pack_panels, &job);
}

// Rows [m0, m0 + rows) and k range of A in panels of mr rows; the last panel is as narrow as its rows.
static void pack_left(const sn_gemm_job *job, intptr_t m0, intptr_t rows, intptr_t k0, intptr_t kc, float *to) {
    intptr_t mr = job->kernels->mr;
    for (intptr_t i0 = 0; i0 < rows; i0 += mr) {
        intptr_t count = minimum(mr, rows - i0);
        const float *from = job->a + (m0 + i0) * job->a_row + k0 * job->a_step;
        for (intptr_t p0 = 0; p0 < kc; p0 += 16) {
            intptr_t p1 = minimum(p0 + 16, kc);
            for (intptr_t i = 0; i < count; i++) {
                const float *row = from + i * job->a_row;
                for (intptr_t p = p0; p < p1; p++) to[p * count + i] = row[p * job->a_step];
            }
        }
        to += count * kc;
    }
}

// Bias, activation and residual on a tile that is still in cache.
static void finish_tile(const sn_gemm_job *job, intptr_t row, intptr_t column, intptr_t rows, intptr_t columns) {
    const sn_epilogue *e = job->epilogue;
    const sn_kernel_table *f = job->kernels;
    for (intptr_t i = 0; i < rows; i++) {
        float *c = job->c + (row + i) * job->ldc + column;
        if (e->alpha != 1.0f) f->binary(SN_MUL, c, 1, &e->alpha, 0, c, columns);
        if (e->bias) f->binary(SN_ADD, c, 1, e->bias + column, 1, c, columns);
        if (e->row_bias) f->binary(SN_ADD, c, 1, e->row_bias + row + i, 0, c, columns);
        if (e->activation >= 0) f->unary((sn_unary)e->activation, c, c, columns);
        if (e->residual) f->binary(SN_ADD, c, 1, e->residual + (row + i) * e->residual_stride + column, 1, c, columns);
    }
}

// The left operand, packed whole: block after block of m_block rows, in each the panels of one k range after another.
static void pack_left_blocks(void *context, intptr_t start, intptr_t end) {
    const sn_gemm_job *job = context;
    for (intptr_t block = start; block < end; block++) {
        intptr_t m0 = block * job->m_block, rows = minimum(job->m_block, job->m - m0);
        for (intptr_t k0 = 0; k0 < job->k; k0 += KC)
            pack_left(job, m0, rows, k0, minimum(KC, job->k - k0), job->left + m0 * job->k + rows * k0);
    }
}

// Columns [n0, n1) (n0 a multiple of nr) of the rows of one block, whose left operand is packed.
static void gemm_block(const sn_gemm_job *job, intptr_t m0, intptr_t rows, intptr_t n0, intptr_t n1) {
    const sn_kernel_table *f = job->kernels;
    intptr_t mr = f->mr, nr = f->nr, k = job->k;
    float edge[12 * 48];  // a tile that sticks out on the right is computed here and copied
    for (intptr_t k0 = 0; k0 < k || k0 == 0; k0 += KC) {
        intptr_t kc = minimum(KC, k - k0);
        bool last = k0 + KC >= k;
        const float *left = job->left + m0 * k + rows * k0;
        for (intptr_t j = n0; j < n1; j += nr) {
            const float *right = job->packed + j * k + k0 * nr;
            intptr_t columns = minimum(nr, job->n - j);
            for (intptr_t i = 0; i < rows; i += mr) {
                intptr_t count = minimum(mr, rows - i);
                float *c = job->c + (m0 + i) * job->ldc + j;
                if (columns == nr) {
                    f->gemm_tile((int32_t)count, kc, left + i * kc, right, c, job->ldc, k0 > 0);
                } else {
                    f->gemm_tile((int32_t)count, kc, left + i * kc, right, edge, nr, false);
                    for (intptr_t r = 0; r < count; r++)
                        for (intptr_t x = 0; x < columns; x++)
                            c[r * job->ldc + x] = k0 > 0 ? c[r * job->ldc + x] + edge[r * nr + x] : edge[r * nr + x];
                }
                if (last && job->epilogue) finish_tile(job, m0 + i, j, count, columns);
            }
        }
    }
}

static void gemm_tasks(void *context, intptr_t start, intptr_t end) {
    const sn_gemm_job *job = context;
    for (intptr_t task = start; task < end; task++) {
        intptr_t m0 = task / job->n_blocks * job->m_block, n0 = task % job->n_blocks * job->n_block;
        gemm_block(job, m0, minimum(job->m_block, job->m - m0), n0, minimum(n0 + job->n_block, job->n));
    }
}

// Equal blocks of rows, of whole tiles but for the last; returns their number.
static intptr_t split_rows(sn_gemm_job *job) {
    intptr_t blocks = (job->m + MC - 1) / MC, mr = job->kernels->mr;
    job->m_block = ((job->m + blocks - 1) / blocks + mr - 1) / mr * mr;
    return (job->m + job->m_block - 1) / job->m_block;
}

void sn_gemm_packed(intptr_t m, intptr_t n, intptr_t k, const float *a, intptr_t a_row, intptr_t a_step, const float *packed,
                    float *c, intptr_t ldc, const sn_epilogue *epilogue) {
    if (m <= 0 || n <= 0) return;
    sn_gemm_job job = {.m = m, .n = n, .k = k, .a = a, .a_row = a_row, .a_step = a_step, .packed = packed, .c = c, .ldc = ldc,
                       .epilogue = epilogue, .kernels = sn_kernels()};
    intptr_t nr = job.kernels->nr, panels = (n + nr - 1) / nr, threads = sn_thread_count();
    if ((double)m * (double)n * (double)k < 65536.0) threads = 1;
    job.left = sn_pool_allocate((m * k + 1) * 4);
    intptr_t m_blocks = split_rows(&job);
    // Where blocks of rows are few, columns are split too, so that each thread gets about four tasks.
    intptr_t wanted = threads == 1 ? 1 : (threads * 4 + m_blocks - 1) / m_blocks;
    if (wanted > panels) wanted = panels;
    intptr_t panels_each = (panels + wanted - 1) / wanted;
    job.n_block = panels_each * nr;
    job.n_blocks = (panels + panels_each - 1) / panels_each;
    if (threads == 1) {
        pack_left_blocks(&job, 0, m_blocks);
        gemm_tasks(&job, 0, m_blocks * job.n_blocks);
    } else {
        sn_parallel_for(m_blocks, 1, pack_left_blocks, &job);
        sn_parallel_for(m_blocks * job.n_blocks, 1, gemm_tasks, &job);
    }
    sn_pool_release(job.left, (m * k + 1) * 4);
}

typedef struct {
    sn_gemm_job job;
    intptr_t a_batch, b_batch, b_k, b_n, c_batch;
    const float *b;
} batched_job;

static void batched_tasks(void *context, intptr_t start, intptr_t end) {
    const batched_job *batched = context;
    for (intptr_t i = start; i < end; i++) {
        sn_gemm_job job = batched->job;
        float *packed = sn_scratch(SCRATCH_RIGHT, sn_packed_size(job.n, job.k));
        sn_pack_right(batched->b + i * batched->b_batch, job.n, job.k, batched->b_n, batched->b_k, packed);
        job.packed = packed;
        job.a += i * batched->a_batch;
        job.c += i * batched->c_batch;
        job.left = sn_scratch(SCRATCH_LEFT, job.m * job.k + 1);
        intptr_t blocks = split_rows(&job);
        job.n_block = (job.n + job.kernels->nr - 1) / job.kernels->nr * job.kernels->nr;
        job.n_blocks = 1;
        pack_left_blocks(&job, 0, blocks);
        gemm_tasks(&job, 0, blocks);
    }
}

void sn_gemm_batched(intptr_t batch, intptr_t m, intptr_t n, intptr_t k, const float *a, intptr_t a_batch, intptr_t a_row,
                     intptr_t a_step, const float *b, intptr_t b_batch, intptr_t b_k, intptr_t b_n, float *c, intptr_t c_batch,
                     intptr_t ldc) {
    if (batch <= 0 || m <= 0 || n <= 0) return;
    if (batch < 2 * sn_thread_count() && (double)m * (double)n * (double)k > 1e5) {
        for (intptr_t i = 0; i < batch; i++) {
            float *packed = sn_pool_allocate(sn_packed_size(n, k) * 4);
            sn_pack_right(b + i * b_batch, n, k, b_n, b_k, packed);
            sn_gemm_packed(m, n, k, a + i * a_batch, a_row, a_step, packed, c + i * c_batch, ldc, NULL);
            sn_pool_release(packed, sn_packed_size(n, k) * 4);
        }
        return;
    }
    batched_job job = {{.m = m, .n = n, .k = k, .a = a, .a_row = a_row, .a_step = a_step, .c = c, .ldc = ldc, .kernels = sn_kernels()},
                       a_batch, b_batch, b_k, b_n, c_batch, b};
    sn_parallel_for(batch, 1, batched_tasks, &job);
}
