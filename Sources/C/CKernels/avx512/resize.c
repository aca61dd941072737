#include "sensorium_imaging.h"
#if defined(__x86_64__)
#include "../simd/avx512.h"
#include "../bodies/resize.h"
#pragma clang attribute pop
#endif
