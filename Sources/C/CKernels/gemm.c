// Products of matrices. The left rows (of a weight matrix: its outputs) are read where they lie: a group of them is copied into
// cache once and spread element by element over the columns of the right operand, which is the small one in a forward pass and is
// packed into panels (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", with the roles of the operands
// exchanged). So weights need no packed copy: they stay in the file's mapping, shared by all processes.
#include "gemm.h"
#include <string.h>
#include "scratch.h"

// Panels that are multiplied at a time: with a group of rows they stay in L2 and L3.
enum { BLOCK_PANELS = 16 };

static intptr_t panel_vectors(const sn_kernel_table *f, intptr_t columns) {
    return sn_least((columns + f->vw - 1) / f->vw, f->nr / f->vw);
}

intptr_t sn_packed_size(intptr_t n, intptr_t k) {
    intptr_t vw = sn_kernels()->vw;
    return (n + vw - 1) / vw * vw * k;
}

typedef struct { const float *b; intptr_t n, k, n_stride, k_stride; float *packed; const sn_kernel_table *f; } pack_job;

static void pack_panels(void *context, intptr_t start, intptr_t end) {
    const pack_job *job = context;
    const sn_kernel_table *f = job->f;
    for (intptr_t panel = start; panel < end; panel++) {
        intptr_t first = panel * f->nr, columns = sn_least(f->nr, job->n - first), width = panel_vectors(f, columns) * f->vw;
        float *to = job->packed + first * job->k;
        const float *from = job->b + first * job->n_stride;
        if (columns < width) memset(to, 0, (size_t)(width * job->k) * 4);
        if (job->n_stride == 1) {
            for (intptr_t p = 0; p < job->k; p++) memcpy(to + p * width, from + p * job->k_stride, (size_t)columns * 4);
        } else if (job->k_stride == 1) {
            f->transpose(from, job->n_stride, columns, job->k, NULL, 0, to, width);
        } else {
            for (intptr_t p = 0; p < job->k; p++)
                for (intptr_t j = 0; j < columns; j++) to[p * width + j] = from[p * job->k_stride + j * job->n_stride];
        }
    }
}

void sn_pack_right(const float *b, intptr_t n, intptr_t k, intptr_t n_stride, intptr_t k_stride, float *packed) {
    pack_job job = {b, n, k, n_stride, k_stride, packed, sn_kernels()};
    sn_parallel_for((n + job.f->nr - 1) / job.f->nr, 1 + 16384 / (job.f->nr * (k + 1)), pack_panels, &job);
}

// ---- a group of left rows

intptr_t sn_left_size(intptr_t k) { return (k + GEMM_KC - 1) / GEMM_KC * GEMM_GROUP * GEMM_LEFT; }

sn_group sn_left_copy(const sn_left *left, intptr_t first, intptr_t count, float *to) {
    sn_group group = {to, GEMM_LEFT, GEMM_GROUP * GEMM_LEFT};
    for (intptr_t k0 = 0; k0 < left->k; k0 += GEMM_KC, to += GEMM_GROUP * GEMM_LEFT) {
        intptr_t kc = sn_least(GEMM_KC, left->k - k0);
        const float *from = left->values + first * left->row_stride + k0 * left->step;
        if (left->step == 1) {
            for (intptr_t i = 0; i < count; i++) memcpy(to + i * GEMM_LEFT, from + i * left->row_stride, (size_t)kc * 4);
        } else if (left->row_stride == 1) {
            sn_kernels()->transpose(from, left->step, kc, count, NULL, 0, to, GEMM_LEFT);
        } else {
            for (intptr_t i = 0; i < count; i++)
                for (intptr_t p = 0; p < kc; p++) to[i * GEMM_LEFT + p] = from[i * left->row_stride + p * left->step];
        }
    }
    return group;
}

// Asks for the next few lines; a tile takes longer than they need to come.
static void look_ahead(sn_ahead *ahead) {
    const char *line = ahead->next, *end = line + ahead->step < ahead->end ? line + ahead->step : ahead->end;
    for (; line < end; line += 64) __builtin_prefetch(line, 0, 2);
    ahead->next = line;
}

bool sn_left_direct(const sn_left *left) {
    return left->step == 1 && left->row_stride % 1024 != 0 && (uintptr_t)left->values % 4 == 0;
}

void sn_group_times_panel(sn_group group, intptr_t count, intptr_t k, const float *panel, int32_t vectors, float *c, intptr_t ldc,
                          sn_ahead *ahead) {
    const sn_kernel_table *f = sn_kernels();
    intptr_t width = vectors * f->vw;
    if (k == 0)
        for (intptr_t i = 0; i < count; i++) memset(c + i * ldc, 0, (size_t)width * 4);
    for (intptr_t k0 = 0; k0 < k; k0 += GEMM_KC, group.rows += group.step)
        for (intptr_t i = 0; i < count; i += f->mr) {
            if (ahead) look_ahead(ahead);
            f->gemm_tile((int32_t)sn_least(f->mr, count - i), vectors, sn_least(GEMM_KC, k - k0), group.rows + i * group.stride,
                         group.stride, panel + k0 * width, c + i * ldc, ldc, k0 > 0);
        }
}

// ---- linear: the right operand is the transpose of the inputs, the result is written transposed

typedef struct {
    sn_left left;
    intptr_t m, packed;  // inputs of this block, and how many of them lie in panels; dot products serve the few others
    const float *x;
    intptr_t x_row;
    const float *panels;
    float *y;
    intptr_t y_row;
    const sn_epilogue *epilogue;
    const sn_kernel_table *f;
} linear_job;

// A transposed tile c[rows][columns, `width` apart] to y[column][first + row].
static void finish_turned(const linear_job *job, float *c, intptr_t width, intptr_t first, intptr_t rows, intptr_t column, intptr_t columns) {
    const sn_epilogue *e = job->epilogue;
    const float *residual = NULL;
    if (e) {
        if (e->bias || e->alpha != 1.0f) job->f->scale_rows(c, rows, width, e->alpha, e->bias ? e->bias + first : NULL);
        if (e->activation >= 0) job->f->unary((sn_unary)e->activation, c, c, rows * width);
        if (e->residual) residual = e->residual + column * e->residual_stride + first;
    }
    job->f->transpose(c, width, rows, columns, residual, e ? e->residual_stride : 0, job->y + column * job->y_row + first, job->y_row);
}

// Inputs [from, m), few of them, by dot products.
static void group_dots(const linear_job *job, intptr_t first, intptr_t rows, intptr_t from) {
    const sn_kernel_table *f = job->f;
    const sn_epilogue *e = job->epilogue;
    float out[GEMM_NR_MAX * GEMM_GROUP];
    for (intptr_t t = from; t < job->m; t += f->dots) {
        intptr_t count = sn_least(f->dots, job->m - t);
        f->gemm_dots((int32_t)rows, (int32_t)count, job->left.k, job->left.values + first * job->left.row_stride, job->left.row_stride,
                     job->x + t * job->x_row, job->x_row, out + (t - from) * rows, rows);
    }
    intptr_t count = job->m - from;
    for (intptr_t t = 0; e && t < count; t++) {
        if (e->alpha != 1.0f) f->binary(SN_MUL, out + t * rows, 1, &e->alpha, 0, out + t * rows, rows);
        if (e->bias) f->binary(SN_ADD, out + t * rows, 1, e->bias + first, 1, out + t * rows, rows);
    }
    if (e && e->activation >= 0) f->unary((sn_unary)e->activation, out, out, count * rows);
    for (intptr_t t = 0; t < count; t++) {
        float *y = job->y + (from + t) * job->y_row + first;
        if (e && e->residual) f->binary(SN_ADD, out + t * rows, 1, e->residual + (from + t) * e->residual_stride + first, 1, y, rows);
        else memcpy(y, out + t * rows, (size_t)rows * 4);
    }
}

// The rows of the group that this thread takes next, most likely: they come from memory while the present ones are multiplied.
static sn_ahead rows_ahead(const linear_job *job, intptr_t group) {
    const sn_kernel_table *f = job->f;
    intptr_t first = group * GEMM_GROUP, rows = sn_least(GEMM_GROUP, job->left.rows - first), k = job->left.k;
    if (rows <= 0 || !job->packed) return (sn_ahead){NULL, NULL, 0};
    const char *from = (const char *)(job->left.values + first * job->left.row_stride);
    intptr_t bytes = ((rows - 1) * job->left.row_stride + k) * 4;
    intptr_t tiles = (job->packed + f->nr - 1) / f->nr * ((k + GEMM_KC - 1) / GEMM_KC) * ((rows + f->mr - 1) / f->mr);
    return (sn_ahead){from, from + bytes, (bytes / tiles + 127) / 64 * 64};
}

static void linear_groups(void *context, intptr_t start, intptr_t end) {
    const linear_job *job = context;
    const sn_kernel_table *f = job->f;
    intptr_t k = job->left.k;
    float *copy = NULL, *c = sn_scratch(SCRATCH_TILE, GEMM_GROUP * GEMM_NR_MAX);
    bool direct = sn_left_direct(&job->left);
    if (job->packed && !direct) copy = sn_scratch(SCRATCH_LEFT, sn_left_size(k));
    for (intptr_t group = start; group < end; group++) {
        intptr_t first = group * GEMM_GROUP, rows = sn_least(GEMM_GROUP, job->left.rows - first);
        sn_group left = {job->left.values + first * job->left.row_stride, job->left.row_stride, GEMM_KC};
        if (copy) left = sn_left_copy(&job->left, first, rows, copy);
        sn_ahead ahead = rows_ahead(job, group + 1 < end ? group + 1 : sn_parallel_next());
        for (intptr_t j = 0; j < job->packed; j += f->nr) {
            intptr_t columns = sn_least(f->nr, job->packed - j), vectors = panel_vectors(f, columns);
            for (intptr_t t = 0; t < columns; t++)
                for (intptr_t line = 0; line < rows; line += 16) __builtin_prefetch(job->y + (j + t) * job->y_row + first + line, 1, 3);
            sn_group_times_panel(left, rows, k, job->panels + j * k, (int32_t)vectors, c, vectors * f->vw, &ahead);
            finish_turned(job, c, vectors * f->vw, first, rows, j, columns);
        }
        if (job->packed < job->m) group_dots(job, first, rows, job->packed);
    }
}

void sn_linear(intptr_t m, intptr_t n, intptr_t k, const float *x, intptr_t x_row, const float *w, intptr_t w_row, float *y,
               intptr_t y_row, const sn_epilogue *epilogue) {
    if (m <= 0 || n <= 0) return;
    const sn_kernel_table *f = sn_kernels();
    intptr_t all = (m + f->nr - 1) / f->nr, blocks = (all + BLOCK_PANELS - 1) / BLOCK_PANELS;
    intptr_t block = (all + blocks - 1) / blocks * f->nr, groups = (n + GEMM_GROUP - 1) / GEMM_GROUP;
    intptr_t bytes = (sn_packed_size(sn_least(block, m), k) + 1) * 4;
    float *panels = NULL;
    for (intptr_t m0 = 0; m0 < m; m0 += block) {
        intptr_t count = sn_least(block, m - m0), tail = count % f->nr;
        linear_job job = {{w, n, k, w_row, 1}, count, tail <= 2 * f->dots ? count - tail : count, x + m0 * x_row, x_row, NULL,
                          y + m0 * y_row, y_row, epilogue, f};
        sn_epilogue shifted;
        if (epilogue && epilogue->residual) {
            shifted = *epilogue;
            shifted.residual += m0 * shifted.residual_stride;
            job.epilogue = &shifted;
        }
        if (job.packed) {
            if (!panels) panels = sn_pool_allocate(bytes);
            sn_pack_right(job.x, job.packed, k, x_row, 1, panels);
            job.panels = panels;
        }
        intptr_t grain = 1 + (intptr_t)(32768.0 / ((double)count * (double)k * GEMM_GROUP + 1));
        sn_parallel_for(groups, grain, linear_groups, &job);
    }
    if (panels) sn_pool_release(panels, bytes);
}

// ---- the product of two matrices

typedef struct {
    sn_left left;
    const float *panels;
    intptr_t columns;
    float *c;
    intptr_t ldc;
} product_job;

static void product_groups(void *context, intptr_t start, intptr_t end) {
    const product_job *job = context;
    const sn_kernel_table *f = sn_kernels();
    intptr_t k = job->left.k;
    float *copy = sn_scratch(SCRATCH_LEFT, sn_left_size(k)), *edge = sn_scratch(SCRATCH_TILE, GEMM_GROUP * GEMM_NR_MAX);
    for (intptr_t group = start; group < end; group++) {
        intptr_t first = group * GEMM_GROUP, rows = sn_least(GEMM_GROUP, job->left.rows - first);
        sn_group left = sn_left_copy(&job->left, first, rows, copy);
        for (intptr_t j = 0; j < job->columns; j += f->nr) {
            intptr_t columns = sn_least(f->nr, job->columns - j), vectors = panel_vectors(f, columns);
            float *c = job->c + first * job->ldc + j;
            bool whole = columns == vectors * f->vw;
            sn_group_times_panel(left, rows, k, job->panels + j * k, (int32_t)vectors, whole ? c : edge, whole ? job->ldc : vectors * f->vw,
                                 NULL);
            for (intptr_t i = 0; !whole && i < rows; i++) memcpy(c + i * job->ldc, edge + i * vectors * f->vw, (size_t)columns * 4);
        }
    }
}

typedef struct {
    product_job job;
    const float *b;
    intptr_t a_batch, b_batch, b_k, b_n, c_batch;
} batched_job;

static void products(void *context, intptr_t start, intptr_t end) {
    const batched_job *batched = context;
    for (intptr_t i = start; i < end; i++) {
        product_job job = batched->job;
        float *packed = sn_scratch(SCRATCH_RIGHT, sn_packed_size(job.columns, job.left.k) + 1);
        sn_pack_right(batched->b + i * batched->b_batch, job.columns, job.left.k, batched->b_n, batched->b_k, packed);
        job.panels = packed;
        job.left.values += i * batched->a_batch;
        job.c += i * batched->c_batch;
        product_groups(&job, 0, (job.left.rows + GEMM_GROUP - 1) / GEMM_GROUP);
    }
}

void sn_gemm_batched(intptr_t batch, intptr_t m, intptr_t n, intptr_t k, const float *a, intptr_t a_batch, intptr_t a_row,
                     intptr_t a_step, const float *b, intptr_t b_batch, intptr_t b_k, intptr_t b_n, float *c, intptr_t c_batch,
                     intptr_t ldc) {
    if (batch <= 0 || m <= 0 || n <= 0) return;
    product_job job = {{a, m, k, a_row, a_step}, NULL, n, c, ldc};
    if (batch >= 2 * sn_thread_count() || (double)m * (double)n * (double)k < 1e5) {
        batched_job batched = {job, b, a_batch, b_batch, b_k, b_n, c_batch};
        sn_parallel_for(batch, 1 + (intptr_t)(32768.0 / ((double)m * (double)n * (double)k + 1)), products, &batched);
        return;
    }
    intptr_t bytes = (sn_packed_size(n, k) + 1) * 4;
    float *packed = sn_pool_allocate(bytes);
    for (intptr_t i = 0; i < batch; i++) {
        sn_pack_right(b + i * b_batch, n, k, b_n, b_k, packed);
        job.panels = packed;
        job.left.values = a + i * a_batch;
        job.c = c + i * c_batch;
        sn_parallel_for((m + GEMM_GROUP - 1) / GEMM_GROUP, 1, product_groups, &job);
    }
    sn_pool_release(packed, bytes);
}
