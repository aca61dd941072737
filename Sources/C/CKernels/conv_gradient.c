// Gradients of a convolution in its inputs and biases; conv_weight_gradient.c has that in its weights. The columns under a block of
// output pixels are W^T dy; each row of them, one tap of one channel, is added where the tap read its input.
#include <string.h>
#include "conv.h"
#include "depthwise.h"
#include "gemm.h"
#include "scratch.h"
#include "sensorium_gradients.h"

// Tasks that are worth cutting a picture's channels for; floats of dy that stay in L2 as panels.
enum { ENOUGH_TASKS = 16, PANEL_FLOATS = 131072 };

typedef struct {
    const float *weight, *dy;
    float *dx;
    const sn_conv_shape *s;
    intptr_t channels, blocks;  // input channels of a task, tasks per picture and group
    intptr_t pixels;            // output pixels at a time
    const sn_kernel_table *f;
} input_job;

// The inverse of sn_conv_gather: adds values of a row of columns to the places that tap (ky, kx) reads.
static void scatter(const sn_conv_shape *s, const float *from, intptr_t ky, intptr_t kx, intptr_t first, intptr_t count, float *plane,
                    const sn_kernel_table *f) {
    intptr_t oy = first / s->out_width, ox = first % s->out_width, stride = s->stride_width;
    for (intptr_t i = 0, run; i < count; i += run, ox = 0, oy++) {
        run = sn_least(s->out_width - ox, count - i);
        intptr_t iy = oy * s->stride_height - s->pad_top + ky * s->dilation_height;
        intptr_t ix = ox * stride - s->pad_left + kx * s->dilation_width;
        if (iy < 0 || iy >= s->in_height) continue;
        intptr_t begin = ix < 0 ? (-ix + stride - 1) / stride : 0, room = s->in_width - 1 - ix;
        intptr_t end = room < 0 ? 0 : sn_least(run, room / stride + 1);
        if (begin >= end) continue;
        float *row = plane + iy * s->in_width + ix;
        if (stride == 1) f->binary(SN_ADD, row + begin, 1, from + i + begin, 1, row + begin, end - begin);
        else for (intptr_t j = begin; j < end; j++) row[j * stride] += from[i + j];
    }
}

static void input_range(void *context, intptr_t start, intptr_t end) {
    const input_job *job = context;
    const sn_conv_shape *s = job->s;
    const sn_kernel_table *f = job->f;
    intptr_t in_each = s->in_channels / s->groups, out_each = s->out_channels / s->groups, taps = s->kernel_height * s->kernel_width;
    intptr_t all = s->out_height * s->out_width, size = s->in_height * s->in_width;
    float *copy = sn_scratch(SCRATCH_LEFT, sn_left_size(out_each)), *columns = sn_scratch(SCRATCH_TILE, GEMM_GROUP * job->pixels);
    float *panels = sn_scratch(SCRATCH_RIGHT, (job->pixels + f->nr) * out_each);
    for (intptr_t task = start; task < end; task++) {
        intptr_t channel = task % job->blocks * job->channels, plane = task / job->blocks;  // of one group of one picture
        intptr_t group = plane % s->groups, rows = sn_least(job->channels, in_each - channel) * taps;
        float *dx = job->dx + (plane * in_each + channel) * size;
        const float *dy = job->dy + plane * out_each * all;
        sn_left turned = {job->weight + (group * out_each * in_each + channel) * taps, rows, out_each, 1, in_each * taps, SN_WEIGHT_F32};
        memset(dx, 0, (size_t)(rows / taps * size) * 4);
        for (intptr_t first = 0; first < all; first += job->pixels) {
            intptr_t count = sn_least(job->pixels, all - first);
            sn_pack_right(dy + first, count, out_each, 1, all, panels);
            for (intptr_t r = 0; r < rows; r += GEMM_GROUP) {
                intptr_t some = sn_least(GEMM_GROUP, rows - r);
                sn_group left = sn_left_copy(&turned, r, some, copy);
                for (intptr_t j = 0; j < count; j += f->nr)
                    sn_group_times_columns(left, some, out_each, panels + j * out_each, sn_least(f->nr, count - j), columns + j, count);
                for (intptr_t i = 0; i < some; i++) {
                    intptr_t tap = (r + i) % taps;
                    scatter(s, columns + i * count, tap / s->kernel_width, tap % s->kernel_width, first, count,
                            dx + (r + i) / taps * size, f);
                }
            }
        }
    }
}

// One kernel per channel and a stride of 1: a convolution of dy with the kernels turned by half a circle.
static bool depthwise_input(const float *weight, const float *dy, float *dx, const sn_conv_shape *s) {
    sn_conv_shape back = *s;
    back.in_height = s->out_height, back.in_width = s->out_width, back.out_height = s->in_height, back.out_width = s->in_width;
    back.pad_top = (s->kernel_height - 1) * s->dilation_height - s->pad_top;
    back.pad_left = (s->kernel_width - 1) * s->dilation_width - s->pad_left;
    if (!sn_depthwise_fits(s) || s->stride_height != 1 || s->stride_width != 1 || back.pad_top < 0 || back.pad_left < 0) return false;
    intptr_t taps = s->kernel_height * s->kernel_width, count = s->in_channels * taps;
    float *turned = sn_pool_allocate(count * 4);
    for (intptr_t i = 0; i < count; i++) turned[i] = weight[i / taps * taps + taps - 1 - i % taps];
    sn_depthwise(dy, turned, NULL, NULL, -1, dx, &back);
    sn_pool_release(turned, count * 4);
    return true;
}

static void input_gradient(const float *weight, const float *dy, float *dx, const sn_conv_shape *s) {
    intptr_t all = s->out_height * s->out_width, planes = s->batch * s->groups, taps = s->kernel_height * s->kernel_width;
    if (!all || !s->out_channels) {
        memset(dx, 0, (size_t)(s->batch * s->in_channels * s->in_height * s->in_width) * 4);
        return;
    }
    if (!planes || depthwise_input(weight, dy, dx, s)) return;
    intptr_t in_each = s->in_channels / s->groups, out_each = s->out_channels / s->groups;
    input_job job = {weight, dy, dx, s, 0, 0, 0, sn_kernels()};
    // Channels whose taps fill a group of rows at least, so that packing dy again for each task costs little.
    intptr_t wanted = (ENOUGH_TASKS + planes - 1) / planes, least = (GEMM_GROUP + taps - 1) / taps;
    job.channels = (in_each + wanted - 1) / wanted;
    if (job.channels < least) job.channels = sn_least(least, in_each);
    job.blocks = (in_each + job.channels - 1) / job.channels;
    intptr_t panels = PANEL_FLOATS / (out_each * job.f->nr), most = PANEL_FLOATS / (GEMM_GROUP * job.f->nr);
    job.pixels = sn_least(all, (panels < 1 ? 1 : sn_least(panels, most)) * job.f->nr);
    double work = (double)(job.channels * taps) * (double)out_each * (double)all;
    sn_parallel_for(planes * job.blocks, 1 + (intptr_t)(65536.0 / (work + 1)), input_range, &job);
}

typedef struct { const float *dy; float *dbias; const sn_conv_shape *s; const sn_kernel_table *f; } bias_job;

static void bias_range(void *context, intptr_t start, intptr_t end) {
    const bias_job *job = context;
    intptr_t all = job->s->out_height * job->s->out_width;
    for (intptr_t c = start; c < end; c++) {
        double total = 0;
        for (intptr_t i = 0; i < job->s->batch; i++) total += job->f->sum(job->dy + (i * job->s->out_channels + c) * all, all);
        job->dbias[c] = (float)total;
    }
}

void sn_conv2d_gradient(const float *x, const float *weight, const float *dy, float *dx, float *dweight, float *dbias,
                        const sn_conv_shape *s) {
    if (dx) input_gradient(weight, dy, dx, s);
    if (dweight) (sn_depthwise_weight_fits(s) ? sn_depthwise_weight_gradient : sn_conv_weight_gradient)(x, dy, dweight, s);
    bias_job job = {dy, dbias, s, sn_kernels()};
    if (dbias) sn_parallel_for(s->out_channels, 1 + 16384 / (s->batch * s->out_height * s->out_width + 1), bias_range, &job);
}
