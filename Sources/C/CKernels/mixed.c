// Products of operands rounded to bf16. The right one is packed into panels of pairs along k, a group of left rows at a time into rows
// of pairs; both are rounded on the way. Elements of the result are sums in an order that follows from k alone.
#include <string.h>
#include "gemm.h"
#include "scratch.h"
#include "sensorium_gradients.h"
#include "sensorium_mixed.h"

// Pairs of a range of k, whose part of a panel stays in the first-level cache; left rows of a group, of a task of few rows; pairs that
// are packed at a time; elements worth waking a thread for; elements of a step of element-wise work.
enum { RANGE = 192, GROUP = 48, SMALL_GROUP = 24, FEW_GROUPS = 32, CHUNK = 16, GRAIN = 8192, STEP = 1024 };

typedef struct {
    const sn_weights *a, *b;
    bool a_turned, b_turned, narrow;
    intptr_t parts, m, n, k, pairs, group, lda;
    uint32_t *panels;
    void *c;
    const float *bias;
    const sn_bfloat_table *f;
    const sn_kernel_table *kernels;
} product_job;

typedef struct { const void *values; bool narrow; } row;

static row row_at(const sn_weights *parts, intptr_t index) {
    while (index >= parts->n) index -= parts++->n;
    return (row){(const char *)parts->rows + index * parts->row_bytes, parts->format == SN_WEIGHT_BF16};
}

static const float *floats(row r, intptr_t from) { return (const float *)r.values + from; }
static const uint16_t *bfloats(row r, intptr_t from) { return (const uint16_t *)r.values + from; }

// Elements [from, from + n) of a row, rounded.
static void round_row(const product_job *job, row r, intptr_t from, intptr_t n, uint16_t *to) {
    if (r.narrow) memcpy(to, bfloats(r, from), (size_t)n * 2);
    else job->kernels->to_bfloat(floats(r, from), to, n);
}

// Elements [from, from + n) of rows 2 p and 2 p + 1, side by side; beyond the last row are zeros.
static void pair_rows(const product_job *job, const sn_weights *parts, intptr_t p, intptr_t from, intptr_t n, uint32_t *to) {
    bool single = 2 * p + 1 >= job->k;
    row even = row_at(parts, 2 * p), odd = single ? even : row_at(parts, 2 * p + 1);
    if (even.narrow && odd.narrow) {
        job->f->bfloat_pairs(bfloats(even, from), single ? NULL : bfloats(odd, from), to, n);
    } else if (!even.narrow && !odd.narrow) {
        job->f->pairs(floats(even, from), single ? NULL : floats(odd, from), to, n);
    } else {  // the border of two parts
        for (intptr_t i = 0; i < n; i++) {
            uint16_t low, high;
            round_row(job, even, from + i, 1, &low);
            round_row(job, odd, from + i, 1, &high);
            to[i] = (uint32_t)high << 16 | low;
        }
    }
}

// Rows of pairs to columns: to[j * to_row + i] = from[i * from_row + j].
static void turn(const product_job *job, const uint32_t *from, intptr_t from_row, intptr_t rows, intptr_t columns, uint32_t *to, intptr_t to_row) {
    job->kernels->transpose((const float *)(const void *)from, from_row, rows, columns, NULL, 0, (float *)(void *)to, to_row);
}

static intptr_t panel_width(const product_job *job, intptr_t columns) {
    return (sn_least(columns, job->f->nr) + job->f->vw - 1) / job->f->vw * job->f->vw;
}

// A task is a chunk of pairs of all panels, so that rows are read along.
static void pack_rows(void *context, intptr_t start, intptr_t end) {
    const product_job *job = context;
    for (intptr_t chunk = start; chunk < end; chunk++) {
        intptr_t p0 = chunk * CHUNK, p1 = sn_least(p0 + CHUNK, job->pairs);
        for (intptr_t j = 0; j < job->n; j += job->f->nr) {
            intptr_t columns = sn_least(job->f->nr, job->n - j), width = panel_width(job, columns);
            uint32_t *to = job->panels + j * job->pairs + p0 * width;
            if (columns < width) memset(to, 0, (size_t)((p1 - p0) * width) * 4);
            for (intptr_t p = p0; p < p1; p++, to += width) pair_rows(job, job->b, p, j, columns, to);
        }
    }
}

// A task is a panel, whose columns are rows of the matrices.
static void pack_columns(void *context, intptr_t start, intptr_t end) {
    const product_job *job = context;
    const intptr_t stride = RANGE + 16;
    uint32_t *lines = (uint32_t *)(void *)sn_scratch(SCRATCH_TILE, job->f->nr * stride);
    for (intptr_t panel = start; panel < end; panel++) {
        intptr_t j = panel * job->f->nr, columns = sn_least(job->f->nr, job->n - j), width = panel_width(job, columns);
        uint32_t *to = job->panels + j * job->pairs;
        if (columns < width) memset(to, 0, (size_t)(job->pairs * width) * 4);
        for (intptr_t p0 = 0; p0 < job->pairs; p0 += RANGE) {
            intptr_t pairs = sn_least(RANGE, job->pairs - p0), elements = sn_least(2 * pairs, job->k - 2 * p0);
            for (intptr_t i = 0; i < columns; i++) {
                uint16_t *line = (uint16_t *)(void *)(lines + i * stride);
                round_row(job, row_at(job->b, j + i), 2 * p0, elements, line);
                if (elements < 2 * pairs) line[elements] = 0;
            }
            turn(job, lines, stride, columns, pairs, to + p0 * width, width);
        }
    }
}

// Rows [first, first + count) of A as pairs, lda apart.
static void pack_left(const product_job *job, intptr_t first, intptr_t count, uint32_t *left) {
    if (!job->a_turned) {
        for (intptr_t i = 0; i < count; i++) {
            uint16_t *line = (uint16_t *)(void *)(left + i * job->lda);
            round_row(job, row_at(job->a, first + i), 0, job->k, line);
            if (job->k % 2) line[job->k] = 0;
        }
        return;
    }
    uint32_t lines[CHUNK * GROUP];
    for (intptr_t p0 = 0; p0 < job->pairs; p0 += CHUNK) {
        intptr_t pairs = sn_least(CHUNK, job->pairs - p0);
        for (intptr_t p = 0; p < pairs; p++) pair_rows(job, job->a, p0 + p, first, count, lines + p * GROUP);
        turn(job, lines, GROUP, pairs, count, left + p0, job->lda);
    }
}

// Bias is added and the tile goes to its place, where it isn't there already.
static void finish(const product_job *job, float *tile, intptr_t ldt, intptr_t first, intptr_t count, intptr_t j, intptr_t columns) {
    for (intptr_t i = 0; i < count; i++, tile += ldt) {
        if (job->bias) job->kernels->binary(SN_ADD, tile, 1, job->bias + j, 1, tile, columns);
        intptr_t place = (first + i) * job->n + j;
        if (job->narrow) job->kernels->to_bfloat(tile, (uint16_t *)job->c + place, columns);
        else if ((float *)job->c + place != tile) memcpy((float *)job->c + place, tile, (size_t)columns * 4);
    }
}

static void groups_range(void *context, intptr_t start, intptr_t end) {
    const product_job *job = context;
    const sn_bfloat_table *f = job->f;
    uint32_t *left = (uint32_t *)(void *)sn_scratch(SCRATCH_LEFT, GROUP * job->lda);
    float aside[GROUP * GEMM_NR_MAX];
    for (intptr_t group = start; group < end; group++) {
        intptr_t first = group * job->group, count = sn_least(job->group, job->m - first);
        pack_left(job, first, count, left);
        for (intptr_t j = 0; j < job->n; j += f->nr) {
            intptr_t columns = sn_least(f->nr, job->n - j), width = panel_width(job, columns);
            bool direct = !job->narrow && columns == width;
            float *c = direct ? (float *)job->c + first * job->n + j : aside;
            intptr_t ldc = direct ? job->n : width;
            for (intptr_t p0 = 0; p0 < job->pairs || p0 == 0; p0 += RANGE)
                for (intptr_t i = 0; i < count; i += f->mr)
                    f->tile((int32_t)sn_least(f->mr, count - i), (int32_t)(width / f->vw), sn_least(RANGE, job->pairs - p0),
                            left + i * job->lda + p0, job->lda, job->panels + j * job->pairs + p0 * width, c + i * ldc, ldc, p0 > 0);
            if (!direct || job->bias) finish(job, c, ldc, first, count, j, columns);
        }
    }
}

void sn_bfloat_product(const sn_weights *a, bool a_turned, const sn_weights *b, intptr_t parts, bool b_turned, void *c, bool narrow,
                       const float *bias, const sn_bfloat_table *level) {
    intptr_t rows = 0;
    for (intptr_t i = 0; i < parts; i++) rows += b[i].n;
    product_job job = {.a = a, .b = b, .a_turned = a_turned, .b_turned = b_turned, .narrow = narrow, .parts = parts,
                       .m = a_turned ? a->k : a->n, .n = b_turned ? rows : b->k, .k = b_turned ? b->k : rows, .c = c, .bias = bias,
                       .f = level, .kernels = sn_kernels()};
    if (job.m <= 0 || job.n <= 0) return;
    job.pairs = (job.k + 1) / 2;
    job.lda = (job.pairs + 15) / 16 * 16 + 16;  // rows a power of two apart would share cache sets
    job.group = job.m < FEW_GROUPS * GROUP ? SMALL_GROUP : GROUP;
    intptr_t bytes = (job.n + job.f->vw) * job.pairs * 4 + 4, nr = job.f->nr;
    job.panels = sn_pool_allocate(bytes);
    if (b_turned) sn_parallel_for((job.n + nr - 1) / nr, 1 + GRAIN / (nr * job.k + 1), pack_columns, &job);
    else sn_parallel_for((job.pairs + CHUNK - 1) / CHUNK, 1 + GRAIN / (CHUNK * job.n), pack_rows, &job);
    intptr_t grain = 1 + (intptr_t)(65536.0 / ((double)job.group * (double)job.n * (double)job.pairs + 1));
    sn_parallel_for((job.m + job.group - 1) / job.group, grain, groups_range, &job);
    sn_pool_release(job.panels, bytes);
}

// ---- element-wise

typedef struct {
    const void *x;
    const float *dy;
    void *y;
    sn_unary operation;
    const sn_kernel_table *kernels;
    const sn_gradient_table *gradients;
} element_job;

static void to_bfloat_range(void *context, intptr_t start, intptr_t end) {
    const element_job *j = context;
    j->kernels->to_bfloat((const float *)j->x + start, (uint16_t *)j->y + start, end - start);
}

void sn_to_bfloat(const float *x, uint16_t *y, intptr_t n) {
    element_job job = {.x = x, .y = y, .kernels = sn_kernels()};
    sn_parallel_for(n, GRAIN, to_bfloat_range, &job);
}

static void from_bfloat_range(void *context, intptr_t start, intptr_t end) {
    const element_job *j = context;
    j->kernels->from_bfloat((const uint16_t *)j->x + start, (float *)j->y + start, end - start);
}

void sn_from_bfloat(const uint16_t *x, float *y, intptr_t n) {
    element_job job = {.x = x, .y = y, .kernels = sn_kernels()};
    sn_parallel_for(n, GRAIN, from_bfloat_range, &job);
}

static void unary_range(void *context, intptr_t start, intptr_t end) {
    const element_job *j = context;
    float wide[STEP];
    for (intptr_t i = start; i < end; i += STEP) {
        intptr_t n = sn_least(STEP, end - i);
        j->kernels->from_bfloat((const uint16_t *)j->x + i, wide, n);
        j->kernels->unary(j->operation, wide, wide, n);
        j->kernels->to_bfloat(wide, (uint16_t *)j->y + i, n);
    }
}

void sn_unary_bfloat(sn_unary operation, const uint16_t *x, uint16_t *y, intptr_t n) {
    element_job job = {.x = x, .y = y, .operation = operation, .kernels = sn_kernels()};
    sn_parallel_for(n, GRAIN, unary_range, &job);
}

static void unary_gradient_range(void *context, intptr_t start, intptr_t end) {
    const element_job *j = context;
    float wide[STEP];
    for (intptr_t i = start; i < end; i += STEP) {
        intptr_t n = sn_least(STEP, end - i);
        j->kernels->from_bfloat((const uint16_t *)j->x + i, wide, n);
        j->gradients->unary_gradient(j->operation, wide, j->dy + i, (float *)j->y + i, n);
    }
}

void sn_unary_gradient_bfloat(sn_unary operation, const uint16_t *x, const float *dy, float *dx, intptr_t n) {
    element_job job = {.x = x, .dy = dy, .y = dx, .operation = operation, .kernels = sn_kernels(), .gradients = sn_gradients()};
    sn_parallel_for(n, GRAIN, unary_gradient_range, &job);
}
