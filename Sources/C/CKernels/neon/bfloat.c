#include "sensorium_mixed.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#define BFLOAT_MR 4
#include "../bodies/bfloat.h"
#pragma clang attribute pop
#endif
