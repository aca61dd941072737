#include "sensorium_gradients.h"
#if defined(__x86_64__)
#include "../simd/avx2.h"
#include "../bodies/gradients.h"
#pragma clang attribute pop
#endif
