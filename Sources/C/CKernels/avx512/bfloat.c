#include "sensorium_mixed.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#define BFLOAT_MR 12
#include "../bodies/bfloat.h"
#pragma clang attribute pop
#endif
