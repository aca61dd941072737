#include "sensorium_kernels.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#include "../bodies/depthwise.h"
#pragma clang attribute pop
#endif
