// The quantised kernels at the level that the engine chose.
#include <string.h>
#include "quant_kernels.h"

#define DECLARE(LEVEL)                                     \
    void quant_pack_##LEVEL(const quant_pack_job *);       \
    void quant_unpack_##LEVEL(const quant_unpack_job *);   \
    void quant_tile_##LEVEL(const quant_tile_job *);       \
    void quant_transpose_out_##LEVEL(const float *, intptr_t, intptr_t, intptr_t, float *, intptr_t, const float *, intptr_t);
#define TABLE(LEVEL, ROWS, LANES) \
    {ROWS, LANES, quant_pack_##LEVEL, quant_unpack_##LEVEL, quant_tile_##LEVEL, quant_transpose_out_##LEVEL}

DECLARE(avx512)
static const quant_table avx512 = TABLE(avx512, 12, 16);

const quant_table *quant_kernels(void) { return &avx512; }
