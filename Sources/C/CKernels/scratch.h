// A buffer per thread and purpose that only grows: packing needs no allocation in the steady state.
#ifndef SENSORIUM_SCRATCH_H
#define SENSORIUM_SCRATCH_H
#include <stdint.h>
enum { SCRATCH_LEFT, SCRATCH_RIGHT, SCRATCH_TILE, SCRATCH_SCORES, SCRATCH_COUNT };
float *sn_scratch(int purpose, intptr_t floats);
// The serial GEMM on packed operands that the parallel entry points share:
// columns [n0, n1) (n0 a multiple of nr) of rows [m0, m1).
struct sn_gemm_job;
void sn_gemm_block(const struct sn_gemm_job *job, intptr_t m0, intptr_t m1, intptr_t n0, intptr_t n1);
#endif
