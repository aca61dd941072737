// Max pooling row by row: every tap passes over the output row it reaches, so that the inner loop has no tests.
#include "sensorium_kernels.h"

typedef struct {
    const float *x;
    float *y;
    const sn_conv_shape *s;
} pool_job;

static void max_row(const sn_conv_shape *s, const float *row, intptr_t shift, float *out) {
    intptr_t stride = s->stride_width, first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    intptr_t room = s->in_width - 1 - shift, end = room < 0 ? 0 : room / stride + 1;
    if (end > s->out_width) end = s->out_width;
    for (intptr_t i = first; i < end; i++) {
        float v = row[i * stride + shift];
        out[i] = v > out[i] || v != v ? v : out[i];
    }
}

static void max_range(void *context, intptr_t start, intptr_t end) {
    const pool_job *job = context;
    const sn_conv_shape *s = job->s;
    for (intptr_t line = start; line < end; line++) {
        const float *plane = job->x + line / s->out_height * s->in_height * s->in_width;
        float *out = job->y + line * s->out_width;
        for (intptr_t i = 0; i < s->out_width; i++) out[i] = -__builtin_inff();
        for (intptr_t ky = 0; ky < s->kernel_height; ky++) {
            intptr_t iy = line % s->out_height * s->stride_height - s->pad_top + ky * s->dilation_height;
            if (iy < 0 || iy >= s->in_height) continue;
            for (intptr_t kx = 0; kx < s->kernel_width; kx++)
                max_row(s, plane + iy * s->in_width, kx * s->dilation_width - s->pad_left, out);
        }
    }
}

void sn_max_pool2d(const float *x, float *y, const sn_conv_shape *s) {
    pool_job job = {x, y, s};
    sn_parallel_for(s->batch * s->in_channels * s->out_height, 1 + 8192 / (s->out_width * s->kernel_height * s->kernel_width + 1), max_range, &job);
}
