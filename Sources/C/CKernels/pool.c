// Pooling row by row: every tap passes over the output row it reaches, so that the inner loop has no tests.
#include "pool.h"

typedef struct {
    const float *x;
    float *y;
    const sn_conv_shape *s;
    // Of mean pooling only.
    intptr_t pad_bottom, pad_right;
    int count_padding;
} pool_job;

typedef void (*pool_tap)(const float *row, intptr_t stride, intptr_t first, intptr_t end, float *out);

static void max_tap(const float *row, intptr_t stride, intptr_t first, intptr_t end, float *out) {
    for (intptr_t i = first; i < end; i++) {
        float v = row[i * stride];
        out[i] = v > out[i] || v != v ? v : out[i];
    }
}

static void sum_tap(const float *row, intptr_t stride, intptr_t first, intptr_t end, float *out) {
    for (intptr_t i = first; i < end; i++) out[i] += row[i * stride];
}

// Row `oy` of the output: the taps of its window in reading order.
static void pool_row(const sn_conv_shape *s, const float *plane, intptr_t oy, pool_tap tap, float *out) {
    for (intptr_t ky = 0; ky < s->kernel_height; ky++) {
        intptr_t iy = oy * s->stride_height - s->pad_top + ky * s->dilation_height;
        if (iy < 0 || iy >= s->in_height) continue;
        for (intptr_t kx = 0; kx < s->kernel_width; kx++) {
            intptr_t stride = s->stride_width, shift = kx * s->dilation_width - s->pad_left;
            intptr_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
            intptr_t room = s->in_width - 1 - shift, end = room < 0 ? 0 : room / stride + 1;
            if (end > s->out_width) end = s->out_width;
            tap(plane + iy * s->in_width + shift, stride, first, end, out);
        }
    }
}

static const float *plane_of(const pool_job *job, intptr_t line) {
    return job->x + line / job->s->out_height * job->s->in_height * job->s->in_width;
}

static void max_range(void *context, intptr_t start, intptr_t end) {
    const pool_job *job = context;
    const sn_conv_shape *s = job->s;
    for (intptr_t line = start; line < end; line++) {
        float *out = job->y + line * s->out_width;
        for (intptr_t i = 0; i < s->out_width; i++) out[i] = -__builtin_inff();
        pool_row(s, plane_of(job, line), line % s->out_height, max_tap, out);
    }
}

intptr_t sn_pool_covered(intptr_t start, intptr_t kernel, intptr_t dilation, intptr_t size, intptr_t after, int count_padding) {
    if (count_padding) return (start + kernel < size + after ? start + kernel : size + after) - start;
    intptr_t inside = 0;
    for (intptr_t k = 0; k < kernel; k++) {
        intptr_t place = start + k * dilation;
        inside += place >= 0 && place < size;
    }
    return inside;
}

static void mean_range(void *context, intptr_t start, intptr_t end) {
    const pool_job *job = context;
    const sn_conv_shape *s = job->s;
    for (intptr_t line = start; line < end; line++) {
        intptr_t oy = line % s->out_height;
        float *out = job->y + line * s->out_width;
        for (intptr_t i = 0; i < s->out_width; i++) out[i] = 0;
        pool_row(s, plane_of(job, line), oy, sum_tap, out);
        intptr_t rows = sn_pool_covered(
            oy * s->stride_height - s->pad_top, s->kernel_height, s->dilation_height, s->in_height, job->pad_bottom, job->count_padding);
        for (intptr_t i = 0; i < s->out_width; i++) {
            intptr_t columns = sn_pool_covered(
                i * s->stride_width - s->pad_left, s->kernel_width, s->dilation_width, s->in_width, job->pad_right, job->count_padding);
            out[i] /= (float)(rows * columns);
        }
    }
}

static void pool(pool_job *job, void (*range)(void *, intptr_t, intptr_t)) {
    const sn_conv_shape *s = job->s;
    intptr_t grain = 1 + 8192 / (s->out_width * s->kernel_height * s->kernel_width + 1);
    sn_parallel_for(s->batch * s->in_channels * s->out_height, grain, range, job);
}

void sn_max_pool2d(const float *x, float *y, const sn_conv_shape *s) {
    pool_job job = {.x = x, .y = y, .s = s};
    pool(&job, max_range);
}

void sn_mean_pool2d(const float *x, float *y, const sn_conv_shape *s, intptr_t pad_bottom, intptr_t pad_right, int count_padding) {
    pool_job job = {.x = x, .y = y, .s = s, .pad_bottom = pad_bottom, .pad_right = pad_right, .count_padding = count_padding};
    pool(&job, mean_range);
}
