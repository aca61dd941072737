#include "sensorium_gradients.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/optimisers.h"
#pragma clang attribute pop
#endif
