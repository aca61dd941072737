// The gradient of a convolution in its weights: dW = dy columns^T, summed over blocks of output pixels and over pictures. A task owns
// some columns of dW (taps of input channels) and, where those are few, a part of the pictures; parts are added in order.
#include <string.h>
#include "conv.h"
#include "gemm.h"
#include "scratch.h"
#include "sensorium_gradients.h"

enum { ENOUGH_TASKS = 16, TASK_PANELS = 4, PIXELS = CONV_RUN_PIXELS, GATHERED = PIXELS + 16 };
_Static_assert(CONV_RUN_PIXELS <= GEMM_KC, "rows of dy are read in one range");

typedef struct {
    const float *x, *dy;
    float *sums;  // [part][out_channels][k]: dweight itself where there is one part
    const sn_conv_shape *s;
    intptr_t k, columns, blocks;  // of a group: all columns, those of a task, tasks
    intptr_t parts, pictures;     // parts, and pictures of each
    const sn_kernel_table *f;
} weight_job;

typedef struct {
    float *gathered;  // [column][GATHERED]
    float *panels;    // the same as panels of nr columns
    float *copy;      // left rows
    float *tiles;     // [panel][out channel][width]
} workspace;

static intptr_t panel_width(const sn_kernel_table *f, intptr_t columns) { return (sn_least(columns, f->nr) + f->vw - 1) / f->vw * f->vw; }

static void gather_columns(const weight_job *job, const float *x, intptr_t column, intptr_t columns, intptr_t first, intptr_t count,
                           float *gathered) {
    const sn_conv_shape *s = job->s;
    intptr_t taps = s->kernel_height * s->kernel_width;
    for (intptr_t i = 0; i < columns; i++) {
        intptr_t tap = (column + i) % taps;
        sn_conv_run runs[CONV_RUN_PIXELS];
        intptr_t found = sn_conv_runs(s, tap / s->kernel_width, tap % s->kernel_width, first, count, runs);
        sn_conv_gather(x + (column + i) / taps * s->in_height * s->in_width, runs, found, s->stride_width, count, gathered + i * GATHERED);
    }
}

// tiles += dy[out_each][count, `all` apart] times the gathered columns.
static void add_products(const weight_job *job, const float *dy, intptr_t all, intptr_t out_each, intptr_t columns, intptr_t count,
                         const workspace *w) {
    const sn_kernel_table *f = job->f;
    sn_left left = {dy, out_each, count, all, 1, SN_WEIGHT_F32};
    bool direct = sn_left_direct(&left);
    for (intptr_t j = 0; j < columns; j += f->nr) {
        intptr_t some = sn_least(f->nr, columns - j), width = panel_width(f, some);
        if (some < width) memset(w->panels + j * PIXELS, 0, (size_t)(count * width) * 4);
        f->transpose(w->gathered + j * GATHERED, GATHERED, some, count, NULL, 0, w->panels + j * PIXELS, width);
    }
    for (intptr_t o = 0; o < out_each; o += GEMM_GROUP) {
        intptr_t rows = sn_least(GEMM_GROUP, out_each - o), stride = direct ? all : GEMM_LEFT;
        if (!direct) sn_left_range(&left, o, rows, 0, count, w->copy);
        const float *values = direct ? dy + o * all : w->copy;
        for (intptr_t j = 0; j < columns; j += f->nr) {
            intptr_t width = panel_width(f, columns - j);
            for (intptr_t i = 0; i < rows; i += f->mr)
                f->gemm_tile((int32_t)sn_least(f->mr, rows - i), (int32_t)(width / f->vw), count, values + i * stride, stride,
                             w->panels + j * PIXELS, w->tiles + j * out_each + (o + i) * width, width, true);
        }
    }
}

// The same for few output channels: dot products with the gathered columns where they lie; tiles are [out channel][column].
static void add_dots(const weight_job *job, const float *dy, intptr_t all, intptr_t out_each, intptr_t columns, intptr_t count,
                     const workspace *w) {
    const sn_kernel_table *f = job->f;
    f->gemm_dots((int32_t)columns, (int32_t)out_each, count, w->gathered, GATHERED, dy, all, w->panels, columns);
    f->binary(SN_ADD, w->tiles, 1, w->panels, 1, w->tiles, out_each * columns);
}

static void write_out(const weight_job *job, const float *tiles, bool dots, intptr_t out_each, intptr_t columns, float *to) {
    const sn_kernel_table *f = job->f;
    for (intptr_t j = 0; j < columns; j += dots ? columns : f->nr) {
        intptr_t some = dots ? columns : sn_least(f->nr, columns - j), width = dots ? columns : panel_width(f, some);
        for (intptr_t o = 0; o < out_each; o++) memcpy(to + o * job->k + j, tiles + j * out_each + o * width, (size_t)some * 4);
    }
}

static void weight_range(void *context, intptr_t start, intptr_t end) {
    const weight_job *job = context;
    const sn_conv_shape *s = job->s;
    const sn_kernel_table *f = job->f;
    intptr_t in_each = s->in_channels / s->groups, out_each = s->out_channels / s->groups, all = s->out_height * s->out_width;
    intptr_t widest = (job->columns + f->nr) * out_each;
    bool dots = out_each <= f->dots;
    workspace w = {sn_scratch(SCRATCH_SCORES, job->columns * GATHERED), sn_scratch(SCRATCH_RIGHT, (job->columns + f->nr) * PIXELS),
                   sn_scratch(SCRATCH_LEFT, sn_left_size(PIXELS)), sn_scratch(SCRATCH_TILE, widest)};
    for (intptr_t task = start; task < end; task++) {
        intptr_t column = task % job->blocks * job->columns, columns = sn_least(job->columns, job->k - column);
        intptr_t group = task / job->blocks % s->groups, part = task / job->blocks / s->groups;
        memset(w.tiles, 0, (size_t)widest * 4);
        for (intptr_t i = part * job->pictures; i < s->batch && i < (part + 1) * job->pictures; i++) {
            const float *x = job->x + (i * s->groups + group) * in_each * s->in_height * s->in_width;
            const float *dy = job->dy + (i * s->groups + group) * out_each * all;
            for (intptr_t first = 0; first < all; first += PIXELS) {
                intptr_t count = sn_least(PIXELS, all - first);
                gather_columns(job, x, column, columns, first, count, w.gathered);
                (dots ? add_dots : add_products)(job, dy + first, all, out_each, columns, count, &w);
            }
        }
        write_out(job, w.tiles, dots, out_each, columns, job->sums + (part * s->out_channels + group * out_each) * job->k + column);
    }
}

void sn_conv_weight_gradient(const float *x, const float *dy, float *dweight, const sn_conv_shape *s) {
    const sn_kernel_table *f = sn_kernels();
    intptr_t k = s->in_channels / s->groups * s->kernel_height * s->kernel_width, size = s->out_channels * k;
    if (size <= 0) return;
    weight_job job = {.x = x, .dy = dy, .sums = dweight, .s = s, .k = k, .columns = sn_least(k, TASK_PANELS * f->nr), .f = f};
    job.blocks = (k + job.columns - 1) / job.columns;
    intptr_t tasks = s->groups * job.blocks, wanted = (ENOUGH_TASKS + tasks - 1) / tasks;
    job.pictures = s->batch ? (s->batch + wanted - 1) / wanted : 1;
    job.parts = s->batch ? (s->batch + job.pictures - 1) / job.pictures : 1;
    if (job.parts > 1) job.sums = sn_pool_allocate(job.parts * size * 4);
    double work = (double)(job.columns * s->out_channels / s->groups) * (double)(s->out_height * s->out_width) * (double)job.pictures;
    sn_parallel_for(tasks * job.parts, 1 + (intptr_t)(65536.0 / (work + 1)), weight_range, &job);
    if (job.parts == 1) return;
    sn_sum_columns(job.sums, job.parts, size, dweight);
    sn_pool_release(job.sums, job.parts * size * 4);
}
