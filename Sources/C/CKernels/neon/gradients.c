#include "sensorium_gradients.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/gradients.h"
#pragma clang attribute pop
#endif
