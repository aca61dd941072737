#include "sensorium_mixed.h"
#if defined(__x86_64__)
#include "../simd/avx2.h"
#define BFLOAT_MR 4
#include "../bodies/bfloat.h"
#pragma clang attribute pop
#endif
