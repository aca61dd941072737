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

void sn_conv_gather(const sn_conv_shape *s, const float *plane, intptr_t ky, intptr_t kx, intptr_t first, intptr_t count, float *to) {
    intptr_t oy = first / s->out_width, ox = first % s->out_width;
    for (intptr_t i = 0; i < count;) {
        intptr_t run = s->out_width - ox < count - i ? s->out_width - ox : count - i;
        intptr_t iy = oy * s->stride_height - s->pad_top + ky * s->dilation_height;
        intptr_t ix = ox * s->stride_width - s->pad_left + kx * s->dilation_width;
        if (iy < 0 || iy >= s->in_height) {
            memset(to + i, 0, (size_t)run * 4);
        } else {
            const float *row = plane + iy * s->in_width;
            if (s->stride_width == 1 && ix >= 0 && ix + run <= s->in_width) {
                memcpy(to + i, row + ix, (size_t)run * 4);
            } else {
                for (intptr_t j = 0; j < run; j++, ix += s->stride_width) to[i + j] = ix >= 0 && ix < s->in_width ? row[ix] : 0;
            }
        }
        i += run;
        ox = 0;
        oy++;
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
        for (intptr_t j = 0; j < count; j += nr) {
            intptr_t columns = sn_least(nr, count - j), width = (columns + f->vw - 1) / f->vw * f->vw;
            float *to = packed + j * k;
            if (columns < width) memset(to, 0, (size_t)(width * k) * 4);
            for (intptr_t c = 0; c < in_each; c++)
                for (intptr_t ky = 0; ky < s->kernel_height; ky++)
                    for (intptr_t kx = 0; kx < s->kernel_width; kx++, to += width)
                        sn_conv_gather(s, input + c * s->in_height * s->in_width, ky, kx, first + j, columns, to);
        }
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
