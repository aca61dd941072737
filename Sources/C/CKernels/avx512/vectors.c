#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#include "../bodies/vectors.h"
#pragma clang attribute pop
#endif
