#include "sensorium_gradients.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#include "../bodies/optimisers.h"
#pragma clang attribute pop
#endif
