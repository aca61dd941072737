#include "sensorium_kernels.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/depthwise.h"
#pragma clang attribute pop
#endif
