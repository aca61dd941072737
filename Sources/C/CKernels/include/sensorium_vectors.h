// Kernels of vector search: distances over f32, f16 and codes.
#ifndef SENSORIUM_VECTORS_H
#define SENSORIUM_VECTORS_H
#include <stdint.h>
#endif
