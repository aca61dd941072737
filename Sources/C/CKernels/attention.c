// Attention without a score matrix (Dao et al. 2022, "FlashAttention"; Milakov and Gimelshein 2018, "Online normalizer calculation
// for softmax"). A panel of queries meets the keys block by block. Scores are computed transposed, [key][query]: their softmax runs
// over whole vectors of queries, and they are at once the panel that the values are multiplied with.
#include <math.h>
#include <string.h>
#include "attention.h"
#include "gemm.h"
#include "scratch.h"

// Keys of a block; heads with up to RESIDENT keys are laid out once for all their queries.
enum { KEY_BLOCK = 512, RESIDENT = 2048, PAD = ATTENTION_PAD };

typedef struct {
    const float *q, *k, *v;
    float *out;
    const sn_attention_shape *s;
    intptr_t panels;  // of queries
    const sn_kernel_table *f;
} attention_job;

typedef struct {
    float *keys;    // [key][width + PAD]
    float *values;  // per block [value_width][KEY_BLOCK + PAD]: transposed
    float *query;   // [width][queries of a panel]
    float *scores;  // [KEY_BLOCK][queries]
    float *mixed;   // [value_width][queries]
} workspace;

intptr_t sn_visible_keys(const sn_attention_shape *s, intptr_t query) {
    if (!s->causal) return s->keys;
    intptr_t visible = query + 1 + s->keys - s->queries;
    return visible < 0 ? 0 : sn_least(visible, s->keys);
}

void sn_panel_product(const sn_kernel_table *f, intptr_t rows, intptr_t vectors, intptr_t k, const float *left, intptr_t stride,
                      const float *panel, float *c, intptr_t ldc, bool accumulate) {
    intptr_t tiles = (rows + f->mr - 1) / f->mr, each = tiles ? (rows + tiles - 1) / tiles : 0;
    for (intptr_t i = 0; i < rows; i += each)
        f->gemm_tile((int32_t)sn_least(each, rows - i), (int32_t)vectors, k, left + i * stride, stride, panel, c + i * ldc, ldc, accumulate);
}

void sn_mask_scores(const sn_kernel_table *f, const sn_attention_shape *s, intptr_t batch, intptr_t head, intptr_t q0, intptr_t queries,
                    intptr_t key0, intptr_t count, intptr_t width, float *scores) {
    if (s->mask)
        f->transpose(s->mask + batch * s->mask_batch + head * s->mask_head + q0 * s->mask_row + key0, s->mask_row, queries, count, scores,
                     width, scores, width);
    if (!s->causal) return;
    for (intptr_t i = 0; i < queries; i++) {
        intptr_t from = sn_visible_keys(s, q0 + i) - key0;
        for (intptr_t j = from < 0 ? 0 : from; j < count; j++) scores[j * width + i] = -INFINITY;
    }
}

static void lay_out(const attention_job *job, const float *k, const float *v, intptr_t first, intptr_t count, float *keys, float *values) {
    const sn_attention_shape *s = job->s;
    for (intptr_t j = 0; j < count; j++)
        memcpy(keys + j * (s->width + PAD), k + (first + j) * s->k_row, (size_t)s->width * 4);
    job->f->transpose(v + first * s->v_row, s->v_row, count, s->value_width, NULL, 0, values, KEY_BLOCK + PAD);
}

static void query_panel(const attention_job *job, intptr_t batch, intptr_t head, intptr_t panel, bool resident, const float *k,
                        const float *v, const workspace *w) {
    const sn_attention_shape *s = job->s;
    const sn_kernel_table *f = job->f;
    intptr_t q0 = panel * f->nr, queries = sn_least(f->nr, s->queries - q0), vectors = (queries + f->vw - 1) / f->vw, width = vectors * f->vw;
    float top[GEMM_NR_MAX], total[GEMM_NR_MAX], factor[GEMM_NR_MAX];
    for (int i = 0; i < GEMM_NR_MAX; i++) top[i] = -INFINITY, total[i] = 0, factor[i] = s->scale;
    if (queries < width) memset(w->query, 0, (size_t)(width * s->width) * 4);
    f->transpose(job->q + batch * s->q_batch + head * s->q_head + q0 * s->q_row, s->q_row, queries, s->width, NULL, 0, w->query, width);
    f->scale_columns(w->query, s->width, width, factor);
    memset(w->mixed, 0, (size_t)(width * s->value_width) * 4);
    intptr_t end = sn_visible_keys(s, q0 + queries - 1), slot = 0;
    for (intptr_t key0 = 0; key0 < end; key0 += KEY_BLOCK, slot += resident) {
        intptr_t count = sn_least(KEY_BLOCK, end - key0);
        float *keys = w->keys + slot * KEY_BLOCK * (s->width + PAD), *values = w->values + slot * s->value_width * (KEY_BLOCK + PAD);
        if (!resident) lay_out(job, k, v, key0, count, keys, values);
        sn_panel_product(f, count, vectors, s->width, keys, s->width + PAD, w->query, w->scores, width, false);
        sn_mask_scores(f, s, batch, head, q0, queries, key0, count, width, w->scores);
        f->softmax_columns(w->scores, count, width, top, total, factor);
        if (key0) f->scale_columns(w->mixed, s->value_width, width, factor);
        sn_panel_product(f, s->value_width, vectors, count, values, KEY_BLOCK + PAD, w->scores, w->mixed, width, key0 > 0);
    }
    for (intptr_t i = 0; i < width; i++) factor[i] = total[i] > 0 ? 1.0f / total[i] : 0.0f;
    f->scale_columns(w->mixed, s->value_width, width, factor);
    f->transpose(w->mixed, width, s->value_width, queries, NULL, 0, job->out + batch * s->o_batch + head * s->o_head + q0 * s->o_row,
                 s->o_row);
}

static void attention_range(void *context, intptr_t start, intptr_t end) {
    const attention_job *job = context;
    const sn_attention_shape *s = job->s;
    bool resident = s->keys <= RESIDENT;
    intptr_t slots = resident ? (s->keys + KEY_BLOCK - 1) / KEY_BLOCK : 1, nr = job->f->nr;
    intptr_t key_floats = slots * KEY_BLOCK * (s->width + PAD), value_floats = slots * s->value_width * (KEY_BLOCK + PAD);
    workspace w = {.keys = sn_scratch(SCRATCH_RIGHT, key_floats + value_floats)};
    w.values = w.keys + key_floats;
    w.scores = sn_scratch(SCRATCH_SCORES, nr * (KEY_BLOCK + s->width + s->value_width));
    w.query = w.scores + nr * KEY_BLOCK;
    w.mixed = w.query + nr * s->width;
    intptr_t laid = -1;
    for (intptr_t task = start; task < end; task++) {
        intptr_t panel = task % job->panels, head = task / job->panels % s->heads, batch = task / job->panels / s->heads;
        intptr_t source = head / (s->heads / s->key_heads);
        const float *k = job->k + batch * s->k_batch + source * s->k_head, *v = job->v + batch * s->v_batch + source * s->v_head;
        if (resident && laid != batch * s->key_heads + source) {
            laid = batch * s->key_heads + source;
            for (intptr_t i = 0; i < slots; i++)
                lay_out(job, k, v, i * KEY_BLOCK, sn_least(KEY_BLOCK, s->keys - i * KEY_BLOCK), w.keys + i * KEY_BLOCK * (s->width + PAD),
                        w.values + i * s->value_width * (KEY_BLOCK + PAD));
        }
        query_panel(job, batch, head, panel, resident, k, v, &w);
    }
}

// ---- few queries against many keys, as a decoder asks at every token: each key and value is read once, where it lies. The heads
// that share keys go together.

enum { SPAN = 256 };  // keys of a step

typedef struct { intptr_t lines, line_stride, out_stride, first_head, query; } line_set;

static void few_queries(const attention_job *job, intptr_t batch, intptr_t source, line_set set, float *scores, float *panel) {
    const sn_attention_shape *s = job->s;
    const sn_kernel_table *f = job->f;
    const float *k = job->k + batch * s->k_batch + source * s->k_head, *v = job->v + batch * s->v_batch + source * s->v_head;
    const float *q = job->q + batch * s->q_batch + set.first_head * s->q_head + set.query * s->q_row;
    float *out = job->out + batch * s->o_batch + set.first_head * s->o_head + set.query * s->o_row;
    f->gemm_dots((int32_t)s->keys, (int32_t)set.lines, s->width, k, s->k_row, q, set.line_stride, scores, s->keys);
    for (intptr_t t = 0; t < set.lines; t++) {
        bool heads = s->queries == 1;
        intptr_t head = set.first_head + (heads ? t : 0), query = set.query + (heads ? 0 : t), visible = sn_visible_keys(s, query);
        float *row = scores + t * s->keys, scale = s->scale;
        if (s->mask) {
            f->binary(SN_MUL, row, 1, &scale, 0, row, visible);
            f->binary(SN_ADD, row, 1, s->mask + batch * s->mask_batch + head * s->mask_head + query * s->mask_row, 1, row, visible);
            scale = 1.0f;
        }
        float total = f->softmax_exp(row, scale, row, visible), factor = total > 0 ? 1.0f / total : 0.0f;
        f->binary(SN_MUL, row, 1, &factor, 0, row, visible);
        for (intptr_t j = visible; j < s->keys; j++) row[j] = 0;
    }
    float tile[16 * GEMM_NR_MAX];
    for (intptr_t c = 0; c < s->value_width; c += f->nr) {
        intptr_t columns = sn_least(f->nr, s->value_width - c), vectors = (columns + f->vw - 1) / f->vw, width = vectors * f->vw;
        if (s->keys == 0) memset(tile, 0, sizeof tile);
        for (intptr_t key0 = 0; key0 < s->keys; key0 += SPAN) {
            intptr_t count = sn_least(SPAN, s->keys - key0);
            if (columns < width) memset(panel, 0, (size_t)(count * width) * 4);
            for (intptr_t j = 0; j < count; j++) memcpy(panel + j * width, v + (key0 + j) * s->v_row + c, (size_t)columns * 4);
            f->gemm_tile((int32_t)set.lines, (int32_t)vectors, count, scores + key0, s->keys, panel, tile, width, key0 > 0);
        }
        for (intptr_t t = 0; t < set.lines; t++) memcpy(out + t * set.out_stride + c, tile + t * width, (size_t)columns * 4);
    }
}

static void few_range(void *context, intptr_t start, intptr_t end) {
    const attention_job *job = context;
    const sn_attention_shape *s = job->s;
    intptr_t shared = s->heads / s->key_heads;
    float *scores = sn_scratch(SCRATCH_SCORES, job->f->dots * (s->keys + 1)), *panel = sn_scratch(SCRATCH_RIGHT, SPAN * job->f->nr);
    for (intptr_t task = start; task < end; task++) {
        intptr_t source = task % s->key_heads, batch = task / s->key_heads, first = source * shared;
        if (s->queries == 1) {
            for (intptr_t h = 0; h < shared; h += job->f->dots)
                few_queries(job, batch, source, (line_set){sn_least(job->f->dots, shared - h), s->q_head, s->o_head, first + h, 0}, scores, panel);
        } else {
            for (intptr_t h = 0; h < shared; h++)
                few_queries(job, batch, source, (line_set){s->queries, s->q_row, s->o_row, first + h, 0}, scores, panel);
        }
    }
}

void sn_attention(const float *q, const float *k, const float *v, float *out, const sn_attention_shape *shape) {
    const sn_kernel_table *f = sn_kernels();
    attention_job job = {q, k, v, out, shape, (shape->queries + f->nr - 1) / f->nr, f};
    intptr_t heads = shape->batch * shape->heads;
    double work = (double)shape->queries * (double)shape->keys * (double)(shape->width + shape->value_width);
    if (shape->queries <= f->dots && f->dots <= f->mr) {
        double each = work * (double)(shape->heads / shape->key_heads);
        sn_parallel_for(shape->batch * shape->key_heads, 1 + (intptr_t)(65536.0 / (each + 1)), few_range, &job);
        return;
    }
    // All panels of a head go to one thread where heads suffice, so that keys are laid out once.
    intptr_t grain = heads >= 2 * sn_thread_count() ? job.panels : 1;
    if (work * (double)heads < 131072.0) grain = heads * job.panels;
    sn_parallel_for(heads * job.panels, grain, attention_range, &job);
}
