#include "sensorium_vectors.h"
#if defined(__x86_64__)
#include "../simd/avx2.h"
#include "../bodies/vectors.h"
#pragma clang attribute pop
#endif
