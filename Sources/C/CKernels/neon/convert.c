#include "sensorium_kernels.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/convert.h"
#pragma clang attribute pop
#endif
