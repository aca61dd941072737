// The gradients of attention, with the scores computed again (Dao et al. 2022, "FlashAttention", section B.2). A panel of queries
// meets all the keys it sees. With S the scores, P their softmax and dP = dO V^T:
//   dS = P * (dP - sum over keys of P * dP),  dQ = scale dS K,  dK = dS^T (scale Q),  dV = P^T dO.
// Scores lie transposed, [key][query]: they are the panel that K^T is multiplied with for dQ, and the left rows of dK and dV.
#include <math.h>
#include <string.h>
#include "attention.h"
#include "gemm.h"
#include "scratch.h"
#include "sensorium_gradients.h"

// Heads of keys are cut into parts of their queries, whose dk and dv are added in order, where there are fewer heads than this.
enum { PAD = ATTENTION_PAD, ENOUGH_TASKS = 32, PART_PANELS = 4 };

typedef struct {
    const float *q, *k, *v, *dout;
    float *dq, *dk, *dv;
    const sn_attention_shape *s, *places;  // places: the strides of dq, dk and dv
    intptr_t panels;               // of queries, of one head
    intptr_t parts, part;          // of a head of keys, and the (head, panel) pairs of each
    intptr_t key_row, value_row;   // widths in whole vectors
    float *sums;                   // [head of keys][part][keys][key_row + value_row]; NULL where a head is one part
    const sn_kernel_table *f;
    const sn_gradient_table *g;
} gradient_job;

typedef struct {
    float *keys;     // [key][width + PAD]
    float *turned;   // [width][keys + PAD]: K^T
    float *values;   // [key][value_width + PAD]
    float *query;    // [width][queries]: scaled, a panel
    float *dout;     // [value_width][queries], a panel
    float *queries;  // the same two as panels of columns for dK and dV: [columns / nr][queries][nr]
    float *douts;
    float *p, *dp;   // [key][queries]
    float *dq;       // [width][queries]
    float *sums;     // [key][key_row + value_row]
} workspace;

static intptr_t whole_vectors(const sn_kernel_table *f, intptr_t n) { return (n + f->vw - 1) / f->vw * f->vw; }

// x[rows][columns] * scale as panels of nr columns, the last one as narrow as whole vectors allow.
static void columns_of(const sn_kernel_table *f, const float *x, intptr_t stride, intptr_t rows, intptr_t columns, const float *scale,
                       float *to) {
    for (intptr_t c = 0; c < columns; c += f->nr) {
        intptr_t some = sn_least(f->nr, columns - c), width = whole_vectors(f, some);
        if (some < width) memset(to, 0, (size_t)(rows * width) * 4);
        for (intptr_t i = 0; i < rows; i++, to += width) {
            if (scale) f->binary(SN_MUL, x + i * stride + c, 1, scale, 0, to, some);
            else memcpy(to, x + i * stride + c, (size_t)some * 4);
        }
    }
}

// sums[rows][row] += left rows [rows][stride], k of them each, times the panels of columns_of.
static void add_product(const sn_kernel_table *f, intptr_t rows, intptr_t k, const float *left, intptr_t stride, const float *panels,
                        intptr_t columns, float *sums, intptr_t row) {
    for (intptr_t c = 0; c < columns; c += f->nr) {
        intptr_t vectors = whole_vectors(f, sn_least(f->nr, columns - c)) / f->vw;
        sn_panel_product(f, rows, vectors, k, left, stride, panels + c * k, sums + c, row, true);
    }
}

// x[queries][columns] turned into one panel.
static void turn(const sn_kernel_table *f, const float *x, intptr_t stride, intptr_t queries, intptr_t columns, intptr_t width, float *to) {
    if (queries < width) memset(to, 0, (size_t)(width * columns) * 4);
    f->transpose(x, stride, queries, columns, NULL, 0, to, width);
}

static void query_panel(const gradient_job *job, intptr_t batch, intptr_t head, intptr_t panel, const workspace *w, float *sums) {
    const sn_attention_shape *s = job->s;
    const sn_kernel_table *f = job->f;
    intptr_t q0 = panel * f->nr, queries = sn_least(f->nr, s->queries - q0), width = whole_vectors(f, queries), vectors = width / f->vw;
    const float *q = job->q + batch * s->q_batch + head * s->q_head + q0 * s->q_row;
    const float *dout = job->dout + batch * s->o_batch + head * s->o_head + q0 * s->o_row;
    float *dq = job->dq + batch * job->places->q_batch + head * job->places->q_head + q0 * job->places->q_row;
    intptr_t count = sn_visible_keys(s, q0 + queries - 1);
    if (count == 0) {
        for (intptr_t i = 0; i < queries; i++) memset(dq + i * job->places->q_row, 0, (size_t)s->width * 4);
        return;
    }
    float top[GEMM_NR_MAX], total[GEMM_NR_MAX], factor[GEMM_NR_MAX], scale[GEMM_NR_MAX];
    for (int i = 0; i < GEMM_NR_MAX; i++) top[i] = -INFINITY, total[i] = 0, scale[i] = s->scale;
    turn(f, q, s->q_row, queries, s->width, width, w->query);
    f->scale_columns(w->query, s->width, width, scale);
    turn(f, dout, s->o_row, queries, s->value_width, width, w->dout);
    columns_of(f, q, s->q_row, queries, s->width, &s->scale, w->queries);
    columns_of(f, dout, s->o_row, queries, s->value_width, NULL, w->douts);

    sn_panel_product(f, count, vectors, s->width, w->keys, s->width + PAD, w->query, w->p, width, false);
    sn_mask_scores(f, s, batch, head, q0, queries, 0, count, width, w->p);
    f->softmax_columns(w->p, count, width, top, total, factor);
    sn_panel_product(f, count, vectors, s->value_width, w->values, s->value_width + PAD, w->dout, w->dp, width, false);
    for (intptr_t i = 0; i < width; i++) factor[i] = total[i] > 0 ? 1.0f / total[i] : 0.0f;
    job->g->softmax_gradient_columns(w->p, w->dp, count, width, factor);

    intptr_t row = job->key_row + job->value_row;
    add_product(f, count, queries, w->p, width, w->douts, s->value_width, sums + job->key_row, row);
    add_product(f, count, queries, w->dp, width, w->queries, s->width, sums, row);
    sn_panel_product(f, s->width, vectors, count, w->turned, s->keys + PAD, w->dp, w->dq, width, false);
    f->scale_columns(w->dq, s->width, width, scale);
    f->transpose(w->dq, width, s->width, queries, NULL, 0, dq, job->places->q_row);
}

static workspace make_workspace(const gradient_job *job) {
    const sn_attention_shape *s = job->s;
    intptr_t nr = job->f->nr, m = s->keys;
    workspace w = {.keys = sn_scratch(SCRATCH_RIGHT, m * (s->width + s->value_width + 2 * PAD) + s->width * (m + PAD))};
    w.values = w.keys + m * (s->width + PAD);
    w.turned = w.values + m * (s->value_width + PAD);
    w.p = sn_scratch(SCRATCH_SCORES, nr * (2 * m + 2 * s->width + s->value_width) + (nr + m) * (job->key_row + job->value_row));
    w.dp = w.p + nr * m;
    w.query = w.dp + nr * m;
    w.dq = w.query + nr * s->width;
    w.dout = w.dq + nr * s->width;
    w.queries = w.dout + nr * s->value_width;
    w.douts = w.queries + nr * job->key_row;
    w.sums = w.douts + nr * job->value_row;
    return w;
}

static void lay_out(const gradient_job *job, intptr_t batch, intptr_t source, const workspace *w) {
    const sn_attention_shape *s = job->s;
    const float *k = job->k + batch * s->k_batch + source * s->k_head, *v = job->v + batch * s->v_batch + source * s->v_head;
    for (intptr_t j = 0; j < s->keys; j++) {
        memcpy(w->keys + j * (s->width + PAD), k + j * s->k_row, (size_t)s->width * 4);
        memcpy(w->values + j * (s->value_width + PAD), v + j * s->v_row, (size_t)s->value_width * 4);
    }
    job->f->transpose(k, s->k_row, s->keys, s->width, NULL, 0, w->turned, s->keys + PAD);
}

// dk and dv of `rows` keys from `first` on, counted over all heads of keys.
static void write_out(const gradient_job *job, const float *sums, intptr_t first, intptr_t rows) {
    const sn_attention_shape *s = job->s, *to = job->places;
    for (intptr_t i = first; i < first + rows; i++, sums += job->key_row + job->value_row) {
        intptr_t key = i % s->keys, source = i / s->keys % s->key_heads, batch = i / s->keys / s->key_heads;
        memcpy(job->dk + batch * to->k_batch + source * to->k_head + key * to->k_row, sums, (size_t)s->width * 4);
        memcpy(job->dv + batch * to->v_batch + source * to->v_head + key * to->v_row, sums + job->key_row, (size_t)s->value_width * 4);
    }
}

// A task is a part of the queries that share a head of keys.
static void parts_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *job = context;
    const sn_attention_shape *s = job->s;
    intptr_t shared = s->heads / s->key_heads, size = s->keys * (job->key_row + job->value_row), laid = -1;
    workspace w = make_workspace(job);
    for (intptr_t task = start; task < end; task++) {
        intptr_t owner = task / job->parts, first = task % job->parts * job->part, last = sn_least(first + job->part, shared * job->panels);
        intptr_t batch = owner / s->key_heads, source = owner % s->key_heads;
        float *sums = job->sums ? job->sums + task * size : w.sums;
        if (laid != owner) lay_out(job, batch, source, &w);
        laid = owner;
        memset(sums, 0, (size_t)size * 4);
        for (intptr_t i = first; i < last; i++)
            query_panel(job, batch, source * shared + i / job->panels, i % job->panels, &w, sums);
        if (!job->sums) write_out(job, sums, owner * s->keys, s->keys);
    }
}

// Adds the parts of rows (head of keys, key) in their order.
static void join_range(void *context, intptr_t start, intptr_t end) {
    const gradient_job *job = context;
    intptr_t keys = job->s->keys, row = job->key_row + job->value_row;
    for (intptr_t i = start; i < end; i++) {
        float *sums = job->sums + (i / keys * job->parts * keys + i % keys) * row;
        job->g->add_rows(sums + keys * row, job->parts - 1, keys * row, sums, row);
        write_out(job, sums, i, 1);
    }
}

void sn_attention_gradient(const float *q, const float *k, const float *v, const float *dout, float *dq, float *dk, float *dv,
                           const sn_attention_shape *s, const sn_attention_shape *places) {
    const sn_kernel_table *f = sn_kernels();
    gradient_job job = {.q = q, .k = k, .v = v, .dout = dout, .dq = dq, .dk = dk, .dv = dv, .s = s, .places = places, .f = f,
                        .g = sn_gradients()};
    intptr_t owners = s->batch * s->key_heads;
    if (owners <= 0) return;
    job.panels = (s->queries + f->nr - 1) / f->nr;
    intptr_t all = s->heads / s->key_heads * job.panels, wanted = (ENOUGH_TASKS + owners - 1) / owners;
    job.parts = sn_least(wanted, (all + PART_PANELS - 1) / PART_PANELS);
    if (job.parts < 1) job.parts = 1;
    job.part = (all + job.parts - 1) / job.parts;
    job.key_row = whole_vectors(f, s->width);
    job.value_row = whole_vectors(f, s->value_width);
    intptr_t bytes = owners * job.parts * s->keys * (job.key_row + job.value_row) * 4;
    if (job.parts > 1) job.sums = sn_pool_allocate(bytes);
    double work = (double)s->queries * (double)s->keys * (double)(s->width + s->value_width) * (double)s->heads / (double)s->key_heads;
    sn_parallel_for(owners * job.parts, 1 + (intptr_t)(65536.0 * (double)job.parts / (work + 1)), parts_range, &job);
    if (!job.sums) return;
    sn_parallel_for(owners * s->keys, 1 + 16384 / (job.parts * (job.key_row + job.value_row) + 1), join_range, &job);
    sn_pool_release(job.sums, bytes);
}
