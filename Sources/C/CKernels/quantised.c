// y = x W^T for weights that stay as they are stored. Activations become panels once, for all threads; then each task takes a block
// of rows of W and a block of tokens: chunk after chunk of k, rows are read into a tile and meet every panel. Sums lie transposed
// until a block is complete.
//
// Why INT8 activations have a scale and a zero point for every 128 elements of a row. Least cosine to f32 over 16 photographs (8 in
// the first two columns), weights int8 per row:
//
//                      one scale for all   one per row   with a zero point   one per 128, with a zero point
//     CLIP ViT-B/16    0.963               0.990         0.998               0.9996
//     DINOv2-small     0.990               0.996         0.996               0.997 (mean 0.9989)
//
// What remains of DINOv2 is the rounding of its weights: with exact activations they alone give 0.998. Symmetric scales per 64 elements
// give 0.9993 and 0.996.
#include <string.h>
#include "gemm.h"
#include "quant_kernels.h"
#include "scratch.h"

// Up to MOST_TAIL tokens beyond whole vectors go by dot products: one more vector would cost as much as sixteen tokens.
enum { BLOCK_ROWS = 48, BLOCK_TOKENS = 288, MAX_GROUPS = QUANT_CHUNK_BYTES / 16, MOST_TAIL = 4 };

quant_shape quant_shape_of(sn_weight_format format) {
    if (format <= SN_WEIGHT_BF16) return (quant_shape){0, false};
    if (format == SN_WEIGHT_INT8) return (quant_shape){128, true};
    return (quant_shape){format == SN_WEIGHT_Q6_K ? 16 : 32, false};
}

typedef struct {
    const sn_weights *w;
    const quant_table *kernels;
    const sn_epilogue *epilogue;
    quant_shape shape;
    const float *x;
    intptr_t m, x_row;
    float *y;
    intptr_t y_row;
    // panels
    intptr_t padded_k, element_bytes, groups, tokens;  // tokens: m to whole vectors
    uint8_t *bytes;
    float *scale, *term;
    intptr_t token_block, row_blocks;
    // tokens behind the m that fill vectors: too few for one more
    const uint8_t *tail_x;
    intptr_t tail_bytes, tail;
} linear_job;

// Tokens of the panel that starts at token t: two vectors, but one at the end.
static intptr_t panel_at(const linear_job *job, intptr_t t) { return sn_least(2 * job->kernels->lanes, job->tokens - t); }

static void pack_vectors(void *context, intptr_t start, intptr_t end) {
    const linear_job *job = context;
    intptr_t lanes = job->kernels->lanes;
    for (intptr_t vector = start; vector < end; vector++) {
        const float *rows[16];
        intptr_t token = vector * lanes, first = token / (2 * lanes) * (2 * lanes), lane = token - first;
        for (intptr_t i = 0; i < lanes; i++) rows[i] = job->x + sn_least(token + i, job->m - 1) * job->x_row;
        quant_pack_job pack = {.shape = job->shape, .rows = rows, .k = job->w->k, .panel = panel_at(job, first)};
        pack.bytes = job->bytes + first * job->padded_k * job->element_bytes + lane * 4;
        pack.scale = job->scale + first * job->groups + lane;
        pack.term = job->term + first * job->groups + lane;
        job->kernels->pack(&pack);
    }
}

typedef struct {
    uint8_t tile[QUANT_MAX_ROWS * QUANT_STRIDE];
    float scale[MAX_GROUPS * QUANT_MAX_ROWS], term[MAX_GROUPS * QUANT_MAX_ROWS];
    float sums[BLOCK_ROWS * BLOCK_TOKENS];  // [row of W][token]
} block_scratch;

// Part `part` of `parts` of the next tile's bytes, and the places where this tile's results for some tokens will go: both come from
// memory while the present tile is multiplied.
static void fetch_ahead(const linear_job *job, const quant_unpack_job *now, intptr_t row, intptr_t part, intptr_t parts, intptr_t t,
                        intptr_t tokens) {
    const sn_weights *w = job->w;
    intptr_t rows = sn_least(job->kernels->rows, w->n - row - job->kernels->rows), block = sn_weight_block_length(w->format);
    intptr_t bytes = (now->k + block - 1) / block * sn_weight_block_bytes(w->format), lines = bytes / 64 + 1;
    const uint8_t *next = (const uint8_t *)now->rows + job->kernels->rows * w->row_bytes;
    for (intptr_t i = 0; i < rows; i++)
        for (intptr_t line = lines * part / parts; line < lines * (part + 1) / parts; line++)
            __builtin_prefetch(next + i * w->row_bytes + line * 64, 0, 2);
    for (intptr_t i = t; i < sn_least(t + tokens, job->m); i++) __builtin_prefetch(job->y + i * job->y_row + row, 1, 3);
}

// A chunk of k of the rows of one tile times all panels of the block of tokens.
static void multiply_chunk(const linear_job *job, block_scratch *s, intptr_t row, intptr_t k0, intptr_t kc, intptr_t t0, intptr_t t1,
                           float *sums) {
    const sn_weights *w = job->w;
    const quant_table *f = job->kernels;
    intptr_t offset = k0 / sn_weight_block_length(w->format) * sn_weight_block_bytes(w->format);
    quant_unpack_job unpack = {.format = w->format, .rows = (const uint8_t *)w->rows + row * w->row_bytes + offset, .row_bytes = w->row_bytes,
                               .count = sn_least(f->rows, w->n - row), .k = kc, .tile = s->tile, .scale = s->scale, .term = s->term};
    f->unpack(&unpack);
    quant_tile_job tile = {.shape = job->shape, .words = (kc * job->element_bytes + 3) / 4, .w = s->tile, .w_scale = s->scale,
                           .w_term = s->term, .ldc = BLOCK_TOKENS};
    intptr_t group = job->shape.group ? k0 / job->shape.group : 0, part = 0;
    intptr_t parts = (t1 - t0 + 2 * f->lanes - 1) / (2 * f->lanes);
    bool last = k0 + kc == w->k;
    for (intptr_t t = t0; t < t1; t += tile.panel) {
        tile.panel = panel_at(job, t);
        fetch_ahead(job, &unpack, row, part++, parts, t, last ? tile.panel : 0);
        tile.x = job->bytes + (t * job->padded_k + k0 * tile.panel) * job->element_bytes;
        tile.x_scale = job->scale + t * job->groups + group * tile.panel;
        tile.x_term = job->term + t * job->groups + group * tile.panel;
        tile.c = sums + t - t0;
        f->tile(&tile);
    }
}

// Row scale, alpha, bias and activation on the transposed sums, whose rows are long.
static void finish_row(const linear_job *job, float *sums, intptr_t row, intptr_t tokens) {
    const sn_kernel_table *f = sn_kernels();
    const sn_epilogue *e = job->epilogue;
    float scale = (job->w->scales ? job->w->scales[row] : 1.0f) * (e ? e->alpha : 1.0f);
    if (scale != 1.0f) f->binary(SN_MUL, sums, 1, &scale, 0, sums, tokens);
    if (!e) return;
    if (e->bias) f->binary(SN_ADD, sums, 1, e->bias + row, 0, sums, tokens);
    if (e->scale) f->binary(SN_MUL, sums, 1, e->scale + row, 0, sums, tokens);
    if (e->activation >= 0) f->unary((sn_unary)e->activation, sums, sums, tokens);
}

static void finish_columns(const sn_epilogue *e, float *y, intptr_t token, intptr_t column, intptr_t n) {
    const sn_kernel_table *f = sn_kernels();
    if (e->alpha != 1.0f) f->binary(SN_MUL, y, 1, &e->alpha, 0, y, n);
    if (e->bias) f->binary(SN_ADD, y, 1, e->bias + column, 1, y, n);
    if (e->scale) f->binary(SN_MUL, y, 1, e->scale + column, 1, y, n);
    if (e->activation >= 0) f->unary((sn_unary)e->activation, y, y, n);
    if (e->residual) f->binary(SN_ADD, y, 1, e->residual + token * e->residual_stride + column, 1, y, n);
}

// The rows are in the cache still when the last tokens meet them.
static void multiply_tail(const linear_job *job, intptr_t row, intptr_t rows) {
    quant_dots_job dots = {job->w, job->tail_x, job->tail_bytes, job->tail, job->y + job->m * job->y_row, job->y_row};
    job->kernels->dots(&dots, row, row + rows);
    for (intptr_t t = 0; job->epilogue && t < job->tail; t++)
        finish_columns(job->epilogue, dots.y + t * job->y_row + row, job->m + t, row, rows);
}

static void multiply_block(const linear_job *job, block_scratch *s, intptr_t row0, intptr_t t0) {
    intptr_t rows = sn_least(BLOCK_ROWS, job->w->n - row0), chunk = QUANT_CHUNK_BYTES / job->element_bytes;
    intptr_t tokens = sn_least(job->token_block, job->m - t0), end = sn_least(t0 + job->token_block, job->tokens);
    memset(s->sums, 0, sizeof s->sums);
    for (intptr_t k0 = 0; k0 < job->w->k; k0 += chunk)
        for (intptr_t row = 0; row < rows; row += job->kernels->rows)
            multiply_chunk(job, s, row0 + row, k0, sn_least(chunk, job->w->k - k0), t0, end, s->sums + row * BLOCK_TOKENS);
    for (intptr_t row = 0; row < rows; row++) finish_row(job, s->sums + row * BLOCK_TOKENS, row0 + row, tokens);
    const sn_epilogue *e = job->epilogue;
    const float *residual = e && e->residual ? e->residual + t0 * e->residual_stride + row0 : NULL;
    sn_kernels()->transpose(s->sums, BLOCK_TOKENS, rows, tokens, residual, residual ? e->residual_stride : 0,
                            job->y + t0 * job->y_row + row0, job->y_row);
    if (job->tail && t0 + tokens == job->m) multiply_tail(job, row0, rows);
}

static void multiply_blocks(void *context, intptr_t start, intptr_t end) {
    const linear_job *job = context;
    block_scratch *s = (block_scratch *)(void *)sn_scratch(SCRATCH_QUANT, sizeof(block_scratch) / 4);
    for (intptr_t task = start; task < end; task++)
        multiply_block(job, s, task % job->row_blocks * BLOCK_ROWS, task / job->row_blocks * job->token_block);
}

// Whole panels in each block of tokens but the last, blocks of about equal size.
static intptr_t token_block_of(const linear_job *job) {
    intptr_t panel = 2 * job->kernels->lanes, blocks = (job->tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    return ((job->tokens + blocks - 1) / blocks + panel - 1) / panel * panel;
}

static void multiply_panels(linear_job *job) {
    intptr_t lanes = job->kernels->lanes, k = job->w->k;
    job->tail_bytes = job->kernels->dots_bytes ? job->kernels->dots_bytes(job->w->format, k) : 0;
    job->tail = job->tail_bytes && job->m % lanes <= MOST_TAIL ? job->m % lanes : 0;
    job->m -= job->tail;
    job->tokens = (job->m + lanes - 1) / lanes * lanes;
    job->padded_k = (k + QUANT_PIECE - 1) / QUANT_PIECE * QUANT_PIECE;
    job->element_bytes = job->shape.group ? 1 : 4;
    job->groups = job->shape.group ? job->padded_k / job->shape.group : 0;
    intptr_t scales = job->tokens * job->groups * 4, size = job->tokens * job->padded_k * job->element_bytes;
    intptr_t all = size + 2 * scales + job->tail * job->tail_bytes + 64;
    job->bytes = sn_pool_allocate(all);
    job->scale = (float *)(void *)(job->bytes + size);
    job->term = (float *)(void *)(job->bytes + size + scales);
    uint8_t *tail = job->bytes + size + 2 * scales;
    job->tail_x = tail;
    for (intptr_t t = 0; t < job->tail; t++)
        job->kernels->dots_prepare(job->w->format, job->x + (job->m + t) * job->x_row, k, tail + t * job->tail_bytes);
    sn_parallel_for(job->tokens / lanes, 1 + 32768 / (lanes * k + 1), pack_vectors, job);
    job->token_block = token_block_of(job);
    job->row_blocks = (job->w->n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    intptr_t token_blocks = (job->m + job->token_block - 1) / job->token_block;
    sn_parallel_for(job->row_blocks * token_blocks, 1, multiply_blocks, job);
    sn_pool_release(job->bytes, all);
}

// ---- few tokens

enum { MOST_DOTS = 12 };

typedef struct { quant_dots_job dots; const quant_table *kernels; const sn_epilogue *epilogue; } dots_context;

static void dot_rows(void *context, intptr_t start, intptr_t end) {
    const dots_context *c = context;
    c->kernels->dots(&c->dots, start, end);
    if (!c->epilogue) return;
    for (intptr_t t = 0; t < c->dots.m; t++) finish_columns(c->epilogue, c->dots.y + t * c->dots.y_row + start, t, start, end - start);
}

static void multiply_dots(const linear_job *job, intptr_t x_bytes) {
    const sn_weights *w = job->w;
    uint8_t *x = sn_pool_allocate(x_bytes * job->m);
    for (intptr_t t = 0; t < job->m; t++) job->kernels->dots_prepare(w->format, job->x + t * job->x_row, w->k, x + t * x_bytes);
    dots_context c = {{w, x, x_bytes, job->m, job->y, job->y_row}, job->kernels, job->epilogue};
    // A matrix of 100,000 elements is done before another thread has begun.
    sn_parallel_for(w->n, 2 + 131072 / (w->k + 1), dot_rows, &c);
    sn_pool_release(x, x_bytes * job->m);
}

void sn_linear_quantised(intptr_t m, const float *x, intptr_t x_row, const sn_weights *w, float *y, intptr_t y_row,
                         const sn_epilogue *epilogue) {
    if (m <= 0 || w->n <= 0) return;
    linear_job job = {.w = w, .kernels = quant_kernels(), .epilogue = epilogue, .shape = quant_shape_of(w->format), .x = x, .m = m,
                      .x_row = x_row, .y = y, .y_row = y_row};
    intptr_t prepared = m <= MOST_DOTS && job.kernels->dots_bytes ? job.kernels->dots_bytes(w->format, w->k) : 0;
    if (prepared) multiply_dots(&job, prepared);
    else multiply_panels(&job);
}
