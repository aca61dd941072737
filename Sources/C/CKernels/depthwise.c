// Convolution of each channel apart (groups == channels): a GEMM of one row has nothing to reuse, so every plane is copied once
// with its padding and its rows are convolved in place. A horizontal stride takes every stride-th column of the dense result's
// taps, which are laid out phase by phase so that they are adjacent.
#include <string.h>
#include "depthwise.h"
#include "scratch.h"

enum { LONGEST_KERNEL = 15 };

typedef struct {
    const float *x, *weight, *bias, *residual;
    int32_t activation;
    float *y;
    const sn_conv_shape *s;
    const sn_kernel_table *f;
    intptr_t row, height;  // floats of a padded row (all phases), padded rows
} depthwise_job;

bool sn_depthwise_fits(const sn_conv_shape *s) {
    return s->groups == s->in_channels && s->out_channels == s->in_channels && s->kernel_height <= LONGEST_KERNEL &&
           s->kernel_width <= LONGEST_KERNEL && (s->stride_width == 1 || s->dilation_width == 1);
}

// Columns of one phase of a padded row: input columns phase, phase + stride ... of the padded picture.
static intptr_t phase_width(const sn_conv_shape *s) { return s->out_width + (s->kernel_width - 1) * s->dilation_width / s->stride_width + 1; }

// One row of the picture with its padding, phase after phase.
static void pad_row(const sn_conv_shape *s, const float *from, float *to) {
    intptr_t width = phase_width(s), stride = s->stride_width;
    if (stride == 1) {
        intptr_t count = s->in_width < width - s->pad_left ? s->in_width : width - s->pad_left;
        if (count < 0) count = 0;
        memset(to, 0, (size_t)width * 4);
        if (count > 0) memcpy(to + s->pad_left, from, (size_t)count * 4);
        return;
    }
    for (intptr_t phase = 0; phase < stride; phase++)
        for (intptr_t i = 0; i < width; i++) {
            intptr_t column = i * stride + phase - s->pad_left;
            *to++ = column >= 0 && column < s->in_width ? from[column] : 0;
        }
}

static void convolve_row(const depthwise_job *job, const float *const *rows, const float *weight, float bias, float *out) {
    const sn_conv_shape *s = job->s;
    if (s->stride_width == 1) {
        job->f->depthwise_row(rows, s->kernel_height, s->kernel_width, s->dilation_width, weight, bias, out, s->out_width);
        return;
    }
    // Tap t reads phase t % stride from its column t / stride on: one tap of each row at a time would pass over the result too
    // often, so the taps of a phase go together.
    intptr_t width = phase_width(s), stride = s->stride_width;
    float part[LONGEST_KERNEL * LONGEST_KERNEL];
    float *sum = sn_scratch(SCRATCH_TILE, s->out_width);
    for (intptr_t phase = 0; phase < stride && phase < s->kernel_width; phase++) {
        const float *shifted[LONGEST_KERNEL];
        intptr_t taps = (s->kernel_width - phase + stride - 1) / stride;
        for (intptr_t r = 0; r < s->kernel_height; r++) {
            shifted[r] = rows[r] + phase * width;
            for (intptr_t t = 0; t < taps; t++) part[r * taps + t] = weight[r * s->kernel_width + phase + t * stride];
        }
        job->f->depthwise_row(shifted, s->kernel_height, taps, 1, part, phase ? 0 : bias, phase ? sum : out, s->out_width);
        if (phase) job->f->binary(SN_ADD, out, 1, sum, 1, out, s->out_width);
    }
}

static void depthwise_range(void *context, intptr_t start, intptr_t end) {
    const depthwise_job *job = context;
    const sn_conv_shape *s = job->s;
    intptr_t pixels = s->out_height * s->out_width, taps = s->kernel_height * s->kernel_width;
    float *plane = sn_scratch(SCRATCH_RIGHT, job->row * (job->height + 1)), *zeros = plane + job->row * job->height;
    memset(zeros, 0, (size_t)job->row * 4);
    for (intptr_t p = start; p < end; p++) {
        intptr_t channel = p % s->in_channels;
        const float *input = job->x + p * s->in_height * s->in_width, *weight = job->weight + channel * taps;
        float *out = job->y + p * pixels, bias = job->bias ? job->bias[channel] : 0;
        for (intptr_t r = 0; r < s->in_height; r++) pad_row(s, input + r * s->in_width, plane + r * job->row);
        for (intptr_t oy = 0; oy < s->out_height; oy++) {
            const float *rows[LONGEST_KERNEL];
            for (intptr_t r = 0; r < s->kernel_height; r++) {
                intptr_t iy = oy * s->stride_height - s->pad_top + r * s->dilation_height;
                rows[r] = iy >= 0 && iy < s->in_height ? plane + iy * job->row : zeros;
            }
            convolve_row(job, rows, weight, bias, out + oy * s->out_width);
        }
        if (job->residual) job->f->binary(SN_ADD, out, 1, job->residual + p * pixels, 1, out, pixels);
        if (job->activation >= 0) job->f->unary((sn_unary)job->activation, out, out, pixels);
    }
}

void sn_depthwise(const float *x, const float *weight, const float *bias, const float *residual, int32_t activation, float *y,
                  const sn_conv_shape *s) {
    depthwise_job job = {x, weight, bias, residual, activation, y, s, sn_kernels(), phase_width(s) * s->stride_width, s->in_height};
    intptr_t pixels = s->out_height * s->out_width, planes = s->batch * s->in_channels;
    if (!pixels || !planes) return;
    sn_parallel_for(planes, 1 + 16384 / (pixels * s->kernel_height * s->kernel_width), depthwise_range, &job);
}
