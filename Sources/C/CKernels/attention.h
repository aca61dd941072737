// What attention and its gradient share: scores lie transposed, [key][query], a panel of queries wide.
#ifndef SENSORIUM_ATTENTION_H
#define SENSORIUM_ATTENTION_H
#include "sensorium_kernels.h"

// Floats between rows that are laid out for the tiles: a power of two would put all of them into one cache set.
enum { ATTENTION_PAD = 16 };

// Keys that a query sees.
intptr_t sn_visible_keys(const sn_attention_shape *shape, intptr_t query);
// c[rows][ldc] (+)= left rows, `stride` apart, times one panel of `vectors` vectors: tiles of nearly equal height.
void sn_panel_product(const sn_kernel_table *f, intptr_t rows, intptr_t vectors, intptr_t k, const float *left, intptr_t stride,
                      const float *panel, float *c, intptr_t ldc, bool accumulate);
// Adds the mask and hides what lies behind each query: scores[key][width] of `count` keys from key0 on and `queries` from q0 on.
void sn_mask_scores(const sn_kernel_table *f, const sn_attention_shape *shape, intptr_t batch, intptr_t head, intptr_t q0,
                    intptr_t queries, intptr_t key0, intptr_t count, intptr_t width, float *scores);
#endif
