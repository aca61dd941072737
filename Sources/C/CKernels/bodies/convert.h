// 16-bit floating point to f32 and back.
#include "names.h"
void from_half_scalar(const uint16_t *x, float *y, intptr_t n);
void to_half_scalar(const float *x, uint16_t *y, intptr_t n);
void from_bfloat_scalar(const uint16_t *x, float *y, intptr_t n);
void to_bfloat_scalar(const float *x, uint16_t *y, intptr_t n);

void NAME(from_half)(const uint16_t *x, float *y, intptr_t n) {
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) v_store(y + i, v_load_half(x + i));
    from_half_scalar(x + i, y + i, n - i);
}

void NAME(to_half)(const float *x, uint16_t *y, intptr_t n) {
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) v_store_half(y + i, v_load(x + i));
    to_half_scalar(x + i, y + i, n - i);
}

void NAME(from_bfloat)(const uint16_t *x, float *y, intptr_t n) {
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) v_store(y + i, v_load_bfloat(x + i));
    from_bfloat_scalar(x + i, y + i, n - i);
}

void NAME(to_bfloat)(const float *x, uint16_t *y, intptr_t n) {
    intptr_t i = 0;
    for (; i + VW <= n; i += VW) v_store_bfloat(y + i, v_load(x + i));
    to_bfloat_scalar(x + i, y + i, n - i);
}
