#include "sensorium_kernels.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#include "../bodies/convert.h"
#pragma clang attribute pop
#endif
