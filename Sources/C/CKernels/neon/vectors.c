#include "sensorium_vectors.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/vectors.h"
#pragma clang attribute pop
#endif
