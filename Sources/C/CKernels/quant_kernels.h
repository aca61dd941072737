// What the product of activations and quantised weights asks of an instruction set. A tile multiplies some rows of weights, read
// into a small buffer and broadcast four bytes at a time, with a panel of activations whose tokens lie in the lanes of vectors.
#ifndef SENSORIUM_QUANT_KERNELS_H
#define SENSORIUM_QUANT_KERNELS_H
#include "quant_formats.h"

enum {
    QUANT_CHUNK_BYTES = 1024,  // of k that a tile of weights holds: it stays in the first-level cache
    QUANT_STRIDE = 1024 + 64,  // from row to row of the tile, so that rows don't share sets of the cache
    QUANT_PIECE = 128,         // k of a panel is a multiple of this
    QUANT_MAX_ROWS = 12
};

// Activations. Products of one group of k are summed in whole numbers; y = sum over groups of
//   w_scale * x_scale * sum(q_w * q_x) + w_term * x_term.
// Block formats: unsigned q_w, signed q_x around zero, x_term = x_scale * sum(q_x) carries minimums and offsets.
// INT8: signed q_w, q_x from 0 with a zero point: x_term = -x_scale * zero, w_term = sum(q_w), w_scale is applied at the end.
typedef struct {
    int32_t group;    // elements of k under one scale; 0: f32, no scales
    bool ranged;      // INT8
} quant_shape;

typedef struct {
    quant_shape shape;
    const float *const *rows;  // one per lane of a vector
    intptr_t k;
    uint8_t *bytes;            // [k / 4][panel tokens][4], at the first lane
    float *scale, *term;       // [groups][panel tokens], at the first lane
    intptr_t panel;            // tokens of the panel
} quant_pack_job;

typedef struct {
    sn_weight_format format;
    const uint8_t *rows;       // at the first element of the chunk
    intptr_t row_bytes, count, k;
    uint8_t *tile;             // [rows][QUANT_STRIDE]
    float *scale, *term;       // [groups][rows]
} quant_unpack_job;

typedef struct {
    quant_shape shape;
    intptr_t words;            // four bytes of k each
    const uint8_t *x;
    const float *x_scale, *x_term;
    const uint8_t *w;
    const float *w_scale, *w_term;
    intptr_t panel;            // tokens: one or two vectors
    float *c;                  // [rows][ldc], added to
    intptr_t ldc;
} quant_tile_job;

// A few tokens: dot products along rows of weights. Activations of one token take `quant_dots_bytes`, prepared once for all threads.
typedef struct {
    const sn_weights *w;
    const uint8_t *x;      // prepared, x_bytes from token to token
    intptr_t x_bytes, m;
    float *y;              // [m][y_row]
    intptr_t y_row;
} quant_dots_job;

typedef struct {
    const char *name;
    int32_t rows, lanes;  // of a tile; tokens of half a panel
    void (*pack)(const quant_pack_job *job);
    void (*unpack)(const quant_unpack_job *job);
    void (*tile)(const quant_tile_job *job);
    // NULL where tiles serve every m. Bytes of a prepared token; 0 where there are no dot products for the format.
    intptr_t (*dots_bytes)(sn_weight_format format, intptr_t k);
    void (*dots_prepare)(sn_weight_format format, const float *x, intptr_t k, uint8_t *prepared);
    void (*dots)(const quant_dots_job *job, intptr_t first_row, intptr_t end_row);
} quant_table;

const quant_table *quant_kernels(void);
quant_shape quant_shape_of(sn_weight_format format);
#endif
