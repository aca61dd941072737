// Products of matrices. The left rows (of a weight matrix: its outputs) are read where they lie: a group of them is copied into
// cache once and spread element by element over the columns of the right operand, which is the small one in a forward pass and is
// packed into panels (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", with the roles of the operands
// exchanged). So weights need no packed copy: they stay in the file's mapping, shared by all processes. Matrices that meet many inputs
// are packed once all the same (gemm_packed.c): then the operands have their usual roles, and nothing is transposed.
#include "gemm.h"
#include <string.h>
#include "scratch.h"
#include "sensorium_quantised.h"

// Panels that are multiplied at a time: with a group of rows they stay in L2 and L3.
enum { BLOCK_PANELS = 16 };

intptr_t sn_packed_size(intptr_t n, intptr_t k) {
    intptr_t vw = sn_kernels()->vw;
    return (n + vw - 1) / vw * vw * k;
}

typedef struct { const float *b; intptr_t n, k, n_stride, k_stride; float *packed; const sn_kernel_table *f; } pack_job;

static void pack_panels(void *context, intptr_t start, intptr_t end) {
    const pack_job *job = context;
    const sn_kernel_table *f = job->f;
    for (intptr_t panel = start; panel < end; panel++) {
        intptr_t first = panel * f->nr, columns = sn_least(f->nr, job->n - first), width = sn_panel_vectors(f, columns) * f->vw;
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

static void widen(sn_weight_format format, const uint16_t *from, float *to, intptr_t n) {
    const sn_kernel_table *f = sn_kernels();
    if (format == SN_WEIGHT_F16) f->from_half(from, to, n);
    else f->from_bfloat(from, to, n);
}

intptr_t sn_left_size(intptr_t k) { return (k + GEMM_KC - 1) / GEMM_KC * GEMM_GROUP * GEMM_LEFT; }

void sn_left_range(const sn_left *left, intptr_t first, intptr_t count, intptr_t k0, intptr_t kc, float *to) {
    const float *from = (const float *)left->values + first * left->row_stride + k0 * left->step;
    if (left->format != SN_WEIGHT_F32) {
        const uint16_t *narrow = (const uint16_t *)left->values + first * left->row_stride + k0;
        for (intptr_t i = 0; i < count; i++) widen(left->format, narrow + i * left->row_stride, to + i * GEMM_LEFT, kc);
    } else if (left->step == 1) {
        for (intptr_t i = 0; i < count; i++) memcpy(to + i * GEMM_LEFT, from + i * left->row_stride, (size_t)kc * 4);
    } else if (left->row_stride == 1) {
        sn_kernels()->transpose(from, left->step, kc, count, NULL, 0, to, GEMM_LEFT);
    } else {
        for (intptr_t i = 0; i < count; i++)
            for (intptr_t p = 0; p < kc; p++) to[i * GEMM_LEFT + p] = from[i * left->row_stride + p * left->step];
    }
}

sn_group sn_left_copy(const sn_left *left, intptr_t first, intptr_t count, float *to) {
    sn_group group = {to, GEMM_LEFT, GEMM_GROUP * GEMM_LEFT};
    for (intptr_t k0 = 0; k0 < left->k; k0 += GEMM_KC, to += GEMM_GROUP * GEMM_LEFT)
        sn_left_range(left, first, count, k0, sn_least(GEMM_KC, left->k - k0), to);
    return group;
}

// Asks for the next few lines; a tile takes longer than they need to come.
static void look_ahead(sn_ahead *ahead) {
    const char *line = ahead->next, *end = line + ahead->step < ahead->end ? line + ahead->step : ahead->end;
    for (; line < end; line += 64) __builtin_prefetch(line, 0, 2);
    ahead->next = line;
}

bool sn_left_direct(const sn_left *left) {
    return left->format == SN_WEIGHT_F32 && left->step == 1 && !sn_crowds_cache(left->row_stride) && (uintptr_t)left->values % 4 == 0;
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

void sn_group_times_columns(sn_group group, intptr_t count, intptr_t k, const float *panel, intptr_t columns, float *c, intptr_t ldc) {
    const sn_kernel_table *f = sn_kernels();
    intptr_t vectors = sn_panel_vectors(f, columns), width = vectors * f->vw;
    if (columns == width) {
        sn_group_times_panel(group, count, k, panel, (int32_t)vectors, c, ldc, NULL);
        return;
    }
    float edge[GEMM_GROUP * GEMM_NR_MAX];  // a panel that sticks out on the right is computed here and copied
    sn_group_times_panel(group, count, k, panel, (int32_t)vectors, edge, width, NULL);
    for (intptr_t i = 0; i < count; i++) memcpy(c + i * ldc, edge + i * width, (size_t)columns * 4);
}

// ---- linear: the right operand is the transpose of the inputs, the result is written transposed

typedef struct {
    const sn_weights *parts;
    intptr_t count, k;
    intptr_t m, packed;  // inputs of this block, and how many of them lie in panels; dot products serve the few others
    const float *x;
    intptr_t x_row;
    const float *panels;
    float *y;
    intptr_t y_row;
    const sn_epilogue *epilogue;
    const sn_kernel_table *f;
} linear_job;

// A group of rows of one of the matrices, and the column of the result that its first row gives.
typedef struct { sn_left left; intptr_t first, rows, column; } row_group;

static intptr_t groups_of(const sn_weights *part) { return (part->n + GEMM_GROUP - 1) / GEMM_GROUP; }

static row_group group_at(const linear_job *job, intptr_t group) {
    intptr_t column = 0;
    for (intptr_t i = 0; i < job->count; i++) {
        const sn_weights *part = job->parts + i;
        intptr_t first = group * GEMM_GROUP;
        if (first < part->n) {
            intptr_t stride = part->row_bytes / (part->format == SN_WEIGHT_F32 ? 4 : 2);
            return (row_group){{part->rows, part->n, job->k, stride, 1, part->format}, first, sn_least(GEMM_GROUP, part->n - first), column + first};
        }
        group -= groups_of(part);
        column += part->n;
    }
    return (row_group){{NULL, 0, 0, 0, 1, SN_WEIGHT_F32}, 0, 0, 0};
}

static const char *row_at(const row_group *g, intptr_t row) {
    return (const char *)g->left.values + (g->first + row) * g->left.row_stride * (g->left.format == SN_WEIGHT_F32 ? 4 : 2);
}

// A transposed tile c[rows][columns, `width` apart] to y[input + i][column of the group ...].
static void finish_turned(const linear_job *job, const row_group *g, float *c, intptr_t width, intptr_t input, intptr_t inputs) {
    const sn_epilogue *e = job->epilogue;
    const float *residual = NULL;
    if (e) {
        if (e->bias || e->scale || e->alpha != 1.0f)
            job->f->scale_rows(c, g->rows, width, e->alpha, e->bias ? e->bias + g->column : NULL, e->scale ? e->scale + g->column : NULL);
        if (e->activation >= 0) job->f->unary((sn_unary)e->activation, c, c, g->rows * width);
        if (e->residual) residual = e->residual + input * e->residual_stride + g->column;
    }
    job->f->transpose(c, width, g->rows, inputs, residual, e ? e->residual_stride : 0, job->y + input * job->y_row + g->column, job->y_row);
}

// Dot products of the group's rows with inputs [from, m), few of them: out[input - from][rows].
static void dots(const linear_job *job, const row_group *g, intptr_t from, float *out) {
    const sn_kernel_table *f = job->f;
    bool narrow = g->left.format != SN_WEIGHT_F32;
    intptr_t step = narrow ? 4 : g->rows, k = job->k;  // narrow rows are widened four at a time, which stay in L1
    float *wide = narrow ? sn_scratch(SCRATCH_LEFT, 4 * k + 1) : NULL;
    for (intptr_t row = 0; row < g->rows; row += step) {
        intptr_t rows = sn_least(step, g->rows - row);
        for (intptr_t i = 0; narrow && i < rows; i++) widen(g->left.format, (const uint16_t *)(const void *)row_at(g, row + i), wide + i * k, k);
        const float *left = narrow ? wide : (const float *)(const void *)row_at(g, row);
        for (intptr_t t = from; t < job->m; t += f->dots)
            f->gemm_dots((int32_t)rows, (int32_t)sn_least(f->dots, job->m - t), k, left, narrow ? k : g->left.row_stride,
                         job->x + t * job->x_row, job->x_row, out + (t - from) * g->rows + row, g->rows);
    }
}

static void finish_dots(const linear_job *job, const row_group *g, intptr_t from, float *out) {
    const sn_kernel_table *f = job->f;
    const sn_epilogue *e = job->epilogue;
    intptr_t count = job->m - from, rows = g->rows;
    for (intptr_t t = 0; e && t < count; t++) {
        if (e->alpha != 1.0f) f->binary(SN_MUL, out + t * rows, 1, &e->alpha, 0, out + t * rows, rows);
        if (e->bias) f->binary(SN_ADD, out + t * rows, 1, e->bias + g->column, 1, out + t * rows, rows);
        if (e->scale) f->binary(SN_MUL, out + t * rows, 1, e->scale + g->column, 1, out + t * rows, rows);
    }
    if (e && e->activation >= 0) f->unary((sn_unary)e->activation, out, out, count * rows);
    for (intptr_t t = 0; t < count; t++) {
        float *y = job->y + (from + t) * job->y_row + g->column;
        if (e && e->residual) f->binary(SN_ADD, out + t * rows, 1, e->residual + (from + t) * e->residual_stride + g->column, 1, y, rows);
        else memcpy(y, out + t * rows, (size_t)rows * 4);
    }
}

// The rows of the group that this thread takes next, most likely: they come from memory while the present ones are multiplied.
static sn_ahead rows_ahead(const linear_job *job, intptr_t group) {
    const sn_kernel_table *f = job->f;
    row_group next = group_at(job, group);
    if (next.rows == 0 || !job->packed) return (sn_ahead){NULL, NULL, 0};
    const char *from = row_at(&next, 0);
    intptr_t bytes = row_at(&next, next.rows) - from;
    intptr_t tiles = (job->packed + f->nr - 1) / f->nr * ((job->k + GEMM_KC - 1) / GEMM_KC + 1) * ((next.rows + f->mr - 1) / f->mr);
    return (sn_ahead){from, from + bytes, (bytes / tiles + 127) / 64 * 64};
}

// The places of the result are fetched while the tiles are computed.
static void fetch_places(const linear_job *job, const row_group *g, intptr_t input, intptr_t inputs) {
    for (intptr_t t = 0; t < inputs; t++)
        for (intptr_t line = 0; line < g->rows; line += 16) __builtin_prefetch(job->y + (input + t) * job->y_row + g->column + line, 1, 3);
}

// Rows that the tiles may read where they lie.
static void direct_panels(const linear_job *job, const row_group *g, sn_ahead *ahead) {
    const sn_kernel_table *f = job->f;
    intptr_t k = job->k;
    float *c = sn_scratch(SCRATCH_TILE, GEMM_GROUP * GEMM_NR_MAX);
    sn_group rows = {(const float *)(const void *)row_at(g, 0), g->left.row_stride, GEMM_KC};
    for (intptr_t j = 0; j < job->packed; j += f->nr) {
        intptr_t inputs = sn_least(f->nr, job->packed - j), vectors = sn_panel_vectors(f, inputs);
        fetch_places(job, g, j, inputs);
        sn_group_times_panel(rows, g->rows, k, job->panels + j * k, (int32_t)vectors, c, vectors * f->vw, ahead);
        finish_turned(job, g, c, vectors * f->vw, j, inputs);
    }
}

// Rows that are widened, or that would push each other out of the cache: one range of k after another meets all panels.
static void copied_panels(const linear_job *job, const row_group *g, sn_ahead *ahead) {
    const sn_kernel_table *f = job->f;
    intptr_t k = job->k, size = GEMM_GROUP * f->nr;
    float *copy = sn_scratch(SCRATCH_LEFT, GEMM_GROUP * GEMM_LEFT);
    float *sums = sn_scratch(SCRATCH_TILE, size * BLOCK_PANELS);
    for (intptr_t k0 = 0; k0 < k || k0 == 0; k0 += GEMM_KC) {
        intptr_t kc = sn_least(GEMM_KC, k - k0);
        sn_left_range(&g->left, g->first, g->rows, k0, kc, copy);
        for (intptr_t j = 0; j < job->packed; j += f->nr) {
            intptr_t inputs = sn_least(f->nr, job->packed - j), vectors = sn_panel_vectors(f, inputs), width = vectors * f->vw;
            float *c = sums + j / f->nr * size;
            if (k0 + kc == k) fetch_places(job, g, j, inputs);
            for (intptr_t i = 0; i < g->rows; i += f->mr) {
                look_ahead(ahead);
                f->gemm_tile((int32_t)sn_least(f->mr, g->rows - i), (int32_t)vectors, kc, copy + i * GEMM_LEFT, GEMM_LEFT,
                             job->panels + j * k + k0 * width, c + i * width, width, k0 > 0);
            }
            if (k0 + kc == k) finish_turned(job, g, c, width, j, inputs);
        }
    }
}

static void linear_groups(void *context, intptr_t start, intptr_t end) {
    const linear_job *job = context;
    for (intptr_t group = start; group < end; group++) {
        row_group g = group_at(job, group);
        sn_ahead ahead = rows_ahead(job, group + 1 < end ? group + 1 : sn_parallel_next());
        if (job->packed) (sn_left_direct(&g.left) ? direct_panels : copied_panels)(job, &g, &ahead);
        if (job->packed == job->m) continue;
        float *c = sn_scratch(SCRATCH_TILE, GEMM_GROUP * GEMM_NR_MAX);
        dots(job, &g, job->packed, c);
        finish_dots(job, &g, job->packed, c);
    }
}

// Runs of parts that f32 activations meet.
static void linear_floats(intptr_t m, const float *x, intptr_t x_row, const sn_weights *parts, intptr_t count, float *y, intptr_t y_row,
                          const sn_epilogue *epilogue) {
    const sn_kernel_table *f = sn_kernels();
    intptr_t k = parts->k, all = (m + f->nr - 1) / f->nr, blocks = (all + BLOCK_PANELS - 1) / BLOCK_PANELS;
    intptr_t block = (all + blocks - 1) / blocks * f->nr, groups = 0;
    for (intptr_t i = 0; i < count; i++) groups += groups_of(parts + i);
    intptr_t bytes = (sn_packed_size(sn_least(block, m), k) + 1) * 4;
    float *panels = NULL;
    for (intptr_t m0 = 0; m0 < m; m0 += block) {
        intptr_t inputs = sn_least(block, m - m0), rest = inputs % f->vw;
        linear_job job = {parts, count, k, inputs, rest <= 2 * f->dots ? inputs - rest : inputs, x + m0 * x_row, x_row, NULL,
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
        intptr_t grain = 1 + (intptr_t)(32768.0 / ((double)inputs * (double)k * GEMM_GROUP + 1));
        sn_parallel_for(groups, grain, linear_groups, &job);
    }
    if (panels) sn_pool_release(panels, bytes);
}

void sn_linear(intptr_t m, const float *x, intptr_t x_row, const sn_weights *parts, intptr_t count, float *y, intptr_t y_row,
               const sn_epilogue *epilogue) {
    sn_epilogue rest;
    for (intptr_t i = 0, next; m > 0 && i < count; i = next) {
        intptr_t columns = parts[i].n;
        next = i + 1;
        if (parts[i].format > SN_WEIGHT_BF16) {
            sn_linear_quantised(m, x, x_row, parts + i, y, y_row, epilogue);
        } else {
            for (; next < count && parts[next].format <= SN_WEIGHT_BF16; next++) columns += parts[next].n;
            linear_floats(m, x, x_row, parts + i, next - i, y, y_row, epilogue);
        }
        y += columns;
        if (next == count || !epilogue) continue;
        rest = *epilogue;
        if (rest.bias) rest.bias += columns;
        if (rest.scale) rest.scale += columns;
        if (rest.residual) rest.residual += columns;
        epilogue = &rest;
    }
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
    float *copy = sn_scratch(SCRATCH_LEFT, sn_left_size(k));
    for (intptr_t group = start; group < end; group++) {
        intptr_t first = group * GEMM_GROUP, rows = sn_least(GEMM_GROUP, job->left.rows - first);
        sn_group left = sn_left_copy(&job->left, first, rows, copy);
        for (intptr_t j = 0; j < job->columns; j += f->nr)
            sn_group_times_columns(left, rows, k, job->panels + j * k, sn_least(f->nr, job->columns - j),
                                   job->c + first * job->ldc + j, job->ldc);
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
        job.left.values = (const float *)job.left.values + i * batched->a_batch;
        job.c += i * batched->c_batch;
        product_groups(&job, 0, (job.left.rows + GEMM_GROUP - 1) / GEMM_GROUP);
    }
}

void sn_gemm_batched(intptr_t batch, intptr_t m, intptr_t n, intptr_t k, const float *a, intptr_t a_batch, intptr_t a_row,
                     intptr_t a_step, const float *b, intptr_t b_batch, intptr_t b_k, intptr_t b_n, float *c, intptr_t c_batch,
                     intptr_t ldc) {
    if (batch <= 0 || m <= 0 || n <= 0) return;
    product_job job = {{a, m, k, a_row, a_step, SN_WEIGHT_F32}, NULL, n, c, ldc};
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
