// A buffer per thread and purpose that only grows: packing needs no allocation in the steady state.
#ifndef SENSORIUM_SCRATCH_H
#define SENSORIUM_SCRATCH_H
#include <stdint.h>
enum { SCRATCH_LEFT, SCRATCH_RIGHT, SCRATCH_TILE, SCRATCH_SCORES, SCRATCH_QUANT, SCRATCH_COUNT };
float *sn_scratch(int purpose, intptr_t floats);
// Adds to what sn_pool_system_allocations tells.
void sn_count_system_allocation(intptr_t bytes);
#endif
