#include "sensorium_imaging.h"
#if defined(__aarch64__)
#include "../simd/neon.h"
#include "../bodies/resize.h"
#pragma clang attribute pop
#endif
