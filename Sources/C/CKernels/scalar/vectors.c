// The intrinsic-free reference of distances, selection and code products.
#include "sensorium_kernels.h"
#include "sensorium_vectors.h"
void from_half_scalar(const uint16_t *x, float *y, intptr_t n);

static float half(const uint16_t *x) {
    float value;
    from_half_scalar(x, &value, 1);
    return value;
}
static float whole(const float *x) { return *x; }

#define ROWS(NAME, ELEMENT, LOAD, TERM, SIGN)                                                             \
    void NAME##_scalar(const float *q, const ELEMENT *rows, intptr_t count, intptr_t n, float *out) {     \
        for (intptr_t r = 0; r < count; r++) {                                                            \
            double total = 0;                                                                             \
            for (intptr_t i = 0; i < n; i++) {                                                            \
                double a = q[i], b = LOAD(rows + r * n + i);                                              \
                total += TERM;                                                                            \
            }                                                                                             \
            out[r] = (float)(SIGN total);                                                                 \
        }                                                                                                 \
    }
ROWS(dot_rows, float, whole, a * b, +)
ROWS(dot_rows_half, uint16_t, half, a * b, +)
ROWS(l2_rows, float, whole, (a - b) * (a - b), -)
ROWS(l2_rows_half, uint16_t, half, (a - b) * (a - b), -)

intptr_t at_least_scalar(const float *scores, const float *thresholds, intptr_t step, intptr_t n, int32_t *indices) {
    intptr_t found = 0;
    for (intptr_t i = 0; i < n; i++)
        if (scores[i] >= thresholds[i * step]) indices[found++] = (int32_t)i;
    return found;
}

void code_dots_scalar(const int8_t *q, intptr_t queries, const uint8_t *codes, intptr_t count, intptr_t width, int32_t *out) {
    for (intptr_t r = 0; r < count; r++)
        for (intptr_t j = 0; j < queries; j++) {
            int32_t total = 0;
            for (intptr_t i = 0; i < width; i++) total += codes[r * width + i] * q[j * width + i];
            out[r * queries + j] = total;
        }
}

#define LEVEL scalar
#include "../bodies/codescores.h"
