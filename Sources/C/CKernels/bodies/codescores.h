// Integer products of codes as scores. Plain loops: the compiler vectorises them at the level of the file.
#include "names.h"

void NAME(code_scores)(const int32_t *dots, const float *factors, const float *terms, float scale, float offset, float *out, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) out[i] = scale * (factors[i] * (float)dots[i] + terms[i]) + offset;
}

void NAME(code_scores_rows)(const int32_t *dots, const float *scales, const float *offsets, float factor, float term, float *out, intptr_t n) {
    for (intptr_t i = 0; i < n; i++) out[i] = scales[i] * (factor * (float)dots[i] + term) + offsets[i];
}
