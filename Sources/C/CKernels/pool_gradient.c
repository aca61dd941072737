// Gradients of pooling. A task owns whole planes, so that windows which overlap need no atomics.
#include <string.h>
#include "pool.h"
#include "sensorium_gradients.h"

typedef struct {
    const float *x, *dy;
    float *dx;
    const sn_conv_shape *s;
    intptr_t pad_bottom, pad_right;
    int count_padding;
} pool_job;

// Taps of a window along one axis that lie inside the picture: first of them, and one past the last.
typedef struct { intptr_t first, end; } taps;

static taps inside(intptr_t start, intptr_t kernel, intptr_t dilation, intptr_t size) {
    intptr_t first = start < 0 ? (-start + dilation - 1) / dilation : 0, end = start < size ? (size - 1 - start) / dilation + 1 : 0;
    return (taps){first, end < kernel ? end : kernel};
}

// The place that max pooling takes: the first of the largest, or the last NaN, as in PyTorch; -1 where the window holds none.
static intptr_t largest(const sn_conv_shape *s, const float *plane, intptr_t y, intptr_t x, taps rows, taps columns) {
    intptr_t best = -1;
    float most = -__builtin_inff();
    for (intptr_t ky = rows.first; ky < rows.end; ky++)
        for (intptr_t kx = columns.first; kx < columns.end; kx++) {
            intptr_t place = (y + ky * s->dilation_height) * s->in_width + x + kx * s->dilation_width;
            float v = plane[place];
            if (best >= 0 && !(v > most) && v == v) continue;
            best = place;
            most = v;
        }
    return best;
}

static void max_range(void *context, intptr_t start, intptr_t end) {
    const pool_job *job = context;
    const sn_conv_shape *s = job->s;
    intptr_t size = s->in_height * s->in_width;
    for (intptr_t p = start; p < end; p++) {
        const float *dy = job->dy + p * s->out_height * s->out_width;
        float *dx = job->dx + p * size;
        memset(dx, 0, (size_t)size * 4);
        for (intptr_t oy = 0; oy < s->out_height; oy++) {
            intptr_t y = oy * s->stride_height - s->pad_top;
            taps rows = inside(y, s->kernel_height, s->dilation_height, s->in_height);
            for (intptr_t ox = 0; ox < s->out_width; ox++) {
                intptr_t x = ox * s->stride_width - s->pad_left;
                intptr_t best = largest(s, job->x + p * size, y, x, rows, inside(x, s->kernel_width, s->dilation_width, s->in_width));
                if (best >= 0) dx[best] += dy[oy * s->out_width + ox];
            }
        }
    }
}

static void mean_range(void *context, intptr_t start, intptr_t end) {
    const pool_job *job = context;
    const sn_conv_shape *s = job->s;
    intptr_t size = s->in_height * s->in_width;
    for (intptr_t p = start; p < end; p++) {
        const float *dy = job->dy + p * s->out_height * s->out_width;
        float *dx = job->dx + p * size;
        memset(dx, 0, (size_t)size * 4);
        for (intptr_t oy = 0; oy < s->out_height; oy++) {
            intptr_t y = oy * s->stride_height - s->pad_top;
            taps rows = inside(y, s->kernel_height, s->dilation_height, s->in_height);
            intptr_t high = sn_pool_covered(y, s->kernel_height, s->dilation_height, s->in_height, job->pad_bottom, job->count_padding);
            for (intptr_t ox = 0; ox < s->out_width; ox++) {
                intptr_t x = ox * s->stride_width - s->pad_left;
                taps columns = inside(x, s->kernel_width, s->dilation_width, s->in_width);
                intptr_t wide = sn_pool_covered(x, s->kernel_width, s->dilation_width, s->in_width, job->pad_right, job->count_padding);
                float share = dy[oy * s->out_width + ox] / (float)(high * wide);
                for (intptr_t ky = rows.first; ky < rows.end; ky++)
                    for (intptr_t kx = columns.first; kx < columns.end; kx++)
                        dx[(y + ky * s->dilation_height) * s->in_width + x + kx * s->dilation_width] += share;
            }
        }
    }
}

static void pool_gradient(pool_job *job, sn_range_body range) {
    const sn_conv_shape *s = job->s;
    intptr_t work = s->out_height * s->out_width * s->kernel_height * s->kernel_width + s->in_height * s->in_width;
    sn_parallel_for(s->batch * s->in_channels, 1 + 8192 / (work + 1), range, job);
}

void sn_max_pool2d_gradient(const float *x, const float *dy, float *dx, const sn_conv_shape *s) {
    pool_job job = {.x = x, .dy = dy, .dx = dx, .s = s};
    pool_gradient(&job, max_range);
}

void sn_mean_pool2d_gradient(const float *dy, float *dx, const sn_conv_shape *s, intptr_t pad_bottom, intptr_t pad_right,
                             int count_padding) {
    pool_job job = {.dy = dy, .dx = dx, .s = s, .pad_bottom = pad_bottom, .pad_right = pad_right, .count_padding = count_padding};
    pool_gradient(&job, mean_range);
}
