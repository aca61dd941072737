#define QUANT_DOT
#include "sensorium_quantised.h"
#if defined(__aarch64__)
#include "../simd/quant_neon.h"
#include "../bodies/quant_pack.h"
#include "../bodies/quant_tile.h"
#include "../bodies/quant_unpack.h"
#pragma clang attribute pop
#endif
