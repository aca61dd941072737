#include "sensorium_quantised.h"
#if defined(__x86_64__)
#include "../simd/quant_avx512.h"
#include "../bodies/quant_pack.h"
#include "../bodies/quant_tile.h"
#include "../bodies/quant_unpack.h"
#pragma clang attribute pop
#endif
