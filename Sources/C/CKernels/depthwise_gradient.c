// The gradient of one kernel per channel in its weights, for strides of 1. With the plane and the gradient laid out at one width,
// every tap is a single dot product of the whole plane, shifted, with the gradient.
#include <string.h>
#include "depthwise.h"
#include "gemm.h"
#include "scratch.h"

enum { LONGEST_KERNEL = 15 };

typedef struct {
    const float *x, *dy;
    float *dweight;
    const sn_conv_shape *s;
    const sn_kernel_table *f;
    intptr_t pitch, rows;  // of a padded plane
} depthwise_job;

bool sn_depthwise_weight_fits(const sn_conv_shape *s) {
    return sn_depthwise_fits(s) && s->stride_height == 1 && s->stride_width == 1 && s->pad_top >= 0 && s->pad_left >= 0 &&
           s->out_height > 0 && s->out_width > 0;
}

static void lay_out(const depthwise_job *job, const float *x, const float *dy, float *plane, float *slopes) {
    const sn_conv_shape *s = job->s;
    intptr_t begin = sn_least(s->pad_left, job->pitch), count = sn_least(s->in_width, job->pitch - begin);
    memset(plane, 0, (size_t)((job->rows + 1) * job->pitch) * 4);
    for (intptr_t r = 0; r < s->in_height && r + s->pad_top < job->rows; r++)
        memcpy(plane + (r + s->pad_top) * job->pitch + begin, x + r * s->in_width, (size_t)count * 4);
    memset(slopes, 0, (size_t)(s->out_height * job->pitch) * 4);
    for (intptr_t r = 0; r < s->out_height; r++) memcpy(slopes + r * job->pitch, dy + r * s->out_width, (size_t)s->out_width * 4);
}

static void channels_range(void *context, intptr_t start, intptr_t end) {
    const depthwise_job *job = context;
    const sn_conv_shape *s = job->s;
    intptr_t taps = s->kernel_height * s->kernel_width;
    float *plane = sn_scratch(SCRATCH_RIGHT, (job->rows + 1 + s->out_height) * job->pitch), *slopes = plane + (job->rows + 1) * job->pitch;
    for (intptr_t c = start; c < end; c++) {
        double sums[LONGEST_KERNEL * LONGEST_KERNEL] = {0};
        for (intptr_t i = 0; i < s->batch; i++) {
            intptr_t p = i * s->in_channels + c;
            lay_out(job, job->x + p * s->in_height * s->in_width, job->dy + p * s->out_height * s->out_width, plane, slopes);
            for (intptr_t ky = 0; ky < s->kernel_height; ky++) {
                float row[LONGEST_KERNEL];
                job->f->gemm_dots((int32_t)s->kernel_width, 1, s->out_height * job->pitch, plane + ky * s->dilation_height * job->pitch,
                                  s->dilation_width, slopes, 0, row, s->kernel_width);
                for (intptr_t kx = 0; kx < s->kernel_width; kx++) sums[ky * s->kernel_width + kx] += row[kx];
            }
        }
        for (intptr_t t = 0; t < taps; t++) job->dweight[c * taps + t] = (float)sums[t];
    }
}

void sn_depthwise_weight_gradient(const float *x, const float *dy, float *dweight, const sn_conv_shape *s) {
    depthwise_job job = {x, dy, dweight, s, sn_kernels(), s->out_width + (s->kernel_width - 1) * s->dilation_width,
                         s->out_height + (s->kernel_height - 1) * s->dilation_height};
    intptr_t work = s->batch * s->out_height * s->out_width * s->kernel_height * s->kernel_width;
    sn_parallel_for(s->in_channels, 1 + 16384 / (work + 1), channels_range, &job);
}
