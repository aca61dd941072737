// The quantised kernels at the level that the engine chose.
#include <string.h>
#include "quant_kernels.h"

#define DECLARE(LEVEL)                                     \
    void quant_pack_##LEVEL(const quant_pack_job *);       \
    void quant_unpack_##LEVEL(const quant_unpack_job *);   \
    void quant_tile_##LEVEL(const quant_tile_job *);       \
    intptr_t quant_dots_bytes_##LEVEL(sn_weight_format, intptr_t);                                  \
    void quant_dots_prepare_##LEVEL(sn_weight_format, const float *, intptr_t, uint8_t *);          \
    void quant_dots_##LEVEL(const quant_dots_job *, intptr_t, intptr_t);                            \
    void quant_transpose_out_##LEVEL(const float *, intptr_t, intptr_t, intptr_t, float *, intptr_t, const float *, intptr_t);
#define TABLE(LEVEL, ROWS, LANES) \
    {ROWS, LANES, quant_pack_##LEVEL, quant_unpack_##LEVEL, quant_tile_##LEVEL, quant_transpose_out_##LEVEL, \
     quant_dots_bytes_##LEVEL, quant_dots_prepare_##LEVEL, quant_dots_##LEVEL}

DECLARE(avx512)
static const quant_table avx512 = TABLE(avx512, 12, 16);

const quant_table *quant_kernels(void) { return &avx512; }
