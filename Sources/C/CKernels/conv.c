// Convolution as GEMM without an im2col copy of the picture: the columns of a block of output pixels are gathered straight
// into packed panels, multiplied and forgotten.
#include <string.h>
#include "conv.h"
#include "depthwise.h"
#include "gemm.h"
#include "scratch.h"

typedef struct {
    const float *x, *weight, *bias, *residual;
    int32_t activation;
    float *y;
    const sn_conv_shape *s;
    intptr_t block, blocks;  // output pixels of a task, tasks per picture and group
    const sn_kernel_table *f;
} conv_job;

// Keeps of `run` pixels, whose inputs begin at place `in` of a line of `length`, those inside it.
static sn_conv_run inside(intptr_t to, intptr_t in, intptr_t step, intptr_t length, intptr_t run) {
    intptr_t skipped = in < 0 ? (-in + step - 1) / step : 0, end = in < length ? sn_least(run, (length - 1 - in) / step + 1) : 0;
    return (sn_conv_run){to + skipped, in + skipped * step, end - skipped};
}

intptr_t sn_conv_runs(const sn_conv_shape *s, intptr_t ky, intptr_t kx, intptr_t first, intptr_t count, sn_conv_run *runs) {
    intptr_t down = ky * s->dilation_height - s->pad_top, right = kx * s->dilation_width - s->pad_left, found = 0;
    if (right == 0 && s->stride_width == 1 && s->stride_height == 1 && s->out_width == s->in_width) {
        // Lines follow each other in the plane as they do in the result.
        runs[0] = inside(0, first + down * s->in_width, 1, s->in_height * s->in_width, count);
        return runs[0].count > 0;
    }
    intptr_t oy = first / s->out_width, ox = first % s->out_width;
    for (intptr_t i = 0; i < count; oy++, ox = 0) {
        intptr_t length = sn_least(s->out_width - ox, count - i), iy = oy * s->stride_height + down;
        if (iy >= 0 && iy < s->in_height) {
            sn_conv_run run = inside(i, ox * s->stride_width + right, s->stride_width, s->in_width, length);
            run.from += iy * s->in_width;
            if (run.count > 0) runs[found++] = run;
        }
        i += length;
    }
    return found;
}

void sn_conv_gather(const float *plane, const sn_conv_run *runs, intptr_t run_count, intptr_t step, intptr_t count, float *to) {
    if (run_count != 1 || runs->count != count) memset(to, 0, (size_t)count * 4);
    for (const sn_conv_run *run = runs; run < runs + run_count; run++) {
        const float *from = plane + run->from;
        float *line = to + run->to;
        if (step == 1) memcpy(line, from, (size_t)run->count * 4);
        else
            for (intptr_t i = 0; i < run->count; i++) line[i] = from[i * step];
    }
}

// Panels of a block of output pixels, [k][width] each: k counts channels, and in each its taps.
static void pack_block(const conv_job *job, const float *input, intptr_t first, intptr_t count, float *packed) {
    const sn_conv_shape *s = job->s;
    intptr_t channels = s->in_channels / s->groups, taps = s->kernel_height * s->kernel_width, plane = s->in_height * s->in_width;
    intptr_t nr = job->f->nr, k = channels * taps;
    for (intptr_t j = 0; j < count; j += nr) {
        intptr_t columns = sn_least(nr, count - j), width = (columns + job->f->vw - 1) / job->f->vw * job->f->vw;
        float *panel = packed + j * k;
        if (columns < width) memset(panel, 0, (size_t)(width * k) * 4);
        for (intptr_t tap = 0; tap < taps; tap++) {
            sn_conv_run runs[GEMM_NR_MAX];
            intptr_t found = sn_conv_runs(s, tap / s->kernel_width, tap % s->kernel_width, first + j, columns, runs);
            float *to = panel + tap * width;
            if (columns == GEMM_NR_MAX && found == 1 && runs->count == columns && s->stride_width == 1) {
                // Of known length, so that no call is made.
                const float *from = input + runs->from;
                for (intptr_t c = 0; c < channels; c++, from += plane, to += taps * width) memcpy(to, from, GEMM_NR_MAX * 4);
            } else {
                for (intptr_t c = 0; c < channels; c++, to += taps * width)
                    sn_conv_gather(input + c * plane, runs, found, s->stride_width, columns, to);
            }
        }
    }
}

static void conv_range(void *context, intptr_t start, intptr_t end) {
    const conv_job *job = context;
    const sn_conv_shape *s = job->s;
    const sn_kernel_table *f = job->f;
    intptr_t in_each = s->in_channels / s->groups, out_each = s->out_channels / s->groups;
    intptr_t k = in_each * s->kernel_height * s->kernel_width, pixels = s->out_height * s->out_width, nr = f->nr;
    float *packed = sn_scratch(SCRATCH_RIGHT, (job->block + nr) * k), *copy = sn_scratch(SCRATCH_LEFT, sn_left_size(k));
    for (intptr_t task = start; task < end; task++) {
        intptr_t block = task % job->blocks, group = task / job->blocks % s->groups, picture = task / job->blocks / s->groups;
        intptr_t first = block * job->block, count = pixels - first < job->block ? pixels - first : job->block;
        const float *input = job->x + (picture * s->in_channels + group * in_each) * s->in_height * s->in_width;
        pack_block(job, input, first, count, packed);
        sn_left left = {job->weight + group * out_each * k, out_each, k, k, 1, SN_WEIGHT_F32};
        for (intptr_t o = 0; o < out_each; o += GEMM_GROUP) {
            intptr_t rows = sn_least(GEMM_GROUP, out_each - o), channel = group * out_each + o;
            float *out = job->y + (picture * s->out_channels + channel) * pixels + first;
            sn_group group_rows = sn_left_copy(&left, o, rows, copy);
            for (intptr_t j = 0; j < count; j += nr)
                sn_group_times_columns(group_rows, rows, k, packed + j * k, sn_least(nr, count - j), out + j, pixels);
            for (intptr_t r = 0; r < rows; r++) {
                float *line = out + r * pixels;
                if (job->bias) f->binary(SN_ADD, line, 1, job->bias + channel + r, 0, line, count);
                if (job->residual) f->binary(SN_ADD, line, 1, job->residual + (line - job->y), 1, line, count);
                if (job->activation >= 0) f->unary((sn_unary)job->activation, line, line, count);
            }
        }
    }
}

void sn_conv2d(const float *x, const float *weight, const float *bias, const float *residual, int32_t activation, float *y,
               const sn_conv_shape *s) {
    if (sn_depthwise_fits(s)) {
        sn_depthwise(x, weight, bias, residual, activation, y, s);
        return;
    }
    conv_job job = {x, weight, bias, residual, activation, y, s, 0, 0, sn_kernels()};
    intptr_t k = s->in_channels / s->groups * s->kernel_height * s->kernel_width, pixels = s->out_height * s->out_width;
    if (!pixels || !s->batch) return;
    // Panels of a task take about 512 KiB: they stay in L2 while all output channels pass over them.
    intptr_t nr = job.f->nr, panels = 131072 / (k * nr + 1);
    if (panels < 1) panels = 1;
    intptr_t all = (pixels + nr - 1) / nr, even = (all + sn_thread_count() - 1) / sn_thread_count();
    if (panels > even && s->batch * s->groups < 2 * sn_thread_count()) panels = even;
    if (panels > all) panels = all;
    job.block = panels * nr;
    job.blocks = (pixels + job.block - 1) / job.block;
    sn_parallel_for(s->batch * s->groups * job.blocks, 1, conv_range, &job);
}
